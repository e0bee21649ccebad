// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
)

// A Group is a scope over tasks of one pool: they are waited for and cancelled together, and some of them at once may run.
type Group struct {
	pool   *Pool
	ctx    context.Context
	cancel context.CancelFunc
	onFail func()
	unhook func() bool
	link   *link // apart, so that the watch over ctx does not keep the Group

	mu     sync.Mutex
	open   int // tasks that have not ended, and submits under way
	idle   chan struct{}
	failed error // of the first task that failed
	missed error // why the first task that never ran did not
}

type groupOptions struct {
	onError    C.uint32_t
	maxRunning uint32
}

// A GroupOption says how to make a group.
type GroupOption func(*groupOptions)

// CancelOnError has the first task that fails cancel the group.
func CancelOnError() GroupOption {
	return func(o *groupOptions) { o.onError = C.WP_ON_ERROR_CANCEL }
}

// MaxRunning says how many of the group's tasks may run at once; 1 makes it a queue that runs them in order, one by one.
func MaxRunning(count uint32) GroupOption { return func(o *groupOptions) { o.maxRunning = count } }

// NewGroup makes a group. When ctx ends, the group's queued tasks end at once and never run, and the context that its running tasks
// are given ends too.
func (p *Pool) NewGroup(ctx context.Context, opts ...GroupOption) (*Group, error) {
	var o groupOptions
	for _, option := range opts {
		option(&o)
	}
	g := &Group{pool: p, link: &link{holders: 2}, onFail: func() {}}
	code := C.bridge_group(p.c, p.deadline(ctx), o.onError, C.uint32_t(o.maxRunning), &g.link.group)
	if code != C.WP_OK {
		return nil, Error(code)
	}
	g.ctx, g.cancel = context.WithCancel(ctx)
	if o.onError == C.WP_ON_ERROR_CANCEL {
		g.onFail = g.cancel
	}
	g.unhook = afterFunc(p.life, g.cancel)
	g.link.watch(g.ctx)
	// Open tasks keep their Group, so this comes behind the last of them.
	runtime.SetFinalizer(g, func(g *Group) {
		g.unhook()
		g.link.cut()
		g.cancel()
	})
	return g, nil
}

// Submit hands f to the pool as a task of the group. It waits for room while the queue is full and the group's context has not ended.
// On an error nothing was accepted: the context's, if that has ended.
func (g *Group) Submit(f func(context.Context) error) error { return g.give(g.ctx, f) }

// TrySubmit is Submit that never waits: ErrFull when the queue is full.
func (g *Group) TrySubmit(f func(context.Context) error) error { return g.give(nil, f) }

func (g *Group) give(wait context.Context, f func(context.Context) error) error {
	defer runtime.KeepAlive(g)
	if f == nil {
		return ErrInvalid
	}
	if err := g.ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	g.open++
	g.mu.Unlock()
	err := g.pool.give(wait, &groupTask{g, f}, C.bridge_task{group: g.link.group})
	if err != nil {
		g.close(func() {})
	}
	return err
}

type groupTask struct {
	group *Group
	f     func(context.Context) error
}

func (t *groupTask) run(p *Pool) error {
	g := t.group
	err := p.call(func() error { return t.f(g.ctx) })
	if err != nil {
		g.onFail()
	}
	g.close(func() {
		if g.failed == nil {
			g.failed = err
		}
	})
	return err
}

func (t *groupTask) end(fate Error) {
	g := t.group
	g.close(func() {
		if g.missed == nil {
			g.missed = fate
		}
	})
}

// close counts a task down; `note` runs under the lock before.
func (g *Group) close(note func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	note()
	if g.open--; g.open == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

// Cancel ends the group for good: what is queued never runs, and when it returns has ended. The tasks that run see it by their context.
func (g *Group) Cancel() {
	defer runtime.KeepAlive(g)
	C.wp_group_cancel(g.link.group)
	g.cancel()
}

// Wait waits until the group has nothing to do, and returns its Err; or ctx's error, if that ends first. Then nothing that was
// submitted before runs any more. Inside a task of the pool it runs the group's queued tasks itself, and says ErrDeadlock when others
// of them still run.
func (g *Group) Wait(ctx context.Context) error {
	defer runtime.KeepAlive(g)
	if g.pool.isInside() {
		if code := C.wp_group_wait(g.link.group, C.WP_FOREVER); code != C.WP_OK {
			return Error(code)
		}
		return g.Err()
	}
	g.mu.Lock()
	if g.open == 0 {
		g.mu.Unlock()
		return g.Err()
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return g.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Err returns the error of the first task that failed; if none did, the ErrTask… of the first that never ran; else nil.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return g.failed
	}
	return g.missed
}
