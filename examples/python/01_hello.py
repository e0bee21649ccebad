# SPDX-License-Identifier: MIT
"""The whole of workerpool.py in eight steps; what it prints is in 01_hello.expected."""
import threading

import workerpool


def square(number):
    return number * number


def hold(started, gate):
    started.set()
    gate.wait()


def until_stopped(started):
    started.set()
    while not workerpool.should_stop():
        pass
    return workerpool.stop_reason() == workerpool.STOP_CANCELLED


started, gate = threading.Event(), threading.Event()

# 1. Create. At the end of the block everything accepted has run, and the threads are gone.
with workerpool.Pool(workers=1, capacity=4, name="hello", timers=True) as pool:
    # 2. Submit, with backpressure: behind one task that runs and four that are queued submit() would wait.
    pool.submit(hold, started, gate)
    started.wait()
    futures = [pool.submit(square, n) for n in range(4)]
    print("full:", pool.try_submit(square, 4) is None)
    gate.set()

    # 3. A result, or the error: an exception belongs to its task and no other.
    print("squares:", [future.result() for future in futures])
    print("error:", repr(pool.submit(int, "seven").exception()))

    # 4. Cancel: what runs is told, what is queued never starts.
    started.clear()
    group = pool.group()
    told = group.submit(until_stopped, started)
    never = group.submit(square, 5)
    started.wait()

    # 5. A deadline: the only worker is busy, so this task can't start in time and never runs.
    late = pool.submit_task(square, [6], expires_in=0.01)
    print("late:", repr(late.exception()))
    group.cancel()
    print("told:", told.result(), "never:", repr(never.exception()))

    # 6. Wait for a group; and results, in the order in which the tasks ended.
    results = workerpool.Results(capacity=3)
    with pool.group() as three:
        for n in (3, 2, 1):
            pool.submit_task(square, [n], group=three, results=results)
    results.close()
    print("results:", [record.future.result() for record in results])

    # 7. Figures. A future is done a moment before its task is over; wait_idle() waits for that too.
    pool.wait_idle()
    figures = pool.stats()
    print("figures:", figures.accepted, "accepted,", figures.ran, "ran,", figures.failed, "failed,", figures.cancelled,
          "cancelled,", figures.expired, "expired")

# 8. Shut down: nothing is accepted any more.
try:
    pool.submit(square, 7)
except workerpool.Closed as refused:
    print("closed:", refused.code == workerpool.ECLOSED)
