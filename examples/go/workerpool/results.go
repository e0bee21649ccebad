// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// A Result is what became of one task.
type Result[T any] struct {
	Value   T
	Err     error         // what it returned, its *PanicError, or the ErrTask… that says why it never ran
	Queued  time.Duration // until it began, or was discarded
	Running time.Duration
}

// Results brings the values of tasks back through a channel, in the order in which the tasks ended. Each task has its place in it from
// its submit until its result is received: a worker never waits for the reader, and a slow reader holds the submitters back.
//
// One goroutine serves it, until Close was called and everything has been received.
type Results[T any] struct {
	pool    *Pool
	queue   *resultQueue
	places  chan struct{} // one for each task that has its place
	out     chan Result[T]
	open    table[*resultTask[T]]
	closed  chan struct{}
	closing sync.Once
}

// NewResults makes Results with places for so many tasks; 0: 1,024.
func NewResults[T any](p *Pool, capacity uint32) (*Results[T], error) {
	if capacity == 0 {
		capacity = C.WP_CAPACITY_DEFAULT
	}
	queue, err := newResultQueue(capacity)
	if err != nil {
		return nil, err
	}
	r := &Results[T]{
		pool: p, queue: queue,
		places: make(chan struct{}, capacity), out: make(chan Result[T]), closed: make(chan struct{}),
	}
	go r.pump()
	return r, nil
}

// Submit hands f to the pool, and waits for a place and for room while ctx has not ended. What ctx does otherwise, SubmitContext tells.
// Inside a task of the pool: ErrDeadlock instead of waiting.
func (r *Results[T]) Submit(ctx context.Context, f func(context.Context) (T, error)) error {
	if f == nil {
		return ErrInvalid
	}
	if err := r.reserve(ctx); err != nil {
		return err
	}
	task := &resultTask[T]{ctx: ctx, f: f}
	key := r.open.put(task)
	err := r.pool.giveLinked(ctx, &task.link, task, r.queue.task(key))
	runtime.KeepAlive(r.queue)
	if err != nil {
		r.open.take(key)
		<-r.places
	}
	return err
}

func (r *Results[T]) reserve(ctx context.Context) error {
	select {
	case r.places <- struct{}{}:
		return nil
	default:
	}
	if r.pool.isInside() {
		return ErrDeadlock
	}
	select {
	case r.places <- struct{}{}:
		return nil
	case <-r.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// C is where the results come out. It is closed when Close was called and the last result has been received.
func (r *Results[T]) C() <-chan Result[T] { return r.out }

// Close says that nothing will be submitted any more: Submit returns ErrClosed. What was accepted still brings its results.
func (r *Results[T]) Close() {
	r.closing.Do(func() {
		close(r.closed)
		r.queue.close()
	})
}

func (r *Results[T]) pump() {
	defer close(r.out)
	for {
		records, ok := r.queue.next()
		if !ok {
			return
		}
		for _, record := range records {
			task := r.open.take(uintptr(record.user_data))
			result := Result[T]{
				Value: task.value, Err: task.err,
				Queued: time.Duration(record.queued_ns), Running: time.Duration(record.running_ns),
			}
			r.out <- result
			<-r.places
		}
	}
}

type resultTask[T any] struct {
	ctx   context.Context
	f     func(context.Context) (T, error)
	link  link
	value T
	err   error
}

func (t *resultTask[T]) run(p *Pool) error {
	if fate := p.tooLate(t.ctx); fate != 0 {
		t.end(fate)
		return nil
	}
	inside := &taskContext{pool: p, parent: t.ctx}
	t.err = p.call(func() (err error) {
		t.value, err = t.f(inside)
		return err
	})
	inside.end()
	t.link.cut()
	return t.err
}

func (t *resultTask[T]) end(fate Error) {
	t.err = fate
	t.link.cut()
}
