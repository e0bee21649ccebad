// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestCancelReachesAQueuedTask(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(4))
	release := busy(t, p) // to the end: no worker can have come to the task
	ctx, cancel := context.WithCancel(context.Background())
	task, err := p.SubmitContext(ctx, func(context.Context) error { t.Error("it ran"); return nil })
	if err != nil {
		t.Fatal(err)
	}
	sibling, err := p.SubmitContext(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = task.Wait(soon(t))
	wants(t, "the task", err, ErrTaskCancelled)
	wants(t, "the task", err, context.Canceled)
	until(t, "the pool knows", func() bool { s := p.Stats(); return s.Cancelled == 1 && s.Queued == 1 })
	release()
	wants(t, "its sibling", sibling.Wait(soon(t)), nil)
	_, err = p.SubmitContext(ctx, func(context.Context) error { return nil })
	wants(t, "a submit with an ended context", err, context.Canceled)
}

// The pool's timer and the context's both see the deadline pass, in either order: the fate is always the pool's to tell.
func TestDeadlineReachesAQueuedTask(t *testing.T) {
	const many = 50
	p := newPool(t, Workers(1), Capacity(many))
	busy(t, p)
	var tasks []*Task
	for i := 0; i < many; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond+time.Duration(i)*200*time.Microsecond)
		defer cancel()
		task, err := p.SubmitContext(ctx, func(context.Context) error { t.Error("it ran"); return nil })
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	for _, task := range tasks {
		err := task.Wait(soon(t))
		wants(t, "the task", err, ErrTaskExpired)
		wants(t, "the task", err, context.DeadlineExceeded)
	}
	until(t, "the pool knows", func() bool { s := p.Stats(); return s.Expired == many && s.Running == 1 })
}

func TestCancelAndDeadlineReachARunningTask(t *testing.T) {
	p := newPool(t, Workers(2))
	ctx, cancel := context.WithCancel(context.Background())
	late, cancelLate := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancelLate()
	started := make(chan struct{})
	wait := func(ctx context.Context) error {
		if ctx.Err() == nil {
			started <- struct{}{}
		}
		<-ctx.Done()
		return ctx.Err()
	}
	one, err := p.SubmitContext(ctx, wait)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	cancel()
	err = one.Wait(soon(t))
	wants(t, "the cancelled task", err, context.Canceled)
	if errors.Is(err, ErrTaskCancelled) {
		t.Error("it ran, and is told to have not")
	}
	two, err := p.SubmitContext(late, wait)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-started:
		wants(t, "the late task", two.Wait(soon(t)), context.DeadlineExceeded)
	case <-two.Done(): // a slow machine: it expired in the queue
		wants(t, "the late task", two.Err(), ErrTaskExpired)
	}
}

