// SPDX-License-Identifier: MIT
//
// What throughput.c and tasks.c do, in Go.
package main

import (
	"runtime"
	"sync"
	"time"
)

// flow is what the producers share. `bound` has no meaning here: all these pools are bounded.
type flow struct {
	pool           pool
	options        *options
	task, longTask func()
}

func work(steps uint64) func() {
	return func() {
		burn(steps)
		countTask()
	}
}

func (f *flow) produce(count uint64) {
	every := f.options.every
	untilLong := every
	for range count {
		task := f.task
		if untilLong != 0 {
			if untilLong--; untilLong == 0 {
				untilLong = every
				task = f.longTask
			}
		}
		f.pool.submit(task)
	}
}

// through puts `count` tasks through, and returns how long that took.
func (f *flow) through(count uint64) int64 {
	n := f.options.producers
	require(n > 0 && count%n == 0)
	target := tasksRan() + count
	first := make([]int64, n)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			first[i] = now()
			f.produce(count / n)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	earliest := first[0]
	for _, begin := range first {
		earliest = min(earliest, begin)
	}
	return waitTasksRan(target) - earliest
}

// unitAlone is the mean time of a task when one goroutine does nothing else.
func (f *flow) unitAlone() float64 {
	const atLeastNs = 5_000_000
	begin, took, count := now(), int64(0), uint64(0)
	every := f.options.every
	for took < atLeastNs || (every != 0 && count%every != 0) {
		count++
		if every != 0 && count%every == 0 {
			f.longTask()
		} else {
			f.task()
		}
		took = now() - begin
	}
	return float64(took) / float64(count)
}

func roundUp(count, step uint64) uint64 { return (count + step - 1) / step * step }

func measureThroughput(peer traits, o *options) string {
	if o.end != 0 {
		return "tells no end"
	}
	f := flow{
		pool: peer.create(int(o.workers), int(o.capacity)), options: o,
		task: work(stepsFor(int64(o.unitNs))), longTask: work(stepsFor(int64(o.longNs))),
	}
	step := o.producers * max(o.batch, o.every, 1)
	meanNs := float64(o.unitNs)
	if o.every != 0 {
		meanNs += float64(o.longNs) / float64(o.every)
	}
	warm := roundUp(uint64(10e6/(meanNs+500)), step)
	warmNs := uint64(f.through(warm))
	count := roundUp(warm*(o.ms*1_000_000/1000)/(warmNs/1000+1), step)

	unitBefore := f.unitAlone()
	before := usageNow()
	took := f.through(count)
	used := usageSince(before)
	unit := (unitBefore + f.unitAlone()) / 2
	f.pool.destroy()

	n := float64(count)
	hands := min(o.workers, uint64(runtime.NumCPU()))
	record("tasks", n)
	record("ns", float64(took)/n)
	record("cpu_ns", float64(used.cpuNs)/n)
	record("switches", float64(used.switches)*1000/n)
	if o.unitNs != 0 {
		record("unit_ns", unit)
		record("ideal", 100*n*unit/float64(hands)/float64(took))
	}
	return ""
}

func measureBurst(peer traits, o *options) string {
	p := peer.create(int(o.workers), int(o.capacity))
	task := work(0)
	total, bursts, end := int64(0), int64(0), now()+int64(o.ms)*1_000_000
	for counts := false; now() < end || bursts == 0; counts = true {
		time.Sleep(time.Duration(o.gapNs))
		target, begin := tasksRan()+o.tasks, now()
		for range o.tasks {
			p.submit(task)
		}
		took := waitTasksRan(target) - begin
		if counts {
			total += took
			bursts++
		}
	}
	p.destroy()
	record("us", float64(total)/float64(bursts)/1000)
	return ""
}

func measureForkjoin(peer traits, o *options) string {
	if !peer.submitsInTask {
		return "a task cannot submit"
	}
	p := peer.create(int(o.workers), int(o.capacity))
	size := uint64(2) << o.depth
	nodes := make([]func(), size)
	for i := range size {
		nodes[i] = func() {
			if left := 2 * i; left < size {
				p.submit(nodes[left])
				p.submit(nodes[left+1])
			}
			countTask()
		}
	}
	total, trees, end := int64(0), int64(0), now()+int64(o.ms)*1_000_000
	for counts := false; now() < end || trees == 0; counts = true {
		target, begin := tasksRan()+size-1, now()
		p.submit(nodes[1])
		took := waitTasksRan(target) - begin
		if counts {
			total += took
			trees++
		}
	}
	p.destroy()
	record("ns", float64(total)/float64(trees)/float64(size-1))
	return ""
}
