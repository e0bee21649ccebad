// SPDX-License-Identifier: MIT

package workerpool

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A Pool is a fixed number of threads and a queue of fixed size. All its methods may be called by any goroutine at any time, also
// after Shutdown. A pool lives until it has been shut down: who forgets that keeps its threads.
type Pool struct {
	c       *C.wp_pool
	id      uintptr // among pools
	onPanic func(*PanicError)

	// Ends when running tasks should stop: with ShutdownNow, and when the pool is over.
	life context.Context
	halt context.CancelFunc

	// Tasks that a worker had, and that were not called (tooLate).
	late struct{ cancelled, expired atomic.Uint64 }

	working int32         // workers that have not told their end
	stopped chan struct{} // closed by the last of them
	over    int32         // 1: no longer among pools
}

// The pools that have threads: what a thread hook finds its pool by.
var pools table[*Pool]

type options struct {
	name     string
	workers  uint32
	capacity uint32
	stack    uint64
	onPanic  func(*PanicError)
}

// An Option says how to make a pool.
type Option func(*options)

// Workers says how many threads run tasks. Without it: as many as the process may use at once.
func Workers(count uint32) Option { return func(o *options) { o.workers = count } }

// Capacity says how many tasks may be queued besides those that run, exactly. Without it: 1,024.
func Capacity(count uint32) Option { return func(o *options) { o.capacity = count } }

// Name is what the threads are called, with "-0", "-1" … behind it.
func Name(name string) Option { return func(o *options) { o.name = name } }

// StackSize is the C stack of each thread in bytes. Go code runs on stacks of Go's own; C code that tasks call runs on this one.
func StackSize(bytes uint64) Option { return func(o *options) { o.stack = bytes } }

// OnPanic is called with each panic of a task, on its thread, before the task counts as ended. Panics of functions that were given to
// Submit and TrySubmit are told here and in Stats.Failed, and nowhere else.
func OnPanic(f func(*PanicError)) Option { return func(o *options) { o.onPanic = f } }

// New makes a pool and starts its threads: all of them, or none and an error.
func New(opts ...Option) (*Pool, error) {
	var o options
	for _, option := range opts {
		option(&o)
	}
	var name *C.char
	if o.name != "" {
		name = C.CString(o.name)
		defer C.free(unsafe.Pointer(name))
	}
	p := &Pool{onPanic: o.onPanic, stopped: make(chan struct{})}
	p.life, p.halt = context.WithCancel(context.Background())
	p.id = pools.put(p)
	code := C.bridge_create(name, C.uint32_t(o.workers), C.uint32_t(o.capacity), C.uint64_t(o.stack), C.uintptr_t(p.id), &p.c)
	if code != C.WP_OK {
		pools.take(p.id)
		return nil, Error(code)
	}
	// No worker ends before a shutdown, and nobody else has the pool yet.
	atomic.AddInt32(&p.working, int32(p.Stats().Workers))
	// Only what was shut down is ever garbage (the table holds the others), so this does not wait.
	runtime.SetFinalizer(p, func(p *Pool) { C.wp_destroy(p.c) })
	return p, nil
}

// Shutdown closes the pool, waits until everything that it had accepted has run, and stops its threads. If ctx ends first, it returns a
// *ShutdownError that wraps the context's error; the pool is closed but valid, and Shutdown may be called again to go on waiting.
func (p *Pool) Shutdown(ctx context.Context) error {
	return p.shutdown(ctx, C.WP_SHUTDOWN_DRAIN, func() {})
}

// ShutdownNow discards what is queued (ErrTaskDiscarded) instead of running it, and ends the contexts of the running tasks. Otherwise
// it is Shutdown, and may follow one.
func (p *Pool) ShutdownNow(ctx context.Context) error {
	return p.shutdown(ctx, C.WP_SHUTDOWN_CANCEL, p.halt)
}

func (p *Pool) shutdown(ctx context.Context, mode C.uint32_t, begun func()) error {
	defer runtime.KeepAlive(p)
	if code := C.wp_shutdown_for(p.c, mode, 0, nil); code != C.WP_OK && code != C.WP_ETIMEDOUT {
		return Error(code)
	}
	begun()
	select {
	case <-p.stopped:
	default:
		select {
		case <-p.stopped:
		case <-ctx.Done():
			stats := p.Stats()
			return &ShutdownError{stats.Queued, stats.Running, ctx.Err()}
		}
	}
	// The workers' last callbacks are over: all that is waited for here is the exit of their threads.
	code := C.wp_shutdown(p.c)
	if code == C.WP_OK && atomic.CompareAndSwapInt32(&p.over, 0, 1) {
		pools.take(p.id)
		p.halt()
	}
	return failure(code)
}

// Version is the library's, as major * 1,000,000 + minor * 1,000 + patch.
func Version() uint32 { return uint32(C.wp_version_number()) }

// The version of the header that this was compiled with.
const headerVersion = C.WP_VERSION_NUMBER