func TestATasksContextEndsWithIt(t *testing.T) {
	type key struct{}
	p := newPool(t, Workers(1))
	ctx := context.WithValue(context.Background(), key{}, 7)
	kept := make(chan context.Context, 2)
	for _, ask := range []bool{true, false} {
		ask := ask
		task, err := p.SubmitContext(ctx, func(ctx context.Context) error {
			if ctx.Value(key{}) != 7 || ctx.Err() != nil {
				t.Error("not the submitter's context")
			}
			if ask {
				child, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				if child.Err() != nil || child.Value(key{}) != 7 {
					t.Error("not its child")
				}
			}
			kept <- ctx
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, "the task", task.Wait(soon(t)), nil)
		ctx := <-kept
		wants(t, "its context", ctx.Err(), context.Canceled)
		<-ctx.Done()
	}
}

func TestAPanicIsThatTasksFailure(t *testing.T) {
	reason := errors.New("a reason")
	var told atomic.Value
	p := newPool(t, Workers(1), OnPanic(func(e *PanicError) {
		told.Store(e)
		panic("in the handler too")
	}))
	before, err := p.SubmitContext(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	bad, err := p.SubmitContext(context.Background(), func(context.Context) error { panic(reason) })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Submit(func() { var m map[int]int; m[0] = 1 }); err != nil {
		t.Fatal(err)
	}
	if err := p.Submit(func() { panic(nil) }); err != nil {
		t.Fatal(err)
	}
	after, err := p.SubmitContext(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the task before", before.Wait(soon(t)), nil)
	wants(t, "the task after", after.Wait(soon(t)), nil)
	var panicked *PanicError
	if err := bad.Wait(soon(t)); !errors.As(err, &panicked) || !errors.Is(err, reason) || len(panicked.Stack) == 0 {
		t.Errorf("the task that panicked: %v", err)
	}
	if err := p.Shutdown(soon(t)); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Failed != 3 || s.Ran != 5 {
		t.Errorf("%+v", s)
	}
	if told.Load() == nil {
		t.Error("OnPanic was not called")
	}
}

// The Go runtime interrupts such a loop by a signal, and loses some of those that come while a worker is between tasks (preempt.c).
func TestATaskThatLoopsDoesNotHoldTheCollectorUp(t *testing.T) {
	p := newPool(t, Workers(2))
	var stop int32
	for round := 0; round < 20; round++ {
		collected := make(chan struct{})
		go func() {
			for i := 0; i < 20; i++ {
				runtime.GC()
			}
			close(collected)
		}()
		for busy := true; busy; {
			if err := p.Submit(func() {}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-collected:
				busy = false
			default:
			}
		}
		atomic.StoreInt32(&stop, 0)
		started := make(chan struct{})
		turns := uint64(0)
		loop, err := p.SubmitContext(context.Background(), func(context.Context) error {
			close(started)
			for atomic.LoadInt32(&stop) == 0 {
				turns++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		<-started
		// If it can't be interrupted nothing goes on in this process from here: go test's own limit does not either.
		runtime.GC()
		atomic.StoreInt32(&stop, 1)
		wants(t, "the task", loop.Wait(soon(t)), nil)
	}
}

func TestATaskWaitsForNoTaskOfItsPool(t *testing.T) {
	p := newPool(t, Workers(1))
	outer, err := p.SubmitContext(context.Background(), func(ctx context.Context) error {
		inner, err := p.SubmitContext(ctx, func(context.Context) error { return nil })
		if err != nil {
			return err
		}
		return inner.Wait(context.Background())
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the task", outer.Wait(soon(t)), ErrDeadlock)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	held := busy(t, p)
	queued, err := p.SubmitContext(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "Wait with an ended context", queued.Wait(ctx), context.Canceled)
	held()
	wants(t, "Wait", queued.Wait(soon(t)), nil)
}

// A task that ends because its context has makes room for a queued one of the same context, which must not be called any more: not even when
// a worker has it before the end has come to C.
func TestNothingStartsBehindTheEndOfItsContext(t *testing.T) {
	p := newPool(t, Workers(1))
	results, err := NewResults[int](p, 10)
	if err != nil {
		t.Fatal(err)
	}
	for round := 0; round < 200; round++ {
		ctx, cancel := context.WithCancel(context.Background())
		g := newGroup(t, p, ctx)
		started := make(chan struct{})
		if err := p.Submit(func() { close(started); <-ctx.Done() }); err != nil {
			t.Fatal(err)
		}
		<-started
		itRan := func(context.Context) error { t.Error("it ran"); return nil }
		task, err := p.SubmitContext(ctx, itRan)
		if err != nil {
			t.Fatal(err)
		}
		give(t, g, itRan)
		err = results.Submit(ctx, func(ctx context.Context) (int, error) { return 1, itRan(ctx) })
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		wants(t, "the task", task.Wait(soon(t)), ErrTaskCancelled)
		wants(t, "the group", g.Wait(soon(t)), ErrTaskCancelled)
		wants(t, "the result", (<-results.C()).Err, ErrTaskCancelled)
	}
	results.Close()
	if s := p.Stats(); s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}
