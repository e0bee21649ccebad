// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"runtime/debug"
	"sync/atomic"
)

// A job is Go's part of an open task. Each accepted one gets exactly one of these calls, once.
type job interface {
	run(p *Pool) error
	end(fate Error) // it never ran
}

type opened struct {
	pool *Pool
	job  job
}

// The tasks that C has, and those that are being submitted.
var jobs table[opened]

//export workerpoolRun
func workerpoolRun(id C.uintptr_t) C.int {
	task := jobs.take(uintptr(id))
	if task.job.run(task.pool) != nil {
		return 1
	}
	return 0
}

//export workerpoolEnd
func workerpoolEnd(id C.uintptr_t, fate C.uint32_t) {
	task := jobs.take(uintptr(id))
	task.job.end(Error(fate))
}

//export workerpoolRoom
func workerpoolRoom(id C.uintptr_t, code C.int) {
	waiters.get(uintptr(id)) <- code
	afterRoom()
}

// Where a test holds the library between its word and the return of its call.
var afterRoom = func() {}

//export workerpoolStopped
func workerpoolStopped(id C.uintptr_t) {
	p := pools.get(uintptr(id))
	if atomic.AddInt32(&p.working, -1) == 0 {
		close(p.stopped)
	}
}

// call runs a task's function; a panic becomes its error.
func (p *Pool) call(f func() error) error {
	err, failed := protect(f)
	if failed != nil && p.onPanic != nil {
		// A handler that panics itself changes nothing for the worker either.
		_, _ = protect(func() error { p.onPanic(failed); return nil })
	}
	return err
}

func protect(f func() error) (err error, failed *PanicError) {
	returned := false
	defer func() {
		// A panic(nil) recovers as nil where the program's go.mod says go 1.20 or less.
		if value := recover(); !returned {
			failed = &PanicError{value, debug.Stack()}
			err = failed
		}
	}()
	err = f()
	returned = true
	return err, nil
}
