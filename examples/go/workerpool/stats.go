// SPDX-License-Identifier: MIT

package workerpool

// #include "bridge.h"
import "C"

import (
	"runtime"
	"time"
)

// Stats is one snapshot of a pool's figures. In every snapshot
// Accepted = Ran + Cancelled + Expired + Discarded + Queued + Running.
type Stats struct {
	Workers, Capacity uint32
	Footprint         uint64 // bytes of C memory
	Exact             bool   // no task moved while this was read
	Closed            bool   // a shutdown has begun

	Accepted                                   uint64
	Ran, Failed, Cancelled, Expired, Discarded uint64 // Failed: of those that ran
	Queued, Running                            uint64
	PassedOver                                 uint64 // places of the queue whose task has ended, and that no worker has come to yet
	Refused                                    uint64 // submits that found no room; one that waits for it is refused first

	Waits    uint64 // waits inside C: a Go caller never does that
	WaitTime time.Duration
	Waiting  uint64
}

// Stats tells the pool's figures now. A task counts as running until its end was told: so a moment after its Wait it may do so still.
func (p *Pool) Stats() Stats {
	// Read before the figures, so that most of them are among those that ran; one that is not yet is left there until it is.
	cancelled, expired := p.late.cancelled.Load(), p.late.expired.Load()
	var s C.wp_stats
	s.struct_size = C.sizeof_wp_stats
	if C.wp_stats_get(p.c, &s) != C.WP_OK {
		return Stats{} // a forked child, or a fault of the library: there are no figures any more
	}
	runtime.KeepAlive(p)
	if ran := uint64(s.ran); cancelled > ran {
		cancelled, expired = ran, 0
	} else if expired > ran-cancelled {
		expired = ran - cancelled
	}
	return Stats{
		Workers: uint32(s.workers), Capacity: uint32(s.capacity), Footprint: uint64(s.footprint),
		Exact: s.exact != 0, Closed: s.closed != 0,
		Accepted: uint64(s.accepted), Ran: uint64(s.ran) - cancelled - expired, Failed: uint64(s.failed),
		Cancelled: uint64(s.cancelled) + cancelled, Expired: uint64(s.expired) + expired, Discarded: uint64(s.discarded),
		Queued: uint64(s.queued), Running: uint64(s.running), PassedOver: uint64(s.passed_over),
		Refused: uint64(s.refused),
		Waits:   uint64(s.waits), WaitTime: time.Duration(s.wait_ns), Waiting: uint64(s.waiting),
	}
}
