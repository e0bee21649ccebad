// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What one task's caller saw of it: refused, or exactly one fate (law L2), which its Task, its pool's figures and the task itself
// agree on.
type seen struct {
	task *Task
	ran  int32 // how often f was called
}

func TestOneFateUnderStress(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	var total [5]int
	for round := 0; round < rounds; round++ {
		for fate, n := range oneFate(t, round) {
			total[fate] += n
		}
	}
	t.Logf("refused %d, ran %d, cancelled %d, expired %d, discarded %d", total[0], total[1], total[2], total[3], total[4])
	for fate, n := range total {
		if n == 0 && !testing.Short() {
			t.Errorf("no task met fate %d: the stress does not reach it", fate)
		}
	}
}

// oneFate has several goroutines submit tasks with contexts that are cancelled, or end in time, while others shut the pool down.
func oneFate(t *testing.T, round int) (counted [5]int) {
	const submitters, each = 6, 60
	p := newPool(t, Workers(2), Capacity(uint32(1+round%7)))
	var all [submitters][]*seen
	var going sync.WaitGroup
	var over int32
	for s := 0; s < submitters; s++ {
		s := s
		going.Add(1)
		go func() {
			defer going.Done()
			for i := 0; i < each; i++ {
				i, one := i, &seen{}
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*50*time.Microsecond+time.Microsecond)
				if i%3 != 0 {
					ctx, cancel = context.WithCancel(context.Background())
				}
				var err error
				one.task, err = p.SubmitContext(ctx, func(ctx context.Context) error {
					atomic.AddInt32(&one.ran, 1)
					if atomic.LoadInt32(&over) != 0 {
						t.Error("a task runs after the shutdown was over")
					}
					for until := time.Now().Add(time.Duration(i%4) * 20 * time.Microsecond); time.Now().Before(until); {
						if ctx.Err() != nil {
							return ctx.Err()
						}
					}
					return nil
				})
				if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ctx.Err()) {
					t.Errorf("refused with %v, context %v", err, ctx.Err())
				}
				if i%2 == 0 {
					cancel()
				} else {
					defer cancel()
				}
				all[s] = append(all[s], one)
			}
		}()
	}
	if round%3 != 0 {
		time.Sleep(time.Duration(round%4) * time.Millisecond) // only to fall into another phase; nothing is concluded from it
		var shutters sync.WaitGroup
		for i := 0; i < 2; i++ {
			shutters.Add(1)
			go func(now bool) {
				defer shutters.Done()
				shut := p.Shutdown
				if now {
					shut = p.ShutdownNow
				}
				wants(t, "a shutdown", shut(soon(t)), nil)
				atomic.StoreInt32(&over, 1) // law L5
			}(i == 0)
		}
		shutters.Wait()
	}
	going.Wait()
	wants(t, "Shutdown", p.Shutdown(soon(t)), nil)
	for _, list := range all {
		for _, one := range list {
			counted[fateOf(t, one)]++
		}
	}
	s := p.Stats()
	if counted[1] != int(s.Ran) || counted[2] != int(s.Cancelled) || counted[3] != int(s.Expired) || counted[4] != int(s.Discarded) {
		t.Errorf("counted %v, the pool says %+v", counted, s)
	}
	return counted
}

func fateOf(t *testing.T, one *seen) int {
	if one.task == nil {
		if one.ran != 0 {
			t.Error("a refused task ran")
		}
		return 0
	}
	select {
	case <-one.task.Done():
	default:
		t.Error("a task is open after the shutdown")
	}
	var fate Error
	if errors.As(one.task.Err(), &fate) {
		if one.ran != 0 || fate < ErrTaskCancelled || fate > ErrTaskDiscarded {
			t.Errorf("%v, and ran %d times", fate, one.ran)
		}
		return int(fate)
	}
	if one.ran != 1 {
		t.Errorf("%v, and ran %d times", one.task.Err(), one.ran)
	}
	return 1
}

// Law L5: what a group's tasks used is the caller's when Wait returns, whatever became of them. The race detector looks on.
func TestWaitMeansOverUnderStress(t *testing.T) {
	p := newPool(t, Workers(3), Capacity(4))
	var callers sync.WaitGroup
	for c := 0; c < 4; c++ {
		c := c
		callers.Add(1)
		go func() {
			defer callers.Done()
			for round := 0; round < 40; round++ {
				ctx, cancel := context.WithCancel(context.Background())
				g, err := p.NewGroup(ctx)
				if err != nil {
					t.Error(err)
				}
				used := make([]int, 20)
				for i := range used {
					i := i
					if i == 10 && (round+c)%2 == 0 {
						go cancel()
					}
					err := g.Submit(func(context.Context) error { used[i]++; return nil })
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
				if err := g.Wait(soon(t)); err != nil && !errors.Is(err, ErrTaskCancelled) {
					t.Error(err)
				}
				for i := range used {
					if used[i]++; used[i] > 2 {
						t.Errorf("task %d ran twice", i)
					}
				}
				cancel()
			}
		}()
	}
	callers.Wait()
}
