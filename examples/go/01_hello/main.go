// SPDX-License-Identifier: MIT

// Hello from Go: a pool, a group whose context has an end, values through a channel, and a task that panics.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"example.com/libworkerpool/workerpool"
)

func primes(low, high int) (count int) {
	for n := low; n < high; n++ {
		divisor := 2
		for divisor*divisor <= n && n%divisor != 0 {
			divisor++
		}
		if n >= 2 && divisor*divisor > n {
			count++
		}
	}
	return count
}

func main() {
	ctx := context.Background()
	pool, err := workerpool.New(workerpool.Workers(2), workerpool.Capacity(4))
	if err != nil {
		log.Fatal(err)
	}

	// Submit waits while the queue is full; no thread does.
	var hellos int32
	for i := 0; i < 100; i++ {
		if err := pool.Submit(func() { atomic.AddInt32(&hellos, 1) }); err != nil {
			log.Fatal(err)
		}
	}

	// The tasks' values come back through a channel.
	results, err := workerpool.NewResults[int](pool, 10)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		defer results.Close()
		for slice := 0; slice < 10; slice++ {
			low := slice * 100000
			err := results.Submit(ctx, func(context.Context) (int, error) { return primes(low, low+100000), nil })
			if err != nil {
				log.Fatal(err)
			}
		}
	}()
	total := 0
	for result := range results.C() {
		total += result.Value
	}
	fmt.Println("primes below 1000000:", total)

	// The first failure ends its group: the other task sees it by its context.
	group, err := pool.NewGroup(ctx, workerpool.CancelOnError())
	if err != nil {
		log.Fatal(err)
	}
	begun := make(chan struct{})
	for _, f := range []func(context.Context) error{
		func(ctx context.Context) error { close(begun); <-ctx.Done(); return nil },
		func(context.Context) error { <-begun; panic("out of tea") },
	} {
		if err := group.Submit(f); err != nil {
			log.Fatal(err)
		}
	}
	err = group.Wait(ctx)
	var panicked *workerpool.PanicError
	if !errors.As(err, &panicked) {
		log.Fatal(err)
	}
	fmt.Println("a panic is one task's failure:", panicked.Value)

	// A context that has ended reaches the queue: the task never runs.
	started := make(chan struct{})
	gate := make(chan struct{})
	for i := 0; i < 2; i++ {
		if err := pool.Submit(func() { started <- struct{}{}; <-gate }); err != nil {
			log.Fatal(err)
		}
	}
	<-started
	<-started // both workers are busy
	short, cancel := context.WithCancel(ctx)
	task, err := pool.SubmitContext(short, func(context.Context) error { return errors.New("it ran") })
	if err != nil {
		log.Fatal(err)
	}
	cancel()
	fmt.Println(task.Wait(ctx))
	close(gate)

	if err := pool.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	stats := pool.Stats()
	fmt.Println("hellos:", hellos)
	fmt.Printf("accepted %d, ran %d, failed %d, cancelled %d\n", stats.Accepted, stats.Ran, stats.Failed, stats.Cancelled)
	fmt.Println(errors.Is(pool.Submit(func() {}), workerpool.ErrClosed))
}
