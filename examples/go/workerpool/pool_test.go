// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A test that hangs is a failure long before go test's own limit, with a name.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newPool is shut down at the test's end; then nothing may be left in the tables.
func newPool(t *testing.T, opts ...Option) *Pool {
	t.Helper()
	p, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(soon(t)); err != nil {
			t.Error("Shutdown:", err)
		}
		s := p.Stats()
		if !s.Exact || s.Accepted != s.Ran+s.Cancelled+s.Expired+s.Discarded {
			t.Errorf("the fates don't add up: %+v", s)
		}
		if s.Waits != 0 {
			t.Errorf("%d submits waited inside C", s.Waits)
		}
		if jobs.size() != 0 || waiters.size() != 0 {
			t.Errorf("%d jobs and %d waiters are left", jobs.size(), waiters.size())
		}
	})
	return p
}

// busy keeps all workers of a pool busy until the returned function is called (or the test ends).
func busy(t *testing.T, p *Pool) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	var once sync.Once
	release = func() { once.Do(func() { close(gate) }) }
	t.Cleanup(release)
	workers := int(p.Stats().Workers)
	started := make(chan struct{}, workers)
	for i := 0; i < workers; i++ {
		if err := p.Submit(func() { started <- struct{}{}; <-gate }); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < workers; i++ {
		<-started
	}
	return release
}

// fill puts tasks into the queue until it is full, and returns how many.
func fill(t *testing.T, p *Pool) int {
	t.Helper()
	for n := 0; ; n++ {
		switch err := p.TrySubmit(func() {}); err {
		case nil:
		case ErrFull:
			return n
		default:
			t.Fatal(err)
		}
	}
}

// until waits for something that no channel tells, such as a goroutine's having begun to wait.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for ctx := soon(t); !holds(); runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatal("never so: " + what)
		}
	}
}

func wants(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, and not %v", what, err, target)
	}
}

