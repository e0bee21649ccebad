// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// A link carries the end of a context to one task: the task stands alone in a C group, which the end of the context cancels.
//
// States: unlinked (the context can't end) · linked · cut. The C group is released by the last of its two holders: the task, until
// it has ended, and the watch over the context, until it is stopped or has cancelled.
type link struct {
	group   *C.wp_group
	holders int32
	mu      sync.Mutex
	stop    func() bool // of the watch; nil before it is set
	isCut   bool
}

// giveLinked submits a job whose end must cut the link.
func (p *Pool) giveLinked(ctx context.Context, l *link, j job, task C.bridge_task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return p.give(ctx, j, task)
	}
	task.deadline = p.deadline(ctx)
	if code := C.bridge_group(p.c, nil, 0, C.WP_ON_ERROR_GO_ON, 0, &l.group); code != C.WP_OK {
		return Error(code)
	}
	l.holders = 2
	task.group = l.group
	if err := p.give(ctx, j, task); err != nil {
		C.wp_group_release(l.group)
		return err
	}
	l.watch(ctx)
	return nil
}

// watch comes behind the submit, so the task may have ended meanwhile.
func (l *link) watch(ctx context.Context) {
	stop := afterFunc(ctx, func() {
		if !endsByDeadline(ctx) {
			C.wp_group_cancel(l.group)
		}
		l.drop()
	})
	l.mu.Lock()
	isCut := l.isCut
	l.stop = stop
	l.mu.Unlock()
	if isCut && stop() {
		l.drop()
	}
}

// cut says that the task has ended.
func (l *link) cut() {
	if l.group == nil {
		return
	}
	l.mu.Lock()
	l.isCut = true
	stop := l.stop
	l.mu.Unlock()
	if stop != nil && stop() {
		l.drop()
	}
	l.drop()
}

func (l *link) drop() {
	if atomic.AddInt32(&l.holders, -1) == 0 {
		C.wp_group_release(l.group)
	}
}

// A deadline that the pool knows is its own affair: its timer ends the queued tasks, as expired and not as cancelled.
func endsByDeadline(ctx context.Context) bool {
	_, known := ctx.Deadline()
	return known && errors.Is(ctx.Err(), context.DeadlineExceeded)
}
