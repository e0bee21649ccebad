// SPDX-License-Identifier: MIT

package workerpool

import (
	"context"
	"errors"
	"sync"
	"time"
)

// tooLate says why a task must not be called any more, though a worker has it: its context has ended, and the worker was quicker than the
// link that tells C. 0: it is not too late. C counts such a task as one that ran; Stats puts that right.
func (p *Pool) tooLate(ctx context.Context) Error {
	switch err := ctx.Err(); {
	case err == nil:
		return 0
	case errors.Is(err, context.DeadlineExceeded):
		p.late.expired.Add(1)
		return ErrTaskExpired
	default:
		p.late.cancelled.Add(1)
		return ErrTaskCancelled
	}
}

// A taskContext is what a task of its own is given: the submitter's context, that also ends with ShutdownNow and with the task.
//
// Most tasks never ask for more than Err and Deadline, so the context that can be waited for is made for the first who asks.
type taskContext struct {
	pool   *Pool
	parent context.Context

	mu     sync.Mutex
	isOver bool
	full   context.Context // nil until it is asked for
	cancel context.CancelFunc
	unhook func() bool
}

func (c *taskContext) whole() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full == nil {
		c.full, c.cancel = context.WithCancel(c.parent)
		if c.isOver {
			c.cancel()
		} else {
			c.unhook = afterFunc(c.pool.life, c.cancel)
		}
	}
	return c.full
}

// end: whoever still has the context finds it cancelled.
func (c *taskContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isOver = true
	if c.full != nil {
		c.unhook()
		c.cancel()
	}
}

func (c *taskContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *taskContext) Done() <-chan struct{} { return c.whole().Done() }

func (c *taskContext) Err() error {
	c.mu.Lock()
	full, isOver := c.full, c.isOver
	c.mu.Unlock()
	if full != nil {
		if err := full.Err(); err != nil {
			return err
		}
	} else if err := c.parent.Err(); err != nil {
		return err
	}
	if isOver || c.pool.life.Err() != nil {
		c.whole() // so that Done agrees
		return context.Canceled
	}
	return nil
}

// Value asks the full context if there is one: package context finds out by this that children may hang on it directly.
func (c *taskContext) Value(key any) any {
	c.mu.Lock()
	full := c.full
	c.mu.Unlock()
	if full != nil {
		return full.Value(key)
	}
	return c.parent.Value(key)
}
