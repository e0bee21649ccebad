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

func newGroup(t *testing.T, p *Pool, ctx context.Context, opts ...GroupOption) *Group {
	t.Helper()
	g, err := p.NewGroup(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGroupWaitMeansOver(t *testing.T) {
	p := newPool(t, Workers(2), Capacity(4))
	g := newGroup(t, p, context.Background())
	wants(t, "an empty group", g.Wait(soon(t)), nil)
	for round := 0; round < 20; round++ {
		ran := 0 // written by tasks one at a time, read without a lock: the race detector looks on
		one := newGroup(t, p, context.Background(), MaxRunning(1))
		for i := 0; i < 50; i++ {
			i := i
			err := one.Submit(func(context.Context) error {
				if i == 49 {
					time.Sleep(time.Millisecond) // a task that takes its time
				}
				ran++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		wants(t, "Wait", one.Wait(soon(t)), nil)
		if ran != 50 {
			t.Fatalf("%d of 50 ran", ran)
		}
	}
}

func TestGroupTellsTheFirstFailure(t *testing.T) {
	first := errors.New("first")
	p := newPool(t, Workers(1))
	g := newGroup(t, p, context.Background())
	var ran int32
	for _, err := range []error{nil, first, errors.New("second")} {
		err := err
		if err := g.Submit(func(context.Context) error { atomic.AddInt32(&ran, 1); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Wait(soon(t)); err != first || ran != 3 {
		t.Errorf("%v, %d ran", err, ran)
	}
}

func TestAFailureCancelsItsGroupAndNoOther(t *testing.T) {
	reason := errors.New("a reason")
	p := newPool(t, Workers(2))
	g := newGroup(t, p, context.Background(), CancelOnError())
	other := newGroup(t, p, context.Background(), CancelOnError())
	started := make(chan struct{})
	run := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run(g.Submit(func(ctx context.Context) error { close(started); <-ctx.Done(); return ctx.Err() }))
	<-started
	gate := make(chan struct{})
	run(g.Submit(func(context.Context) error { <-gate; return reason }))
	run(g.Submit(func(context.Context) error { t.Error("it ran"); return nil }))
	run(other.Submit(func(context.Context) error { return nil }))
	close(gate)
	if err := g.Wait(soon(t)); err != reason {
		t.Errorf("the group: %v", err)
	}
	wants(t, "the other group", other.Wait(soon(t)), nil)
	wants(t, "a submit to a cancelled group", g.Submit(func(context.Context) error { return nil }), context.Canceled)
	until(t, "the pool knows", func() bool { return p.Stats().Cancelled == 1 })
}

// A task that ends because of the failure makes room for a queued one, which must not start: not even before the failure is told to C.
func TestNothingStartsBehindAFailure(t *testing.T) {
	reason := errors.New("a reason")
	p := newPool(t, Workers(2))
	const rounds = 200
	for round := 0; round < rounds; round++ {
		g := newGroup(t, p, context.Background(), CancelOnError())
		started, gate := make(chan struct{}), make(chan struct{})
		give(t, g, func(ctx context.Context) error { close(started); <-ctx.Done(); return nil })
		<-started
		give(t, g, func(context.Context) error { <-gate; return reason })
		give(t, g, func(context.Context) error { t.Error("it ran"); return nil })
		close(gate)
		wants(t, "the group", g.Wait(soon(t)), reason)
	}
	if s := p.Stats(); s.Cancelled != rounds {
		t.Errorf("%+v", s)
	}
}

func TestACancelledContextEndsItsGroup(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(8))
	busy(t, p)
	ctx, cancel := context.WithCancel(context.Background())
	g := newGroup(t, p, ctx)
	for i := 0; i < 8; i++ {
		if err := g.Submit(func(context.Context) error { t.Error("it ran"); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	waits := make(chan error)
	go func() { waits <- g.Submit(func(context.Context) error { t.Error("it ran"); return nil }) }()
	until(t, "it waits", func() bool { return waiters.size() == 1 })
	wants(t, "TrySubmit", g.TrySubmit(func(context.Context) error { return nil }), ErrFull)
	cancel()
	wants(t, "the submit that waited", <-waits, context.Canceled)
	wants(t, "the group", g.Wait(soon(t)), ErrTaskCancelled)
}

func TestADeadlineEndsItsGroup(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(8))
	busy(t, p)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	g := newGroup(t, p, ctx)
	if err := g.Submit(func(context.Context) error { t.Error("it ran"); return nil }); err != nil {
		t.Fatal(err)
	}
	wants(t, "the group", g.Wait(soon(t)), ErrTaskExpired)
}

func TestGroupCancelAndPatience(t *testing.T) {
	p := newPool(t, Workers(1))
	release := busy(t, p)
	g := newGroup(t, p, context.Background())
	if err := g.Submit(func(context.Context) error { t.Error("it ran"); return nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wants(t, "Wait with an ended context", g.Wait(ctx), context.Canceled)
	g.Cancel()
	wants(t, "Err at once after Cancel", g.Err(), ErrTaskCancelled)
	wants(t, "Wait", g.Wait(soon(t)), ErrTaskCancelled)
	release()
}

// A task that waits for a group runs it itself: one worker is enough for any depth.
func TestATaskWaitsForItsParts(t *testing.T) {
	p := newPool(t, Workers(1))
	var sum func(ctx context.Context, low, high int64) (int64, error)
	sum = func(ctx context.Context, low, high int64) (int64, error) {
		if high-low == 1 {
			return low, nil
		}
		g, err := p.NewGroup(ctx)
		if err != nil {
			return 0, err
		}
		middle := (low + high) / 2
		var left, right int64
		part := func(low, high int64, into *int64) error {
			return g.Submit(func(ctx context.Context) (err error) { *into, err = sum(ctx, low, high); return err })
		}
		if err := part(low, middle, &left); err != nil {
			return 0, err
		}
		if err := part(middle, high, &right); err != nil {
			return 0, err
		}
		return left + right, g.Wait(ctx)
	}
	var total int64
	task, err := p.SubmitContext(context.Background(), func(ctx context.Context) (err error) {
		total, err = sum(ctx, 0, 64)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the sum", task.Wait(soon(t)), nil)
	if total != 64*63/2 {
		t.Errorf("%d", total)
	}
}

// A group that nobody holds any more gives its C part back, though its context lives on.
func TestAGroupIsCollected(t *testing.T) {
	p := newPool(t, Workers(1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g := newGroup(t, p, ctx)
	l := g.link
	if err := g.Submit(func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	wants(t, "Wait", g.Wait(soon(t)), nil)
	g = nil
	until(t, "the group is given back", func() bool {
		runtime.GC()
		return atomic.LoadInt32(&l.holders) == 0
	})
}
