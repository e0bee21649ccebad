// SPDX-License-Identifier: MIT
//
// What latency.c does, in Go; only that the answer comes by a channel, as it does in Go programs. One who spins there is
// answered a hundred times later: the scheduler does not see that it waits.
package main

import (
	"slices"
	"time"
)

var shares = []int{1, 10, 50, 100, 200, 300, 400, 500, 600, 700, 800,
	850, 900, 930, 950, 970, 980, 990, 995, 998, 999, 1000}

func measureRoundtrip(peer traits, o *options) string {
	const warm, samplesMax = 100, 200_000
	p := peer.create(int(o.workers), int(o.capacity))
	answered := make(chan struct{}, 1)
	answer := func() { answered <- struct{}{} }
	ask := func() int64 {
		begin := now()
		p.submit(answer)
		<-answered
		return now() - begin
	}
	for range warm {
		ask()
	}
	samples := make([]int64, 0, samplesMax)
	for end := now() + int64(o.ms)*1_000_000; len(samples) < samplesMax && now() < end; {
		if o.gapNs != 0 {
			time.Sleep(time.Duration(o.gapNs))
		}
		samples = append(samples, ask())
	}
	p.destroy()

	slices.Sort(samples)
	values, wanted := make([]float64, len(shares)), make([]float64, len(shares))
	for i, share := range shares {
		values[i] = float64(samples[min(len(samples)*share/1000, len(samples)-1)])
		wanted[i] = float64(share)
	}
	record("samples", float64(len(samples)))
	record("shares", wanted)
	record("curve", values)
	return ""
}
