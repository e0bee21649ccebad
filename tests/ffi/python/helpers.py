# SPDX-License-Identifier: MIT
"""What the tests of workerpool.py share."""
import sys
import threading
import unittest

import workerpool

LONG = 60  # seconds; nothing that works takes as long


class Gate:
    """Tasks that call pass_() wait until it is opened; how many do is known."""

    def __init__(self):
        self._changed, self._waiting, self._is_open = threading.Condition(), 0, False

    def pass_(self):
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_open, LONG)

    def await_(self, count):
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting >= count, LONG):
                raise TimeoutError

    def open(self):
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


class PoolTest(unittest.TestCase):
    """Fails also for what went wrong in a callback, which Python only prints, and for a task that was never ended."""

    def setUp(self):
        self.ignored = []
        before, sys.unraisablehook = sys.unraisablehook, self.ignored.append
        self.addCleanup(setattr, sys, "unraisablehook", before)
        self.addCleanup(self.nothing_is_left)

    def nothing_is_left(self):
        self.assertEqual(self.ignored, [])
        self.assertEqual(workerpool._open, {})

    def pool(self, workers=1, capacity=8, **options):
        pool = workerpool.Pool(workers, capacity, **options)
        self.addCleanup(pool.shutdown)
        return pool

    def busy(self, workers=1, capacity=8, **options):
        """A pool whose workers are held by a gate."""
        pool, gate = self.pool(workers, capacity, **options), Gate()
        self.addCleanup(gate.open)
        for _ in range(workers):
            pool.submit(gate.pass_)
        gate.await_(workers)
        return pool, gate
