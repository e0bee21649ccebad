// SPDX-License-Identifier: MIT

// The eight things: create, submit, result, cancel, deadline, group, figures, shutdown.
//
// The same program stands in C, C++, Zig and Python beside, and all print ../../eight_things.expected. docs/languages.md shows them side
// by side: what stands here between [name] and [end] is copied there by scripts/check-languages.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"example.com/libworkerpool/workerpool"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func must(what string, isSo bool) {
	if !isSo {
		log.Fatal("not so: ", what)
	}
}

// holdTheWorker has the only worker stand at a gate, so that it is known what is queued, until the function that it returns is called.
func holdTheWorker(pool *workerpool.Pool) (letGo func()) {
	started, gate := make(chan struct{}), make(chan struct{})
	check(pool.Submit(func() { close(started); <-gate }))
	<-started
	return func() { close(gate) }
}

func create() *workerpool.Pool {
	// [create]
	pool, err := workerpool.New(
		workerpool.Workers(1),
		workerpool.Capacity(2), // that may be queued
	)
	check(err)
	// [end]
	stats := pool.Stats()
	fmt.Printf("create: %d worker, room for %d tasks\n", stats.Workers, stats.Capacity)
	return pool
}

func submit(pool *workerpool.Pool) {
	letGo := holdTheWorker(pool)
	numbers := []int{1, 2, 3}
	// [submit]
	square := func(number *int) func() {
		return func() { *number *= *number }
	}
	check(pool.Submit(square(&numbers[0]))) // waits while the queue is full
	check(pool.Submit(square(&numbers[1])))
	refused := pool.TrySubmit(square(&numbers[2])) // never waits: ErrFull
	// [end]
	must("the queue is full", errors.Is(refused, workerpool.ErrFull))
	letGo()
	// [submit]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	third, err := pool.SubmitContext(ctx, func(context.Context) error { // waits as long as the context lasts
		square(&numbers[2])()
		return nil
	})
	check(err)
	// [end]
	check(third.Wait(ctx)) // there is one worker, so the others have run before
	must("all three ran", numbers[0] == 1 && numbers[1] == 4 && numbers[2] == 9)
	fmt.Println("submit: a third is refused while the queue is full, or waits for room")
}

func result(pool *workerpool.Pool) {
	ctx := context.Background()
	// [result]
	results, err := workerpool.NewResults[int](pool, 2)
	check(err)
	for _, text := range []string{"42", "seven"} {
		text := text
		check(results.Submit(ctx, func(context.Context) (int, error) { return strconv.Atoi(text) }))
	}
	results.Close()
	for result := range results.C() {
		if result.Err == nil {
			fmt.Println("result:", result.Value)
		} else if errors.Is(result.Err, strconv.ErrSyntax) { // what the task returned
			fmt.Println(`error: "seven" is no number`)
		}
	}
	// [end]
}

func cancel(pool *workerpool.Pool) {
	ctx := context.Background()
	started := make(chan struct{})
	wasTold := false
	// [cancel]
	group, err := pool.NewGroup(ctx)
	check(err)
	check(group.Submit(func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		wasTold = errors.Is(ctx.Err(), context.Canceled)
		return nil
	}))
	check(group.Submit(func(context.Context) error { return errors.New("it ran") }))
	<-started
	group.Cancel()        // what is queued never starts, what runs is told
	err = group.Wait(ctx) // ErrTaskCancelled: one never ran
	// [end]
	must("one was told, one cancelled", wasTold && err == workerpool.ErrTaskCancelled)
	fmt.Println("cancel: the running task was told, the queued one never ran")
}

func deadline(pool *workerpool.Pool) {
	letGo := holdTheWorker(pool)
	// [deadline]
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	late, err := pool.SubmitContext(ctx, func(context.Context) error { return nil })
	check(err)
	err = late.Wait(context.Background())
	if errors.Is(err, workerpool.ErrTaskExpired) { // it is also a context.DeadlineExceeded
		fmt.Println("deadline: the late task never ran")
	}
	// [end]
	letGo()
}

func waitForAGroup(pool *workerpool.Pool) {
	ctx := context.Background()
	// [group]
	numbers := []int{1, 2, 3}
	group, err := pool.NewGroup(ctx)
	check(err)
	for i := range numbers {
		number := &numbers[i]
		check(group.Submit(func(context.Context) error { *number *= *number; return nil }))
	}
	check(group.Wait(ctx)) // nothing of it is queued or runs; the first failure, if there was one
	// [end]
	sum := numbers[0] + numbers[1] + numbers[2]
	fmt.Println("group:", numbers[0], "+", numbers[1], "+", numbers[2], "=", sum)
}

func figures(pool *workerpool.Pool) {
	// [figures]
	stats := pool.Stats()
	ended := stats.Ran + stats.Cancelled + stats.Expired + stats.Discarded
	must("each is counted once", stats.Accepted == ended+stats.Queued+stats.Running)
	// [end]
	fmt.Printf("figures: %d accepted, each counted once\n", stats.Accepted)
}

func endIt(pool *workerpool.Pool) {
	ctx := context.Background()
	// [shutdown]
	check(pool.Shutdown(ctx))         // what was accepted has run, and the threads are gone
	refused := pool.Submit(func() {}) // ErrClosed
	// [end]
	must("it is closed", errors.Is(refused, workerpool.ErrClosed))
	stats := pool.Stats()
	fmt.Printf("shutdown: %d ran (%d failed), %d cancelled, %d expired; the next is refused\n",
		stats.Ran, stats.Failed, stats.Cancelled, stats.Expired)
}

func main() {
	pool := create()
	submit(pool)
	result(pool)
	cancel(pool)
	deadline(pool)
	waitForAGroup(pool)
	figures(pool)
	endIt(pool)
}
