// SPDX-License-Identifier: MIT
//
// The Go peers, measured as ../../workloads.c measures those in C, by the same protocol and with the same record:
//
//	peers PEER KIND name=value…, or: peers PEER version
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// options are those of driver.h.
type options struct {
	producers, workers, capacity, ms, unitNs, every, longNs, batch, bound, end, gapNs, tasks, depth uint64
}

var kinds = map[string]func(traits, *options) string{
	"throughput": measureThroughput,
	"burst":      measureBurst,
	"forkjoin":   measureForkjoin,
	"roundtrip":  measureRoundtrip,
	"life":       measureLife,
	"memory":     measureMemory,
	"idle":       measureIdle,
}

var figures = map[string]any{}

func record(name string, value any) { figures[name] = value }

func (o *options) set(argument string) {
	names := map[string]*uint64{
		"producers": &o.producers, "workers": &o.workers, "capacity": &o.capacity, "ms": &o.ms, "unit_ns": &o.unitNs,
		"every": &o.every, "long_ns": &o.longNs, "batch": &o.batch, "bound": &o.bound, "end": &o.end, "gap_ns": &o.gapNs,
		"tasks": &o.tasks, "depth": &o.depth,
	}
	name, text, _ := strings.Cut(argument, "=")
	value, err := strconv.ParseUint(text, 10, 64)
	require(err == nil && names[name] != nil)
	*names[name] = value
}

func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	require(ok)
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v") + ", " + runtime.Version()
		}
	}
	return runtime.Version()
}

func main() {
	require(len(os.Args) >= 3)
	peer, found := peers[os.Args[1]]
	require(found)
	if os.Args[2] == "version" {
		fmt.Println(version(peer.module))
		return
	}
	measure := kinds[os.Args[2]]
	require(measure != nil)
	o := options{producers: 1, workers: 2, capacity: 1024, ms: 50}
	for _, argument := range os.Args[3:] {
		o.set(argument)
	}
	if why := measure(peer, &o); why != "" {
		record("skipped", why)
	}
	require(json.NewEncoder(os.Stdout).Encode(figures) == nil)
}
