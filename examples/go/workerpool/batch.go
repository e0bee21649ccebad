// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
)

// SubmitBatch hands functions to the pool in their order, as a Submit for each would, by fewer calls into C. While the queue is full it
// waits for room. accepted tells how many were accepted, which are the first so many; err, why the next one was not.
func (p *Pool) SubmitBatch(fs []func()) (accepted int, err error) {
	for _, f := range fs {
		if f == nil {
			return 0, ErrInvalid
		}
	}
	return p.giveAll(context.Background(), len(fs), func(i int) job { return plain(fs[i]) }, C.bridge_task{})
}

// SubmitBatch hands functions to the pool in their order, as a Submit for each would, by fewer calls into C. What it returns,
// Pool.SubmitBatch tells.
func (g *Group) SubmitBatch(fs []func(context.Context) error) (accepted int, err error) {
	defer runtime.KeepAlive(g)
	for _, f := range fs {
		if f == nil {
			return 0, ErrInvalid
		}
	}
	if err := g.ctx.Err(); err != nil {
		return 0, err
	}
	g.begin(len(fs))
	task := C.bridge_task{group: g.link.group}
	accepted, err = g.pool.giveAll(g.ctx, len(fs), func(i int) job { return &groupTask{g, fs[i]} }, task)
	g.close(len(fs) - accepted)
	return accepted, err
}

// giveAll submits jobs as give does with one, and waits for room until ctx ends. Those that were not accepted get no call.
func (p *Pool) giveAll(ctx context.Context, count int, at func(i int) job, like C.bridge_task) (accepted int, err error) {
	defer runtime.KeepAlive(p)
	var next [C.BRIDGE_BATCH]C.bridge_task
	made := 0 // of next: those that have a job, and were not accepted yet
	for accepted < count && err == nil {
		for ; made < len(next) && accepted+made < count; made++ {
			next[made] = like
			next[made].job = C.uintptr_t(jobs.put(opened{p, at(accepted + made)}))
		}
		var taken C.size_t
		code := C.bridge_submit_batch(p.c, &next[0], C.size_t(made), &taken)
		if code != C.WP_EFULL {
			err = failure(code)
		} else if err = p.giveWhenRoom(ctx, next[taken]); err == nil {
			taken++
		}
		accepted += int(taken)
		made = copy(next[:], next[taken:made])
	}
	for _, refused := range next[:made] {
		jobs.take(uintptr(refused.job))
	}
	return accepted, err
}
