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
	parent *Group // nil: it stands in none
	given  context.Context
	ctx    context.Context // what tasks are given: it ends with that one, with Cancel, a failure, the group around, and ShutdownNow
	cancel context.CancelFunc
	unhook func() bool
	link   *link // apart, so that the watch over ctx does not keep the Group

	cancelOnError bool

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
	return p.newGroup(ctx, nil, opts)
}

// NewGroup makes a group that stands in g: what g's options, its context, Cancel, Wait and Err say of g's tasks they say of the new
// group's too, and not the other way round. With CancelOnError a failure cancels the groups that say so, each with all that stands in it.
func (g *Group) NewGroup(ctx context.Context, opts ...GroupOption) (*Group, error) {
	return g.pool.newGroup(ctx, g, opts)
}

func (p *Pool) newGroup(ctx context.Context, parent *Group, opts []GroupOption) (*Group, error) {
	var o groupOptions
	for _, option := range opts {
		option(&o)
	}
	g := &Group{pool: p, parent: parent, given: ctx, link: &link{holders: 2}, cancelOnError: o.onError == C.WP_ON_ERROR_CANCEL}
	above, around := p.life, (*C.wp_group)(nil)
	if parent != nil {
		above, around = parent.ctx, parent.link.group
	}
	code := C.bridge_group(p.c, around, p.deadline(ctx), o.onError, C.uint32_t(o.maxRunning), &g.link.group)
	if code != C.WP_OK {
		return nil, Error(code)
	}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.unhook = afterFunc(above, g.cancel)
	g.link.watch(ctx) // what else ends g.ctx (Cancel, a failure, the group around, the pool) ends the C group by itself
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
	g.begin(1)
	err := g.pool.give(wait, &groupTask{g, f}, C.bridge_task{group: g.link.group})
	if err != nil {
		g.close(1)
	}
	return err
}

type groupTask struct {
	group *Group
	f     func(context.Context) error
}

func (t *groupTask) run(p *Pool) error {
	g := t.group
	for at := g; at != nil; at = at.parent {
		if fate := p.tooLate(at.given); fate != 0 { // what else ends g.ctx comes behind its end in C
			t.end(fate)
			return nil
		}
	}
	err := p.call(func() error { return t.f(g.ctx) })
	if err != nil {
		g.note(func(at *Group) {
			if at.failed == nil {
				at.failed = err
			}
		})
		for at := g; at != nil; at = at.parent {
			if at.cancelOnError {
				at.Cancel() // here, not by the status: what ends with the context makes room for what is queued
			}
		}
	}
	g.close(1)
	return err
}

func (t *groupTask) end(fate Error) {
	t.group.note(func(at *Group) {
		if at.missed == nil {
			at.missed = fate
		}
	})
	t.group.close(1)
}

// note writes down what became of a task, in all groups that it stands in before any of them is told that it is over.
func (g *Group) note(what func(at *Group)) {
	for at := g; at != nil; at = at.parent {
		at.mu.Lock()
		what(at)
		at.mu.Unlock()
	}
}

// begin counts tasks up, before they are submitted.
func (g *Group) begin(count int) {
	for at := g; at != nil; at = at.parent {
		at.mu.Lock()
		at.open += count
		at.mu.Unlock()
	}
}

// close counts tasks down.
func (g *Group) close(count int) {
	for at := g; at != nil; at = at.parent {
		at.mu.Lock()
		if at.open -= count; at.open == 0 && at.idle != nil {
			close(at.idle)
			at.idle = nil
		}
		at.mu.Unlock()
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
