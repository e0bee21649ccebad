// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// Each figure is for one task, from its submit until all have ended, with two workers and room for 1,024; where it says "roomy" for
// 1,048,576, so that with -benchtime 500000x nobody ever waits for room.
const benchWorkers, benchCapacity, roomy = 2, 1 << 10, 1 << 20

func benchPool(b *testing.B, capacity uint32) *Pool {
	p, err := New(Workers(benchWorkers), Capacity(capacity))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return p
}

func over(b *testing.B, p *Pool, ran *int64) {
	if err := p.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if *ran != int64(b.N) {
		b.Fatalf("%d of %d ran", *ran, b.N)
	}
}

func BenchmarkSubmit(b *testing.B)      { benchSubmit(b, benchCapacity) }
func BenchmarkSubmitRoomy(b *testing.B) { benchSubmit(b, roomy) }

func benchSubmit(b *testing.B, capacity uint32) {
	var ran int64
	p := benchPool(b, capacity)
	f := func() { atomic.AddInt64(&ran, 1) }
	for i := 0; i < b.N; i++ {
		if err := p.Submit(f); err != nil {
			b.Fatal(err)
		}
	}
	over(b, p, &ran)
}

func BenchmarkSubmitContext(b *testing.B) {
	var ran int64
	p := benchPool(b, benchCapacity)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := func(context.Context) error { atomic.AddInt64(&ran, 1); return nil }
	for i := 0; i < b.N; i++ {
		if _, err := p.SubmitContext(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
	over(b, p, &ran)
}

func BenchmarkGroup(b *testing.B) {
	var ran int64
	p := benchPool(b, benchCapacity)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g, err := p.NewGroup(ctx)
	if err != nil {
		b.Fatal(err)
	}
	f := func(context.Context) error { atomic.AddInt64(&ran, 1); return nil }
	for i := 0; i < b.N; i++ {
		if err := g.Submit(f); err != nil {
			b.Fatal(err)
		}
	}
	if err := g.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	over(b, p, &ran)
}

func BenchmarkResults(b *testing.B) {
	var ran int64
	p := benchPool(b, benchCapacity)
	r, err := NewResults[int64](p, benchCapacity)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		defer r.Close()
		for i := 0; i < b.N; i++ {
			err := r.Submit(context.Background(), func(context.Context) (int64, error) { return 1, nil })
			if err != nil {
				b.Error(err)
			}
		}
	}()
	for result := range r.C() {
		ran += result.Value
	}
	over(b, p, &ran)
}

// What a Go program has without this package: goroutines that take functions from a buffered channel.
func BenchmarkChannelPool(b *testing.B)      { benchChannelPool(b, benchCapacity) }
func BenchmarkChannelPoolRoomy(b *testing.B) { benchChannelPool(b, roomy) }

func benchChannelPool(b *testing.B, capacity int) {
	var ran int64
	tasks := make(chan func(), capacity)
	var workers sync.WaitGroup
	for i := 0; i < benchWorkers; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for f := range tasks {
				f()
			}
		}()
	}
	f := func() { atomic.AddInt64(&ran, 1) }
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		tasks <- f
	}
	close(tasks)
	workers.Wait()
	b.StopTimer()
	if ran != int64(b.N) {
		b.Fatalf("%d of %d ran", ran, b.N)
	}
}

// The floor of every call into C.
func BenchmarkPlainCgoCall(b *testing.B) {
	for i := 0; i < b.N; i++ {
		Version()
	}
}
