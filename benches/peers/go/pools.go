// SPDX-License-Identifier: MIT
//
// The Go peers. A task is a func() that was made beforehand, so that none allocates for it.
package main

import (
	"sync"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
)

type pool interface {
	submit(task func())
	// destroy returns when all tasks have run.
	destroy()
}

// What a peer can do; see peer.h. All of them are bounded and can be ended.
type traits struct {
	create        func(workers, capacity int) pool
	module        string // "" for Go's own
	queues        bool
	submitsInTask bool
}

var peers = map[string]traits{
	"channel": {newChannelPool, "", true, true},
	"ants":    {newAntsPool, "github.com/panjf2000/ants/v2", false, false},
	"pond":    {newPondPool, "github.com/alitto/pond/v2", true, true},
}

// channelPool is the pool that Go's users write themselves: some goroutines that range over a buffered channel.
type channelPool struct {
	jobs    chan func()
	workers sync.WaitGroup
}

func newChannelPool(workers, capacity int) pool {
	p := &channelPool{jobs: make(chan func(), capacity)}
	for range workers {
		p.workers.Add(1)
		go func() {
			defer p.workers.Done()
			for job := range p.jobs {
				job()
			}
		}()
	}
	return p
}

func (p *channelPool) submit(task func()) { p.jobs <- task }

func (p *channelPool) destroy() {
	close(p.jobs)
	p.workers.Wait()
}

// antsPool has no queue: a submit waits until one of its goroutines is free.
type antsPool struct{ *ants.Pool }

func newAntsPool(workers, _ int) pool {
	p, err := ants.NewPool(workers)
	require(err == nil)
	return antsPool{p}
}

func (p antsPool) submit(task func()) { require(p.Submit(task) == nil) }

func (p antsPool) destroy() {
	// Release drops nothing, since nothing is queued, but it does not wait for what runs; ReleaseTimeout does.
	const enough = 10_000_000_000
	require(p.ReleaseTimeout(enough) == nil)
}

type pondPool struct{ pond.Pool }

func newPondPool(workers, capacity int) pool {
	return pondPool{pond.NewPool(workers, pond.WithQueueSize(capacity))}
}

func (p pondPool) submit(task func()) { require(p.Go(task) == nil) }

func (p pondPool) destroy() { p.StopAndWait() }
