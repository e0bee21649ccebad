// SPDX-License-Identifier: MIT

//go:build !go1.21

package workerpool

import (
	"context"
	"sync/atomic"
)

// afterFunc is context.AfterFunc, which came with Go 1.21, at the price of a goroutine.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	var decided int32 // 1: f runs, or was stopped
	stopped := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			if atomic.CompareAndSwapInt32(&decided, 0, 1) {
				f()
			}
		case <-stopped:
		}
	}()
	return func() bool {
		if !atomic.CompareAndSwapInt32(&decided, 0, 1) {
			return false
		}
		close(stopped)
		return true
	}
}