func TestVersionIsTheHeaders(t *testing.T) {
	if Version() != headerVersion {
		t.Errorf("library %d, header %d", Version(), headerVersion)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, option := range []Option{Workers(1 << 20), Capacity(1 << 30), StackSize(1)} {
		_, err := New(option)
		wants(t, "New", err, ErrInvalid)
	}
	if pools.size() != 0 {
		t.Error("a refused pool is kept")
	}
}

func TestEverythingAcceptedRuns(t *testing.T) {
	p := newPool(t, Workers(3), Capacity(8), Name("go"))
	var ran int32
	for i := 0; i < 1000; i++ {
		if err := p.Submit(func() { atomic.AddInt32(&ran, 1) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Shutdown(soon(t)); err != nil {
		t.Fatal(err)
	}
	if ran != 1000 {
		t.Errorf("%d of 1000 ran", ran)
	}
	wants(t, "Submit after Shutdown", p.Submit(func() {}), ErrClosed)
	wants(t, "TrySubmit after Shutdown", p.TrySubmit(func() {}), ErrClosed)
	wants(t, "Shutdown again", p.Shutdown(soon(t)), nil)
	wants(t, "Submit(nil)", p.Submit(nil), ErrInvalid)
}

func TestTheBoundIsExact(t *testing.T) {
	p := newPool(t, Workers(2), Capacity(5))
	release := busy(t, p)
	if n := fill(t, p); n != 5 {
		t.Errorf("%d fit in a queue of 5", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	refused := make(chan error)
	go func() {
		_, err := p.SubmitContext(ctx, func(context.Context) error { return nil })
		refused <- err
	}()
	before := p.Stats().Refused
	until(t, "it waits", func() bool { return waiters.size() == 1 })
	cancel()
	wants(t, "cancelled while it waited", <-refused, context.Canceled)
	if p.Stats().Accepted != 7 || before == 0 {
		t.Errorf("a refused submit was accepted: %+v", p.Stats())
	}
	release()
}

func TestWaitingForRoomBlocksNoThread(t *testing.T) {
	const many = 300
	p := newPool(t, Workers(1), Capacity(1))
	release := busy(t, p)
	fill(t, p)
	before := threads(t)
	var ran int32
	var submitters sync.WaitGroup
	for i := 0; i < many; i++ {
		submitters.Add(1)
		go func() {
			defer submitters.Done()
			if err := p.Submit(func() { atomic.AddInt32(&ran, 1) }); err != nil {
				t.Error(err)
			}
		}()
	}
	until(t, "all wait", func() bool { return waiters.size() == many })
	if more := threads(t) - before; more > many/10 {
		t.Errorf("%d goroutines that wait for room took %d threads", many, more)
	}
	release()
	submitters.Wait()
	if err := p.Shutdown(soon(t)); err != nil || ran != many {
		t.Errorf("%d of %d ran; %v", ran, many, err)
	}
}

// The library may still be in the call that let one submit in while the same goroutine waits again, in the same memory as a rule: that
// call is over and done with, and the end of a context must not wait for what it seems to bring.
func TestTheEndOfAContextIsNotTakenForLateBehindAnotherWait(t *testing.T) {
	told, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	afterRoom = func() { once.Do(func() { close(told); <-held }) }
	t.Cleanup(func() { afterRoom = func() {} }) // the pool is shut down by then
	p := newPool(t, Workers(1), Capacity(1))
	release := busy(t, p)
	gate := make(chan struct{})
	if err := p.Submit(func() { <-gate }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan error, 2)
	go func() {
		runtime.LockOSThread() // a thread of C is given the memory that it gave back last
		returned <- p.Submit(func() {})
		_, err := p.SubmitContext(ctx, func(context.Context) error { return nil })
		returned <- err
	}()
	until(t, "it waits", isParked)
	release()
	<-told
	wants(t, "the first submit", <-returned, nil)
	until(t, "it waits again", isParked)
	cancel()
	until(t, "it has heard of that", func() bool { return !isParked() })
	close(held)
	select {
	case err := <-returned: // though there is no room
		wants(t, "the second submit", err, context.Canceled)
	case <-soon(t).Done():
		t.Error("the second submit waits for room, and its context has ended")
	}
	close(gate)
}

// isParked: whether a goroutine waits for room, and the library knows.
func isParked() bool {
	stacks := make([]byte, 1<<20)
	return parked.Match(stacks[:runtime.Stack(stacks, true)])
}

var parked = regexp.MustCompile(`\[select.*\]:\n.*giveWhenRoom\(`)

func TestWaitersAreToldOfTheEnd(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(1))
	release := busy(t, p)
	fill(t, p)
	refused := make(chan error)
	go func() { refused <- p.Submit(func() {}) }()
	until(t, "it waits", func() bool { return waiters.size() == 1 })
	short, cancel := context.WithCancel(context.Background())
	cancel()
	err := p.Shutdown(short)
	wants(t, "Shutdown", err, context.Canceled)
	var left *ShutdownError
	if !errors.As(err, &left) || left.Queued != 1 || left.Running != 1 {
		t.Errorf("it says %v", err)
	}
	wants(t, "the submit that waited", <-refused, ErrClosed)
	release()
}

func TestInsideATaskNothingWaits(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(1))
	other := newPool(t, Workers(1), Capacity(1))
	done := make(chan struct{})
	err := p.Submit(func() {
		defer close(done)
		fill(t, p)
		wants(t, "Submit", p.Submit(func() {}), ErrDeadlock)
		wants(t, "TrySubmit", p.TrySubmit(func() {}), ErrFull)
		wants(t, "Shutdown", p.Shutdown(context.Background()), ErrDeadlock)
		wants(t, "ShutdownNow", p.ShutdownNow(context.Background()), ErrDeadlock)
		task, err := other.SubmitContext(context.Background(), func(context.Context) error { return nil })
		if err != nil {
			t.Error(err)
		} else {
			wants(t, "waiting for another pool's task", task.Wait(soon(t)), nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestShutdownNowDiscardsAndTells(t *testing.T) {
	p := newPool(t, Workers(1), Capacity(10))
	started := make(chan struct{})
	running, err := p.SubmitContext(context.Background(), func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	<-started
	queued, err := p.SubmitContext(context.Background(), func(context.Context) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ShutdownNow(soon(t)); err != nil {
		t.Fatal(err)
	}
	wants(t, "the running task", running.Err(), context.Canceled)
	wants(t, "the queued task", queued.Err(), ErrTaskDiscarded)
}

// A pool that was shut down is garbage like anything else.
func TestAPoolIsCollected(t *testing.T) {
	for i := 0; i < 20; i++ {
		p, err := New(Workers(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Shutdown(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	if pools.size() != 0 {
		t.Errorf("%d pools are kept", pools.size())
	}
	inside := new(int64) // reachable from the pool alone
	p, err := New(Workers(1), OnPanic(func(*PanicError) { *inside++ }))
	if err != nil {
		t.Fatal(err)
	}
	collected := make(chan struct{})
	runtime.SetFinalizer(inside, func(*int64) { close(collected) })
	if err := p.Shutdown(soon(t)); err != nil {
		t.Fatal(err)
	}
	p, inside = nil, nil
	until(t, "the pool is collected", func() bool {
		runtime.GC()
		select {
		case <-collected:
			return true
		default:
			return false
		}
	})
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc here:", err)
	}
	return len(tasks)
}
