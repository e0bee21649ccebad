# SPDX-License-Identifier: MIT
"""Laws L2 and L5 from Python: whatever the traffic, each accepted task meets one fate, its future tells it once, and when a
wait says that it is over nothing of what it covers runs.

A round: 6 producers against 3 workers with capacity 1, 3 or 64; submits with and without waiting; tasks that fail, that are
in groups which get cancelled, that have deadlines and records; a shutdown at a random point, in either mode, sometimes in
steps. WP_ROUNDS: rounds (12 in the short form); WP_SEED: the seed of the first.
"""
import os
import random
import threading
import time
import unittest

import workerpool
from helpers import LONG, PoolTest

PRODUCERS, WORKERS, MOST = 6, 3, 150


class Entry:
    """What happened to one task, told by the task, by its future, and by its submit."""

    def __init__(self):
        self.runs = self.told = 0
        self.fate = self.asked_by = None
        self.is_over = False  # somebody was told by a wait that this task is over


class Failed(Exception):
    pass


class Round:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.capacity = self.random.choice((1, 3, 64))
        self.pool = workerpool.Pool(WORKERS, self.capacity, timers=self.random.random() < 0.5)
        self.results = workerpool.Results(PRODUCERS * MOST)
        self.accepted, self.records, self.late, self.attempts = [], [], [], 0
        self.errors, self.is_sealed = [], False

    def task(self, entry, fails):
        if entry.is_over or self.is_sealed:
            self.late.append("ran")
        entry.runs += 1
        if entry.runs % 2:
            time.sleep(0)  # lets another thread run
        if fails:
            raise Failed(entry)
        return entry

    def told(self, entry, future):
        # (A future that is done already tells at once who asks: that is no call of the pool.)
        if (entry.is_over or self.is_sealed) and entry.asked_by != threading.get_ident():
            self.late.append("told")
        entry.told += 1
        entry.fate = type(future.exception()).__name__ if future.exception() else "Value"

    def produce(self, seed):
        dice = random.Random(seed)
        group, in_group = self.pool.group(), []
        for _ in range(dice.randrange(MOST)):
            entry, self.attempts, joins = Entry(), self.attempts + 1, dice.random() < 0.5
            try:
                future = self.pool.submit_task(
                    self.task, [entry, dice.random() < 0.2], group=group if joins else None,
                    results=self.results if dice.random() < 0.3 else None,
                    expires_in=dice.choice((None, None, 0.0005, 0.00001)), timeout=dice.choice((None, 0, 0.001)))
            except workerpool.Full:
                continue
            except (workerpool.Closed, workerpool.GroupCancelled):
                break
            entry.asked_by = threading.get_ident()
            future.add_done_callback(lambda future, entry=entry: self.told(entry, future))
            entry.asked_by = None
            self.accepted.append((entry, future))
            if joins:
                in_group.append(entry)
            if dice.random() < 0.03:
                # L5 for a group: when it has been waited for, nothing of it runs or will run. A new one takes its place.
                if dice.random() < 0.7:
                    group.cancel()
                if not group.wait(LONG):
                    self.errors.append("a group's wait took too long")
                for entry in in_group:
                    entry.is_over = True
                status = group.status()
                if status.queued or status.running:
                    self.errors.append(f"waited for, and not over: {status}")
                group, in_group = self.pool.group(), []

    def close(self, seed, at):
        dice = random.Random(seed)
        while self.attempts < at and any(thread.is_alive() for thread in self.producers):
            time.sleep(0)
        discards, steps = dice.random() < 0.5, dice.random() < 0.5
        while not self.pool.shutdown(cancel_futures=discards, timeout=dice.random() / 5000 if steps else None):
            pass
        self.is_sealed = True  # over: whatever runs from here on is late

    def run(self):
        def guarded(call, *arguments):
            try:
                call(*arguments)
            except BaseException as error:
                self.errors.append(repr(error))

        seeds = [self.random.random() for _ in range(PRODUCERS + 2)]
        self.producers = [threading.Thread(target=guarded, args=[self.produce, seed]) for seed in seeds[2:]]
        closers = [threading.Thread(target=guarded, args=[self.close, seed, self.random.randrange(PRODUCERS * MOST // 3)])
                   for seed in seeds[:2]]
        for thread in self.producers + closers:
            thread.start()
        for thread in self.producers + closers:
            thread.join(LONG)
        self.results.close()
        self.records = list(self.results)


class Stress(PoolTest):
    def test_one_fate_and_waiting_means_over(self):
        rounds, seed = int(os.environ.get("WP_ROUNDS", 12)), os.environ.get("WP_SEED", str(time.time_ns()))
        fates = {}
        for number in range(rounds):
            with self.subTest(WP_SEED=seed, round=number):
                this = Round(f"{seed} {number}")
                this.run()
                self.assertEqual((this.errors, this.late), ([], []))
                self.agrees(this)
                for entry, _ in this.accepted:
                    fates[entry.fate] = fates.get(entry.fate, 0) + 1
        print(f"\n{rounds} rounds, WP_SEED={seed}:", dict(sorted(fates.items())))
        self.assertEqual(set(fates), {"Value", "Failed", "Cancelled", "Expired", "Discarded"}, "a fate was never met")

    def agrees(self, this):
        count = {}
        for entry, future in this.accepted:
            self.assertTrue(future.done())
            self.assertEqual(entry.told, 1)
            self.assertEqual(entry.runs, 1 if entry.fate in ("Value", "Failed") else 0)
            count[entry.fate] = count.get(entry.fate, 0) + 1
            if entry.fate == "Value":
                self.assertIs(future.result(), entry)
            elif entry.fate == "Failed":
                self.assertIs(future.exception().args[0], entry)
        stats, of = this.pool.stats(), lambda *fates: sum(count.get(fate, 0) for fate in fates)
        self.assertEqual((stats.accepted, stats.queued, stats.running), (len(this.accepted), 0, 0))
        self.assertEqual((stats.ran, stats.failed), (of("Value", "Failed"), of("Failed")))
        self.assertEqual((stats.cancelled, stats.expired, stats.discarded), (of("Cancelled"), of("Expired"), of("Discarded")))
        self.assertEqual(len({id(record.future) for record in this.records}), len(this.records))
        self.assertEqual(this.results._futures, {})


if __name__ == "__main__":
    unittest.main()
