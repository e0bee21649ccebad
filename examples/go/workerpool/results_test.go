// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"errors"
	"testing"
	"time"
)

func newResults(t *testing.T, p *Pool, capacity uint32) *Results[int] {
	t.Helper()
	r, err := NewResults[int](p, capacity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		for range r.C() {
		}
		if r.open.size() != 0 || len(r.places) != 0 {
			t.Errorf("%d results are left, %d places", r.open.size(), len(r.places))
		}
	})
	return r
}

func TestResultsComeThroughAChannel(t *testing.T) {
	p := newPool(t, Workers(2), Capacity(3))
	r := newResults(t, p, 7)
	go func() {
		defer r.Close()
		for i := 0; i < 1000; i++ {
			i := i
			err := r.Submit(context.Background(), func(context.Context) (int, error) {
				switch i % 100 {
				case 50:
					return 0, errors.New("a reason")
				case 75:
					panic("on purpose")
				}
				return i, nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	sum, failed, panicked := 0, 0, 0
	for result := range r.C() {
		sum += result.Value
		var e *PanicError
		if errors.As(result.Err, &e) {
			panicked++
		} else if result.Err != nil {
			failed++
		}
	}
	if sum != 999*1000/2-10*(50+450)-10*(75+450) || failed != 10 || panicked != 10 {
		t.Errorf("%d, %d failed, %d panicked", sum, failed, panicked)
	}
	wants(t, "Submit after Close", r.Submit(context.Background(), func(context.Context) (int, error) { return 0, nil }), ErrClosed)
}

func TestASlowReaderHoldsSubmittersBack(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(100))
	r := newResults(t, p, 3)
	one := func(context.Context) (int, error) { return 1, nil }
	for i := 0; i < 3; i++ {
		if err := r.Submit(context.Background(), one); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all have run", func() bool { s := p.Stats(); return s.Ran == 3 && s.Exact })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	wants(t, "a fourth", r.Submit(ctx, one), context.DeadlineExceeded)
	inside := make(chan error, 1)
	if err := p.Submit(func() { inside <- r.Submit(context.Background(), one) }); err != nil {
		t.Fatal(err)
	}
	wants(t, "a fourth, inside a task", <-inside, ErrDeadlock)
	waits := make(chan error)
	go func() { waits <- r.Submit(context.Background(), one) }()
	if got := <-r.C(); got.Value != 1 || got.Err != nil {
		t.Errorf("%+v", got)
	}
	wants(t, "a fourth, when there is a place", <-waits, nil)
}

func TestResultsTellEveryFate(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(10))
	r := newResults(t, p, 10)
	started := make(chan struct{})
	cancelled, cancel := context.WithCancel(context.Background())
	late, cancelLate := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancelLate()
	submit := func(ctx context.Context, f func(context.Context) (int, error)) {
		t.Helper()
		if err := r.Submit(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	never := func(context.Context) (int, error) { t.Error("it ran"); return 0, nil }
	submit(context.Background(), func(ctx context.Context) (int, error) { close(started); <-ctx.Done(); return 5, ctx.Err() })
	<-started
	submit(cancelled, never)
	cancel()
	wants(t, "cancelled", (<-r.C()).Err, ErrTaskCancelled)
	submit(late, never)
	wants(t, "late", (<-r.C()).Err, ErrTaskExpired)
	submit(context.Background(), never)
	if err := p.ShutdownNow(soon(t)); err != nil {
		t.Fatal(err)
	}
	got := map[bool]Result[int]{}
	for i := 0; i < 2; i++ {
		result := <-r.C()
		got[errors.Is(result.Err, ErrTaskDiscarded)] = result
	}
	if len(got) != 2 || got[false].Value != 5 || got[false].Running == 0 {
		t.Errorf("%+v", got)
	}
	wants(t, "the running one", got[false].Err, context.Canceled)
}
