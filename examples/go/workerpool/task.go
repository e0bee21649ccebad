// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// A Task is what SubmitContext has submitted.
type Task struct {
	pool *Pool
	f    func(context.Context) error
	ctx  context.Context
	link link

	mu    sync.Mutex
	ended bool
	err   error
	done  chan struct{} // made for the first who asks
}

// SubmitContext hands f to the pool, and waits for room while the queue is full and ctx has not ended. When ctx ends while the task is
// queued, the task ends at once and never runs (ErrTaskCancelled, ErrTaskExpired); when it runs, it sees that by the context it is
// given.
//
// An error means that nothing was accepted: ctx's own, if it ended first. What becomes of an accepted task, the Task tells.
func (p *Pool) SubmitContext(ctx context.Context, f func(context.Context) error) (*Task, error) {
	if f == nil {
		return nil, ErrInvalid
	}
	t := &Task{pool: p, f: f, ctx: ctx}
	if err := p.giveLinked(ctx, &t.link, t, C.bridge_task{}); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Task) run(p *Pool) error {
	if fate := p.tooLate(t.ctx); fate != 0 {
		t.end(fate)
		return nil
	}
	inside := &taskContext{pool: p, parent: t.ctx}
	err := p.call(func() error { return t.f(inside) })
	inside.end()
	t.finish(err)
	return err
}

func (t *Task) end(fate Error) { t.finish(fate) }

func (t *Task) finish(err error) {
	t.link.cut()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended, t.err, t.f = true, err, nil
	if t.done != nil {
		close(t.done)
	}
}

// Done returns a channel that is closed when the task has ended, whatever its fate.
func (t *Task) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil {
		t.done = make(chan struct{})
		if t.ended {
			close(t.done)
		}
	}
	return t.done
}

// Err returns what the task returned, its *PanicError, or the ErrTask… that says why it never ran; nil before its end.
func (t *Task) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Wait waits for the task's end and returns its Err, or ctx's error if that ends first. Inside a task of the same pool it says
// ErrDeadlock instead of waiting.
func (t *Task) Wait(ctx context.Context) error {
	done := t.Done()
	select {
	case <-done:
		return t.Err()
	default:
	}
	if t.pool.isInside() {
		return ErrDeadlock
	}
	select {
	case <-done:
		return t.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pool) isInside() bool {
	defer runtime.KeepAlive(p)
	return C.wp_is_inside(p.c) != 0
}
