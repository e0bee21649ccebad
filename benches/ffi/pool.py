# SPDX-License-Identifier: MIT
"""What one task costs from Python: workerpool.py beside concurrent.futures.ThreadPoolExecutor, both with two workers.

Rounds of all cases in turn; of each case the median, and its ratio to the executor's of the same kind. ROUNDS (15), TASKS (4,000).
"""
import concurrent.futures
import os
import statistics
import time

import workerpool

ROUNDS, TASKS = int(os.environ.get("ROUNDS", 15)), int(os.environ.get("TASKS", 4000))


def nothing():
    pass


def stream(pool):
    """One thread submits all, then waits for the last future and for the rest."""
    futures = [pool.submit(nothing) for _ in range(TASKS)]
    for future in reversed(futures):
        future.result()


def round_trips(pool):
    for _ in range(TASKS // 10):
        pool.submit(nothing).result()


KINDS = {"stream": (stream, TASKS), "round trip": (round_trips, TASKS // 10)}
ours, theirs = workerpool.Pool(2, 1024), concurrent.futures.ThreadPoolExecutor(2)
POOLS = {"workerpool": ours, "ThreadPoolExecutor": theirs}
took = {}
with ours, theirs:
    for round_number in range(ROUNDS + 1):
        for kind, (run, tasks) in KINDS.items():
            for name, pool in POOLS.items():
                begin = time.perf_counter_ns()
                run(pool)
                if round_number > 0:  # the first warms up
                    took.setdefault((kind, name), []).append((time.perf_counter_ns() - begin) / tasks)
for kind in KINDS:
    peer = statistics.median(took[kind, "ThreadPoolExecutor"])
    for name in POOLS:
        median = statistics.median(took[kind, name])
        print(f"python  {kind:12} {name:20} {median:9.0f} ns per task  {median / peer:5.2f}")
