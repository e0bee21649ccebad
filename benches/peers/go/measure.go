// SPDX-License-Identifier: MIT
//
// The instruments of measure.h, in Go.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname
)

func require(ok bool) {
	if !ok {
		panic("something that must be so is not")
	}
}

var began = time.Now()

// now returns nanoseconds of a clock that never goes back.
func now() int64 { return int64(time.Since(began)) }

// Tasks that have run, counted for each processor of Go's scheduler on a cache line of its own, like the counters for
// each thread in the driver in C. Between procPin and procUnpin nobody else is on that processor, so a plain addition
// loses nothing; an atomic one would cost more than what is measured.
var counters [256]struct {
	ran uint64
	_   [120]byte
}

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

func countTask() {
	counters[procPin()].ran++
	procUnpin()
}

func tasksRan() uint64 {
	var sum uint64
	for i := range counters {
		sum += atomic.LoadUint64(&counters[i].ran)
	}
	return sum
}

// waitTasksRan returns the time when so many had run since the program began. It gives way to the workers as long as they
// have anything to do. (Sleeping would hold one of the scheduler's processors, or last until the next millisecond.)
func waitTasksRan(target uint64) int64 {
	const aMoment = 500
	for {
		ran, now := tasksRan(), now()
		if ran >= target {
			require(ran == target)
			return now
		}
		burn(aMoment)
		runtime.Gosched()
	}
}

var burnt uint64

// burn is the busy work of the driver in C.
func burn(steps uint64) {
	x := steps
	for range steps {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x == 1 {
		burnt = x
	}
}

func stepsFor(ns int64) uint64 {
	const steps, tries = 400_000, 5
	best := int64(1 << 62)
	for range tries {
		begin := now()
		burn(steps)
		best = min(best, now()-begin)
	}
	return uint64(ns * steps / best)
}

type usage struct{ cpuNs, switches int64 }

func usageNow() usage {
	var r syscall.Rusage
	require(syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil)
	return usage{r.Utime.Nano() + r.Stime.Nano(), r.Nvcsw + r.Nivcsw}
}

func usageSince(before usage) usage {
	now := usageNow()
	return usage{now.cpuNs - before.cpuNs, now.switches - before.switches}
}

func residentBytes() int64 {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	require(err == nil)
	_, text, found := bytes.Cut(text, []byte("Rss:"))
	require(found)
	var kib int64
	_, err = fmt.Fscan(bytes.NewReader(text), &kib)
	require(err == nil)
	return kib * 1024
}
