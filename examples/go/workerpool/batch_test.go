// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"sync/atomic"
	"testing"
)

// Sizes around what one call into C takes, and more than fit into the queue.
func TestABatchRunsInItsOrder(t *testing.T) {
	for _, capacity := range []uint32{1, 5, 100} {
		for _, count := range []int{0, 1, 15, 16, 17, 100} {
			p := newPool(t, Workers(1), Capacity(capacity))
			var order []int // of one worker's tasks, so without a lock
			fs := make([]func(), count)
			for i := range fs {
				i := i
				fs[i] = func() { order = append(order, i) }
			}
			accepted, err := p.SubmitBatch(fs)
			if accepted != count || err != nil {
				t.Fatalf("%d of %d, %v", accepted, count, err)
			}
			wants(t, "Shutdown", p.Shutdown(soon(t)), nil)
			for i, n := range order {
				if n != i {
					t.Fatalf("%v", order)
				}
			}
			if len(order) != count {
				t.Errorf("%d of %d ran", len(order), count)
			}
		}
	}
}

func TestABatchIsAcceptedUpToARefusal(t *testing.T) {
	const count = 40
	p := newPool(t, Workers(1), Capacity(20))
	release := busy(t, p)
	var ran int32
	fs, grouped := make([]func(), count), make([]func(context.Context) error, count)
	for i := range fs {
		fs[i] = func() { atomic.AddInt32(&ran, 1) }
		grouped[i] = func(context.Context) error { atomic.AddInt32(&ran, 1); return nil }
	}

	// The group's context ends while the batch waits for room.
	ctx, cancel := context.WithCancel(context.Background())
	g := newGroup(t, p, ctx)
	type answer struct {
		accepted int
		err      error
	}
	answers := make(chan answer)
	submit := func() { accepted, err := g.SubmitBatch(grouped); answers <- answer{accepted, err} }
	go submit()
	until(t, "it waits", func() bool { return waiters.size() == 1 })
	ended, end := context.WithCancel(context.Background())
	end()
	wants(t, "the group, not yet", g.Wait(ended), context.Canceled)
	cancel()
	if a := <-answers; a.accepted != 20 || a.err != context.Canceled {
		t.Errorf("%+v", a)
	}
	wants(t, "the group", g.Wait(soon(t)), ErrTaskCancelled)
	accepted, err := g.SubmitBatch(grouped)
	if accepted != 0 || err != context.Canceled {
		t.Errorf("%d, %v", accepted, err)
	}
	release()
	// A plain one behind it: the worker has come past the places of those that were cancelled.
	task, err := p.SubmitContext(context.Background(), nothing)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "a task behind", task.Wait(soon(t)), nil)
	if ran != 0 {
		t.Errorf("%d ran", ran)
	}

	// The pool closes while the batch waits for room.
	release = busy(t, p)
	go func() { accepted, err := p.SubmitBatch(fs); answers <- answer{accepted, err} }()
	until(t, "it waits", func() bool { return waiters.size() == 1 })
	wants(t, "Shutdown", p.Shutdown(ended), context.Canceled)
	if a := <-answers; a.accepted != 20 || a.err != ErrClosed {
		t.Errorf("%+v", a)
	}
	release()
	wants(t, "Shutdown", p.Shutdown(soon(t)), nil)
	if ran != 20 {
		t.Errorf("%d of 20 ran", ran)
	}
}

func TestABatchThatCanNotBeIsNotBegun(t *testing.T) {
	p := newPool(t, Workers(1))
	g := newGroup(t, p, context.Background())
	itRan := func() { t.Error("it ran") }
	accepted, err := p.SubmitBatch([]func(){itRan, nil})
	if accepted != 0 || err != ErrInvalid {
		t.Errorf("%d, %v", accepted, err)
	}
	accepted, err = g.SubmitBatch([]func(context.Context) error{func(context.Context) error { itRan(); return nil }, nil})
	if accepted != 0 || err != ErrInvalid {
		t.Errorf("%d, %v", accepted, err)
	}
	wants(t, "the group", g.Wait(soon(t)), nil)
}

func TestABatchInsideATaskDoesNotWait(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(3))
	task, err := p.SubmitContext(context.Background(), func(context.Context) error {
		accepted, err := p.SubmitBatch(make5())
		if accepted != 3 {
			t.Errorf("%d were accepted", accepted)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "the submit inside", task.Wait(soon(t)), ErrDeadlock)
}

func make5() []func() {
	f := func() {}
	return []func(){f, f, f, f, f}
}

// All of a batch counts as open from its beginning, and what was not accepted no more after its end.
func TestAGroupWaitsForItsBatch(t *testing.T) {
	p := newPool(t, Workers(2), Capacity(4))
	outer := newGroup(t, p, context.Background())
	inner := newInner(t, outer, context.Background())
	for round := 0; round < 50; round++ {
		var ran int32
		fs := make([]func(context.Context) error, 30)
		for i := range fs {
			fs[i] = func(context.Context) error { atomic.AddInt32(&ran, 1); return nil }
		}
		if accepted, err := inner.SubmitBatch(fs); accepted != len(fs) || err != nil {
			t.Fatalf("%d, %v", accepted, err)
		}
		wants(t, "Wait", outer.Wait(soon(t)), nil)
		if ran != 30 {
			t.Fatalf("%d of 30 ran", ran)
		}
	}
}
