// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
)

// An Error is a code of workerpool.h: why a call was refused (then nothing was accepted), or, for the ErrTask ones, why an accepted
// task never ran. Compare with errors.Is.
//
// ErrCancelled and ErrTaskCancelled are also context.Canceled to errors.Is, and ErrTaskExpired is context.DeadlineExceeded.
type Error int

const (
	ErrInvalid      Error = C.WP_EINVAL     // an argument is wrong
	ErrNoMemory     Error = C.WP_ENOMEM     // the system has no memory for this
	ErrThread       Error = C.WP_ETHREAD    // the system would not start a thread
	ErrFull         Error = C.WP_EFULL      // TrySubmit: the queue is full
	ErrClosed       Error = C.WP_ECLOSED    // the pool has been shut down, or the Results closed
	ErrDeadlock     Error = C.WP_EDEADLK    // a task would have to wait for its own pool
	ErrForked       Error = C.WP_EFORKED    // this is the child of a fork
	ErrFault        Error = C.WP_EPANIC     // a fault of the library itself
	ErrNotSupported Error = C.WP_ENOTSUP    // the library is older than its header
	ErrCancelled    Error = C.WP_ECANCELLED // the group has been cancelled

	ErrTaskCancelled Error = C.WP_FATE_CANCELLED // its context, or its group, was cancelled before it started
	ErrTaskExpired   Error = C.WP_FATE_EXPIRED   // its context's deadline passed before it started
	ErrTaskDiscarded Error = C.WP_FATE_DISCARDED // ShutdownNow came first
)

func (e Error) Error() string {
	switch e {
	case ErrTaskCancelled:
		return "workerpool: the task never ran: it was cancelled"
	case ErrTaskExpired:
		return "workerpool: the task never ran: its deadline passed"
	case ErrTaskDiscarded:
		return "workerpool: the task never ran: the pool was shut down"
	}
	return "workerpool: " + C.GoString(C.wp_strerror(C.int(e)))
}

func (e Error) Is(target error) bool {
	switch e {
	case ErrCancelled, ErrTaskCancelled:
		return target == context.Canceled
	case ErrTaskExpired:
		return target == context.DeadlineExceeded
	}
	return false
}

func failure(code C.int) error {
	if code == C.WP_OK {
		return nil
	}
	return Error(code)
}

// A PanicError is the failure of a task that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where, as debug.Stack tells it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: a task panicked: %v", e.Value)
}

// Unwrap returns the value that it panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A ShutdownError says that the shutdown was not over when its context ended, and what was left.
type ShutdownError struct {
	Queued, Running uint64
	Cause           error // the context's
}

func (e *ShutdownError) Error() string {
	return fmt.Sprintf("workerpool: not shut down yet, %d tasks queued and %d running: %v", e.Queued, e.Running, e.Cause)
}

func (e *ShutdownError) Unwrap() error { return e.Cause }
