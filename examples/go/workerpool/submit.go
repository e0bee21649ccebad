// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"time"
)

// Submit hands f to the pool: some worker will call it once. While the queue is full it waits for room.
func (p *Pool) Submit(f func()) error {
	if f == nil {
		return ErrInvalid
	}
	return p.give(context.Background(), plain(f), C.bridge_task{})
}

// TrySubmit is Submit that never waits: ErrFull when the queue is full.
func (p *Pool) TrySubmit(f func()) error {
	if f == nil {
		return ErrInvalid
	}
	return p.give(nil, plain(f), C.bridge_task{})
}

type plain func()

func (f plain) run(p *Pool) error { return p.call(func() error { f(); return nil }) }
func (f plain) end(Error)         {}

// give submits a job, and waits for room until ctx ends; nil: not at all. On an error the job gets no call.
func (p *Pool) give(ctx context.Context, j job, task C.bridge_task) error {
	defer runtime.KeepAlive(p)
	id := jobs.put(opened{p, j})
	task.job = C.uintptr_t(id)
	code := C.bridge_submit(p.c, task)
	if code == C.WP_EFULL && ctx != nil {
		err := p.giveWhenRoom(ctx, task)
		if err != nil {
			jobs.take(id)
		}
		return err
	}
	if code != C.WP_OK {
		jobs.take(id)
	}
	return failure(code)
}

// The submitters that wait for room: where workerpoolRoom tells what came of it.
var waiters table[chan C.int]

// The goroutine is parked on a channel; the library calls bridge.c's `room` on the thread that made room, which submits at once, in the
// place that it was told of. So those that wait are let in in their order, without a race for the place.
func (p *Pool) giveWhenRoom(ctx context.Context, task C.bridge_task) error {
	told := make(chan C.int, 1)
	id := waiters.put(told)
	defer waiters.take(id)
	waiter := C.bridge_waiter_new(p.c, task, C.uintptr_t(id))
	if waiter == nil {
		return ErrNoMemory
	}
	defer C.bridge_waiter_free(waiter)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		code := C.bridge_when_room(waiter)
		if code != C.WP_OK {
			return Error(code)
		}
		select {
		case code = <-told:
		case <-ctx.Done():
			C.bridge_forget_room(waiter)
			select {
			case code = <-told: // it was quicker
			default:
				return ctx.Err()
			}
		}
		if code != C.WP_EFULL {
			return failure(code)
		}
	}
}

// deadline is ctx's on the pool's clock; 0: it has none.
func (p *Pool) deadline(ctx context.Context) C.uint64_t {
	at, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	now := C.wp_now(p.c)
	runtime.KeepAlive(p)
	if left := time.Until(at); left > 0 {
		return now + C.uint64_t(left)
	}
	return now
}
