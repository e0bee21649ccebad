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

func newInner(t *testing.T, g *Group, ctx context.Context, opts ...GroupOption) *Group {
	t.Helper()
	inner, err := g.NewGroup(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

func give(t *testing.T, g *Group, f func(context.Context) error) {
	t.Helper()
	if err := g.Submit(f); err != nil {
		t.Fatal(err)
	}
}

func nothing(context.Context) error { return nil }

func TestAGroupWaitsForTheGroupsInIt(t *testing.T) {
	p := newPool(t, Workers(2), Capacity(4))
	for round := 0; round < 50; round++ {
		outer := newGroup(t, p, context.Background(), MaxRunning(1))
		ran := 0 // without a lock: the outer group runs its tasks and those of the inner ones one at a time
		for i := 0; i < 5; i++ {
			inner := newInner(t, newInner(t, outer, context.Background()), context.Background())
			give(t, outer, func(context.Context) error { ran++; return nil })
			give(t, inner, func(context.Context) error { ran++; return nil })
		}
		wants(t, "Wait", outer.Wait(soon(t)), nil)
		if ran != 10 {
			t.Fatalf("%d of 10 ran", ran)
		}
	}
}

func TestAnInnerGroupIsWaitedForByItself(t *testing.T) {
	p := newPool(t, Workers(2))
	outer := newGroup(t, p, context.Background())
	inner := newInner(t, outer, context.Background())
	gate := make(chan struct{})
	give(t, outer, func(context.Context) error { <-gate; return nil })
	give(t, inner, nothing)
	wants(t, "the inner group", inner.Wait(soon(t)), nil)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	wants(t, "the outer group, not yet", outer.Wait(ended), context.Canceled)
	close(gate)
	wants(t, "the outer group", outer.Wait(soon(t)), nil)
}

func TestAFailureIsToldToTheGroupsAround(t *testing.T) {
	reason := errors.New("a reason")
	p := newPool(t, Workers(1))
	outer := newGroup(t, p, context.Background())
	failing := newInner(t, outer, context.Background(), CancelOnError())
	other := newInner(t, outer, context.Background())
	release := busy(t, p)
	give(t, failing, func(context.Context) error { return reason })
	give(t, failing, func(context.Context) error { t.Error("it ran"); return nil })
	give(t, other, nothing)
	release()
	wants(t, "the group that failed", failing.Wait(soon(t)), reason)
	wants(t, "the one beside", other.Wait(soon(t)), nil)
	wants(t, "the one around", outer.Wait(soon(t)), reason)
	wants(t, "the one around takes more", outer.Submit(nothing), nil)
	wants(t, "the one that failed does not", failing.Submit(nothing), context.Canceled)
}

func TestAFailureCancelsTheGroupAround(t *testing.T) {
	reason := errors.New("a reason")
	p := newPool(t, Workers(2))
	outer := newGroup(t, p, context.Background(), CancelOnError())
	beside := newInner(t, outer, context.Background())
	inner := newInner(t, outer, context.Background())
	started, gate := make(chan struct{}), make(chan struct{})
	give(t, beside, func(ctx context.Context) error { close(started); <-ctx.Done(); return nil })
	<-started
	give(t, inner, func(context.Context) error { <-gate; return reason })
	give(t, beside, func(context.Context) error { t.Error("it ran"); return nil })
	close(gate)
	wants(t, "the group around", outer.Wait(soon(t)), reason)
	wants(t, "the one beside", beside.Wait(soon(t)), ErrTaskCancelled)
}

func TestCancelGoesInwards(t *testing.T) {
	p := newPool(t, Workers(1))
	outer := newGroup(t, p, context.Background())
	inner := newInner(t, outer, context.Background())
	started := make(chan struct{})
	give(t, inner, func(ctx context.Context) error { close(started); <-ctx.Done(); return nil })
	<-started
	give(t, inner, func(context.Context) error { t.Error("it ran"); return nil })
	outer.Cancel()
	wants(t, "the inner group", inner.Wait(soon(t)), ErrTaskCancelled)
	wants(t, "a submit to it", inner.Submit(nothing), context.Canceled)

	second := newGroup(t, p, context.Background())
	within := newInner(t, second, context.Background())
	within.Cancel()
	wants(t, "a submit to the group around", second.Submit(nothing), nil)
	wants(t, "the group around", second.Wait(soon(t)), nil)
}

// The deadline is the outer context's, which the inner group's own context knows nothing of.
func TestADeadlineGoesInwards(t *testing.T) {
	p := newPool(t, Workers(1))
	busy(t, p)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	outer := newGroup(t, p, ctx)
	inner := newInner(t, outer, context.Background())
	give(t, inner, func(context.Context) error { t.Error("it ran"); return nil })
	wants(t, "the inner group", inner.Wait(soon(t)), ErrTaskExpired)
	wants(t, "the outer group", outer.Wait(soon(t)), ErrTaskExpired)
}

// A task makes a group in its own, with the context that it was given, and waits for it on the only worker.
func TestATaskMakesAGroupInItsOwn(t *testing.T) {
	p := newPool(t, Workers(1))
	outer := newGroup(t, p, context.Background())
	var parts int32
	give(t, outer, func(ctx context.Context) error {
		inner, err := outer.NewGroup(ctx)
		if err != nil {
			return err
		}
		for i := 0; i < 10; i++ {
			if err := inner.Submit(func(context.Context) error { atomic.AddInt32(&parts, 1); return nil }); err != nil {
				return err
			}
		}
		return inner.Wait(ctx)
	})
	wants(t, "the outer group", outer.Wait(soon(t)), nil)
	if parts != 10 {
		t.Errorf("%d of 10", parts)
	}
}

func TestInnerGroupsAreCollected(t *testing.T) {
	p := newPool(t, Workers(1))
	outer := newGroup(t, p, context.Background())
	inner := newInner(t, outer, context.Background())
	around, within := outer.link, inner.link
	give(t, inner, nothing)
	wants(t, "Wait", outer.Wait(soon(t)), nil)
	inner = nil
	until(t, "the inner one is given back", func() bool {
		runtime.GC()
		return atomic.LoadInt32(&within.holders) == 0
	})
	if atomic.LoadInt32(&around.holders) == 0 {
		t.Error("the outer one went with it")
	}
	runtime.KeepAlive(outer)
	outer = nil
	until(t, "the outer one is given back", func() bool {
		runtime.GC()
		return atomic.LoadInt32(&around.holders) == 0
	})
}
