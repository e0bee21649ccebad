// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// A resultQueue is the wp_results behind Results. Its descriptor is waited for by Go's poller, as a socket's is.
type resultQueue struct {
	c       *C.wp_results
	file    *os.File // a duplicate of the descriptor, which is the library's
	conn    syscall.RawConn
	records [C.BRIDGE_RECORDS]C.bridge_record
}

func newResultQueue(capacity uint32) (*resultQueue, error) {
	q := &resultQueue{}
	if code := C.bridge_results(C.uint32_t(capacity), &q.c); code != C.WP_OK {
		return nil, Error(code)
	}
	runtime.SetFinalizer(q, func(q *resultQueue) { C.wp_results_release(q.c) })
	fd := C.wp_results_fd(q.c)
	if fd < 0 {
		return nil, Error(fd)
	}
	own, err := duplicate(int(fd))
	if err != nil {
		return nil, err
	}
	q.file = os.NewFile(uintptr(own), "workerpool results")
	// Fails where the poller does not take the descriptor, whose readers would then block.
	if err = q.file.SetReadDeadline(time.Time{}); err == nil {
		q.conn, err = q.file.SyscallConn()
	}
	if err != nil {
		q.file.Close()
		return nil, err
	}
	return q, nil
}

func duplicate(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	own, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(own)
	}
	return own, os.NewSyscallError("dup", err)
}

// task is what a task must say to have its record here.
func (q *resultQueue) task(key uintptr) C.bridge_task {
	return C.bridge_task{results: q.c, user_data: C.uint64_t(key)}
}

// next waits for records; false: nothing more will come. The poller waits for edges, so it is asked only when nothing was there.
func (q *resultQueue) next() ([]C.bridge_record, bool) {
	var got C.size_t
	var code C.int
	err := q.conn.Read(func(uintptr) bool {
		code = C.bridge_drain(q.c, &q.records[0], C.size_t(len(q.records)), &got)
		return code != C.WP_ETIMEDOUT
	})
	runtime.KeepAlive(q)
	if err != nil || code != C.WP_OK {
		q.file.Close()
		return nil, false
	}
	return q.records[:got], true
}

func (q *resultQueue) close() {
	C.wp_results_close(q.c)
	runtime.KeepAlive(q)
}
