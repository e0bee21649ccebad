# SPDX-License-Identifier: MIT
"""The eight things: create, submit, result, cancel, deadline, group, figures, shutdown.

The same program stands in C, C++, Go and Zig beside, and all print ../eight_things.expected. docs/languages.md shows them side by
side: what stands here between [name] and [end] is copied there by scripts/check-languages.
"""
import atexit
import threading

import workerpool


def must(what, is_so):
    if not is_so:
        raise SystemExit(f"not so: {what}")


started, gate = threading.Event(), threading.Event()
atexit.register(gate.set)  # before the pool is drained: so what is not as it must be is told, and does not wait at the gate


def hold():
    started.set()
    gate.wait()


def hold_the_worker():
    """The only worker stands at a gate, so that it is known what is queued."""
    started.clear()
    gate.clear()
    pool.submit(hold)
    started.wait()


def square(number):
    return number * number


# [create]
pool = workerpool.Pool(
    workers=1,
    capacity=2,  # that may be queued
    timers=True,  # what is late ends at once, though all workers are busy
)
# [end]
stats = pool.stats()
print(f"create: {stats.workers} worker, room for {stats.capacity} tasks")

hold_the_worker()
# [submit]
first = pool.submit(square, 1)  # waits while the queue is full
second = pool.submit(square, 2)
refused = pool.try_submit(square, 3)  # never waits: None
# [end]
must("the queue is full", refused is None)
gate.set()
# [submit]
third = pool.submit_task(square, [3], timeout=10)  # waits so long at most
# [end]
must("all three ran", [first.result(), second.result(), third.result()] == [1, 4, 9])
print("submit: a third is refused while the queue is full, or waits for room")

# [result]
good = pool.submit(int, "42")
bad = pool.submit(int, "seven")
print("result:", good.result())
try:
    bad.result()  # raises what the task raised
except ValueError:
    print('error: "seven" is no number')
# [end]


# [cancel]
def until_told():
    started.set()
    while not workerpool.should_stop():
        pass  # a step of work
    return workerpool.stop_reason()
# [end]


started.clear()
was_cancelled = False
# [cancel]
group = pool.group()
told = group.submit(until_told)
never = group.submit(square, 5)
started.wait()
group.cancel()  # what is queued never starts, what runs is told
try:
    never.result()
except workerpool.Cancelled:
    was_cancelled = True
# [end]
must("one was told, one cancelled", told.result() == workerpool.STOP_CANCELLED and was_cancelled)
print("cancel: the running task was told, the queued one never ran")

hold_the_worker()
# [deadline]
late = pool.submit_task(square, [6], expires_in=0.1)
try:
    late.result()
except workerpool.Expired:
    print("deadline: the late task never ran")
# [end]
gate.set()

# [group]
with pool.group() as group:  # at its end nothing of it is queued or runs
    squares = [group.submit(square, number) for number in (1, 2, 3)]
numbers = [future.result() for future in squares]
# [end]
print("group:", " + ".join(map(str, numbers)), "=", sum(numbers))

# [figures]
stats = pool.stats()
ended = stats.ran + stats.cancelled + stats.expired + stats.discarded
must("each is counted once", stats.accepted == ended + stats.queued + stats.running)
# [end]
print(f"figures: {stats.accepted} accepted, each counted once")

is_closed = False
# [shutdown]
pool.shutdown()  # what was accepted has run, and the threads are gone; a `with` block does so, too
try:
    pool.submit(square, 7)
except workerpool.Closed:
    is_closed = True
# [end]
must("it is closed", is_closed)
stats = pool.stats()
print(f"shutdown: {stats.ran} ran ({stats.failed} failed), {stats.cancelled} cancelled, {stats.expired} expired; the next is refused")
