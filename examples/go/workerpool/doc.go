// SPDX-License-Identifier: MIT

// Package workerpool runs Go functions on a bounded pool of threads: libworkerpool, through cgo.
//
//	pool, err := workerpool.New(workerpool.Workers(4), workerpool.Capacity(100))
//	err = pool.Submit(func() { … })              // waits while the queue is full
//	err = pool.TrySubmit(func() { … })           // ErrFull instead
//	task, err := pool.SubmitContext(ctx, func(ctx context.Context) error { … })
//	err = task.Wait(ctx)                         // what it returned, or why it never ran
//	err = pool.Shutdown(ctx)                     // everything accepted has run
//
// Many tasks are waited for, and cancelled, together by a Group, which may stand in another; their values come back through a channel by Results.
//
// # Waiting
//
// No call here blocks a thread: a goroutine that waits for room, for a task, a group, results or a shutdown is parked, as on a
// channel, and the wait ends with its context. A task, however, occupies one of the pool's threads until it returns, whatever it waits
// for meanwhile. That is what the pool is for: as many at once as it has workers.
//
// Inside a task nothing waits for the task's own pool (all workers might): Submit and its kin say ErrDeadlock when the queue is full,
// Shutdown says so always, and Group.Wait runs that group's queued tasks itself and says so when others of them still run.
// That is known of the task's own goroutine; one that the task starts is a stranger to the pool.
//
// # Failing
//
// A task fails by returning an error or by a panic, which comes out as that task's *PanicError and harms nobody else. A task must
// not call runtime.Goexit (as testing.T.FailNow does): on a thread that is not Go's the Go runtime ends the process for it.
//
// # Contexts
//
// When the context of SubmitContext or NewGroup ends, queued tasks end at once and never run; running ones see it by the context that
// they are given, which also ends when a sibling failed (CancelOnError) and when ShutdownNow is called.
package workerpool
