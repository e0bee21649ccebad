// SPDX-License-Identifier: MIT
//
// What life.c does, in Go.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func measureLife(peer traits, o *options) string {
	var ran atomic.Uint64
	task := func() { ran.Add(1) }
	lives, begin, took := 0, now(), int64(0)
	for took < int64(o.ms)*1_000_000 {
		ran.Store(0)
		p := peer.create(int(o.workers), int(o.capacity))
		for range o.tasks {
			p.submit(task)
		}
		p.destroy()
		require(ran.Load() == o.tasks)
		lives++
		took = now() - begin
	}
	record("us", float64(took)/float64(lives)/1000)
	return ""
}

// residentWhenFilled is the process's resident bytes while all workers are held and `tasks` tasks wait behind them.
func residentWhenFilled(peer traits, o *options, tasks uint64) int64 {
	var gate sync.WaitGroup
	gate.Add(1)
	var held atomic.Uint64
	hold := func() {
		held.Add(1)
		gate.Wait()
		countTask()
	}
	task := work(0)
	count := tasks + o.workers
	target := tasksRan() + count
	p := peer.create(int(o.workers), int(tasks))
	for range o.workers {
		p.submit(hold)
	}
	for held.Load() < o.workers {
		runtime.Gosched()
	}
	for range tasks {
		p.submit(task)
	}
	bytes := residentBytes()
	gate.Done()
	waitTasksRan(target)
	p.destroy()
	return bytes
}

func measureMemory(peer traits, o *options) string {
	if !peer.queues {
		return "has no queue"
	}
	const few = 1000
	before := residentWhenFilled(peer, o, few)
	after := residentWhenFilled(peer, o, few+o.tasks)
	record("bytes", float64(after-before)/float64(o.tasks))
	return ""
}

func measureIdle(peer traits, o *options) string {
	const some, calmNs = 100, 50_000_000
	p := peer.create(int(o.workers), int(o.capacity))
	task := work(0)
	for range some {
		p.submit(task)
	}
	waitTasksRan(some)
	time.Sleep(calmNs)
	before := usageNow()
	time.Sleep(time.Duration(o.ms) * time.Millisecond)
	used := usageSince(before)
	p.destroy()
	record("cpu_us", float64(used.cpuNs)/float64(o.ms))
	record("switches", float64(used.switches)*1000/float64(o.ms))
	return ""
}
