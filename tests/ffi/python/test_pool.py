# SPDX-License-Identifier: MIT
"""Each thing that workerpool.py can do: futures and fates, refusals, groups, deadlines, results, worker threads."""
import asyncio
import concurrent.futures
import gc
import select
import threading
import time
import unittest
import unittest.mock
import weakref

import workerpool
from helpers import LONG, PoolTest


class Tasks(PoolTest):
    def test_value(self):
        pool = self.pool(2)
        self.assertEqual(pool.submit(lambda a, *, b: (a, b), 1, b=2).result(LONG), (1, 2))
        self.assertEqual(list(pool.map(str, range(100))), [str(n) for n in range(100)])

    def test_an_exception_is_its_tasks_and_no_other(self):
        pool = self.pool(2)

        class Odd(BaseException):
            def __bool__(self):
                return False

        def fail(error):
            raise error

        for error in (ValueError("mine"), SystemExit(3), KeyboardInterrupt(), Odd()):
            with pool.group() as group:
                good = [group.submit(int, n) for n in range(3)]
                bad = group.submit(fail, error)
                more = [group.submit(int, n) for n in range(3)]
            self.assertIs(bad.exception(LONG), error)
            self.assertEqual([future.result(LONG) for future in good + more], [0, 1, 2] * 2)
            self.assertIs(group.first_error, error)
            self.assertEqual((group.status().ran, group.status().failed), (7, 1))
        self.assertTrue(pool.wait_idle(LONG))
        self.assertEqual(pool.stats().failed, 4)

    def test_not_callable_is_that_tasks_failure(self):
        self.assertIsInstance(self.pool().submit(None).exception(LONG), TypeError)

    def test_future_cancel(self):
        pool, gate = self.busy()
        ran = []
        future = pool.submit(ran.append, 1)
        self.assertTrue(future.cancel())
        gate.open()
        self.assertTrue(pool.shutdown())
        self.assertEqual((ran, future.cancelled()), ([], True))

    def test_future_cancel_before_another_fate(self):
        pool, gate = self.busy()
        group = pool.group()
        futures = [group.submit(int), pool.submit(int)]
        for future in futures:
            self.assertTrue(future.cancel())
        group.cancel()
        self.assertFalse(pool.shutdown(cancel_futures=True, timeout=0))
        self.assertEqual([future.cancelled() for future in futures], [True, True])
        self.assertEqual((pool.stats().cancelled, pool.stats().discarded), (1, 1))

    def test_asyncio(self):
        pool = self.pool(2)

        async def both():
            loop = asyncio.get_running_loop()
            return await asyncio.gather(loop.run_in_executor(pool, int, "4"), asyncio.wrap_future(pool.submit(int, "5")))

        self.assertEqual(asyncio.run(both()), [4, 5])

    def test_waiting_means_over_for_python_too(self):
        # L5: after the wait nothing of the pool holds what the tasks used.
        class Used:
            pass

        pool, used = self.pool(2), [Used() for _ in range(50)]
        gone = [weakref.ref(thing) for thing in used]
        with pool.group() as group:
            while used:
                group.submit(id, used.pop())
        self.assertEqual([thing() for thing in gone], [None] * 50)


class Refusals(PoolTest):
    def test_full(self):
        pool, gate = self.busy(capacity=2)
        ran = []
        for n in range(2):
            pool.submit(ran.append, n)
        self.assertIsNone(pool.try_submit(ran.append, 2))
        begin = time.monotonic()
        with self.assertRaises(workerpool.Full):
            pool.submit_task(ran.append, [3], timeout=0.25)
        self.assertGreaterEqual(time.monotonic() - begin, 0.25)
        gate.open()
        self.assertTrue(pool.wait_idle(LONG))
        self.assertEqual((ran, pool.stats().accepted), ([0, 1], 3))

    def test_submit_waits_for_room_on_any_thread(self):
        pool, gate = self.busy(capacity=1)
        pool.submit(int)
        waiting = [threading.Thread(target=pool.submit, args=[int]) for _ in range(2)]
        for thread in waiting:
            thread.start()
        while pool.stats().waiting < 2:
            time.sleep(0)
        timer = threading.Timer(0.3, gate.open)  # longer than a slice
        timer.start()
        self.assertEqual(pool.submit(int, "7").result(LONG), 7)
        for thread in [*waiting, timer]:
            thread.join(LONG)
        self.assertTrue(pool.wait_idle(LONG))
        self.assertEqual(pool.stats().ran, 5)

    def test_closed(self):
        pool = self.pool()
        self.assertTrue(pool.shutdown())
        self.assertTrue(pool.shutdown())
        for submit in (pool.submit, pool.try_submit):
            with self.assertRaises(workerpool.Closed) as caught:
                submit(int)
            self.assertEqual(caught.exception.code, workerpool.ECLOSED)

    def test_a_waiting_submit_is_refused_by_a_shutdown(self):
        pool, gate = self.busy(capacity=1)
        pool.submit(int)
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            refused = other.submit(pool.submit, int)
            while pool.stats().waiting == 0:
                time.sleep(0)
            self.assertFalse(pool.shutdown(wait=False))
            self.assertIsInstance(refused.exception(LONG), workerpool.Closed)

    def test_inside_a_task(self):
        pool = self.pool(capacity=1)

        def inside():
            pool.submit(int)
            calls = [lambda: pool.submit(int), pool.wait_idle, pool.shutdown, lambda: pool.shutdown(cancel_futures=True)]
            for call in calls:
                with self.assertRaises(workerpool.WouldDeadlock):
                    call()
            return pool.try_submit(int)

        self.assertIsNone(pool.submit(inside).result(LONG))

    def test_bad_input(self):
        for options in ({"capacity": 2**24 + 1}, {"workers": 4097}, {"stack_size": 1}):
            with self.assertRaises(ValueError):
                workerpool.Pool(**options)
        with self.assertRaises(ValueError):
            self.pool().group(parent=self.pool().group())


class Groups(PoolTest):
    def test_cancel_reaches_the_queued_and_the_running(self):
        pool = self.pool(timers=True)
        started = threading.Event()

        def until_stopped():
            started.set()
            while not workerpool.should_stop():
                time.sleep(0)
            return workerpool.stop_reason()

        group = pool.group()
        running, queued, other = group.submit(until_stopped), group.submit(int), pool.submit(int)
        started.wait(LONG)
        group.cancel()
        self.assertIs(type(queued.exception(LONG)), workerpool.Cancelled)
        self.assertEqual(running.result(LONG), workerpool.STOP_CANCELLED)
        self.assertTrue(group.wait(LONG))
        self.assertEqual(other.result(LONG), 0)
        with self.assertRaises(workerpool.GroupCancelled):
            group.submit(int)
        self.assertEqual((group.status().ran, group.status().cancelled), (1, 1))

    def test_first_failure_cancels(self):
        pool, gate = self.busy()
        outer = pool.group()
        group = pool.group(parent=outer, cancel_on_error=True)
        bad, after = group.submit(int, "x"), group.submit(int)
        gate.open()
        self.assertTrue(outer.wait(LONG))
        self.assertIs(group.first_error, bad.exception())
        self.assertIs(outer.first_error, bad.exception())
        self.assertIs(type(after.exception()), workerpool.Cancelled)
        self.assertEqual(group.status().stop, workerpool.STOP_FAILED)

    def test_an_exception_in_the_block_cancels(self):
        pool, gate = self.busy()
        with self.assertRaises(ZeroDivisionError):
            with pool.group() as group:
                never = group.submit(int)
                raise ZeroDivisionError
        self.assertIs(type(never.exception(LONG)), workerpool.Cancelled)

    def test_wait_in_time_and_not(self):
        pool, gate = self.busy()
        group = pool.group()
        group.submit(int)
        self.assertFalse(group.wait(0.15))
        gate.open()
        self.assertTrue(group.wait(LONG))

    def test_wait_inside_a_task_runs_the_groups_tasks(self):
        pool = self.pool()

        def outer():
            with pool.group() as group:
                inner = [group.submit(workerpool.current_group) for _ in range(3)]
            return [future.result() is group for future in inner], workerpool.current_group()

        with pool.group() as mine:
            future = mine.submit(outer)
        self.assertEqual(future.result(), ([True] * 3, mine))

    def test_max_running_is_a_serial_queue(self):
        pool, order = self.pool(4, 64), []
        with pool.group(max_running=1) as serial:
            for n in range(50):
                serial.submit(order.append, n)
        self.assertEqual(order, list(range(50)))


class Deadlines(PoolTest):
    def test_expired(self):
        for timers in (False, True):
            pool, gate = self.busy(timers=timers)
            late = [pool.submit_task(int, expires_in=0.005), pool.group(expires_in=0.005).submit(int),
                    pool.submit_task(int, expires_in=-1)]
            if timers:  # though the worker is busy
                self.assertIs(type(late[0].exception(LONG)), workerpool.Expired)
            time.sleep(0.006)  # the deadline is an instant of the real clock
            gate.open()
            self.assertEqual([type(future.exception(LONG)) for future in late], [workerpool.Expired] * 3)
            self.assertTrue(pool.wait_idle(LONG))
            self.assertEqual((pool.stats().expired, pool.stats().ran), (3, 1))

    def test_time_left(self):
        pool = self.pool()
        self.assertIsNone(pool.submit(workerpool.time_left).result(LONG))
        left = pool.submit_task(workerpool.time_left, expires_in=1000).result(LONG)
        self.assertTrue(0 < left <= 1000, left)
        self.assertEqual((workerpool.time_left(), workerpool.should_stop(), workerpool.worker_index()), (None, False, None))


    def test_beyond_the_clocks_end_is_never(self):
        pool = self.pool(timers=True)
        for seconds in (1e12, 2**64 / 1e9, float("inf"), 10**400):
            for future in (pool.submit_task(workerpool.time_left, expires_in=seconds),
                           pool.group(expires_in=seconds).submit(workerpool.time_left)):
                left = future.result(LONG)
                self.assertTrue(left is None or left > 1e10, (seconds, left))
            self.assertTrue(pool.wait_idle(seconds))

    def test_no_number_is_no_time(self):
        pool, gate = self.busy(capacity=1)
        pool.submit(int)
        nan = float("nan")
        for call in (lambda: pool.submit_task(int, expires_in=nan), lambda: pool.submit_task(int, timeout=nan),
                     lambda: pool.group(expires_in=nan), lambda: pool.wait_idle(nan), lambda: pool.shutdown(timeout=nan)):
            with self.assertRaisesRegex(ValueError, "not a time"):
                call()
        self.assertFalse(pool.wait_idle(float("-inf")))  # what is left of a time that is over


class Endings(PoolTest):
    def test_discarded(self):
        pool, gate = self.busy()
        never = [pool.submit(int) for _ in range(3)]
        self.assertFalse(pool.shutdown(cancel_futures=True, timeout=0.15))
        self.assertEqual([type(future.exception(0)) for future in never], [workerpool.Discarded] * 3)
        gate.open()
        self.assertTrue(pool.shutdown())
        self.assertEqual((pool.stats().ran, pool.stats().discarded), (1, 3))

    def test_the_fates_are_distinct_and_all_are_cancellations(self):
        kinds = [workerpool.Cancelled, workerpool.Expired, workerpool.Discarded]
        for kind in kinds:
            self.assertTrue(issubclass(kind, concurrent.futures.CancelledError))
            self.assertEqual([issubclass(kind, other) for other in kinds].count(True), 1)


    def test_two_shutdowns_at_a_time_destroy_once(self):
        destroyed, both = [], threading.Barrier(2)

        class Unfinished(set):
            """Between a look and what is done upon it there is time for the other one's look."""

            def __contains__(self, pool):
                is_there = super().__contains__(pool)
                both.wait(LONG)
                return is_there

        with unittest.mock.patch.object(workerpool._lib, "wp_destroy", destroyed.append), \
                unittest.mock.patch.object(workerpool, "_unfinished", Unfinished()):
            pool = workerpool.Pool(1)
            handle = pool._handle
            shutdowns = [threading.Thread(target=pool.shutdown) for _ in range(2)]
            for thread in shutdowns:
                thread.start()
            for thread in shutdowns:
                thread.join(LONG)
            del pool, shutdowns, thread
            gc.collect()
        self.assertEqual(destroyed, [handle])
        self.assertEqual(workerpool._lib.wp_destroy(handle), workerpool.OK)


class Records(PoolTest):
    def test_in_the_order_of_their_ends(self):
        pool, results = self.pool(), workerpool.Results(4)
        futures = [pool.submit_task(int, [text], results=results) for text in ("1", "x", "3")]
        results.close()
        with self.assertRaises(workerpool.Closed):
            pool.submit_task(int, results=results)
        records = list(results)
        self.assertEqual([record.future for record in records], futures)
        self.assertTrue(all(record.future.done() and record.worker == 0 and record.fate == 1 for record in records))
        self.assertEqual(results._futures, {})

    def test_full_and_fileno(self):
        pool, results = self.pool(), workerpool.Results(1)
        readable = lambda seconds: bool(select.select([results], [], [], seconds)[0])
        self.assertFalse(readable(0))
        self.assertIsNone(results.next(0))
        future = pool.submit_task(int, results=results)
        with self.assertRaises(workerpool.ResultsFull):
            pool.submit_task(int, results=results, timeout=LONG)
        self.assertTrue(readable(LONG))
        self.assertIs(results.next(0).future, future)
        self.assertFalse(readable(0))

    def test_wait_for_a_place(self):
        pool, results = self.pool(), workerpool.Results(2, wait=True)

        def produce():
            for n in range(100):
                pool.submit_task(int, [n], results=results)
            results.close()

        producer = threading.Thread(target=produce)
        producer.start()
        self.assertEqual([record.future.result() for record in results], list(range(100)))
        producer.join(LONG)

    def test_what_never_ran_has_a_record_too(self):
        pool, gate = self.busy()
        results = workerpool.Results(1)
        pool.submit_task(int, results=results)
        pool.shutdown(cancel_futures=True, timeout=0)
        record = results.next(LONG)
        self.assertEqual((record.fate, record.worker, type(record.future.exception())),
                         (workerpool.FATE_DISCARDED, None, workerpool.Discarded))


class Threads(PoolTest):
    def test_a_worker_is_one_python_thread_from_start_to_stop(self):
        # What a thread keeps in threading.local stays there between tasks, and is gone with the thread.
        here, alive = threading.local(), []

        class Kept:
            def __init__(self):
                alive.append(self_ref := weakref.ref(self))
                self.ref = self_ref

        def visit():
            if not hasattr(here, "kept"):
                here.kept = Kept()
            return workerpool.worker_index(), id(here.kept)

        pool = self.pool(3, 64)
        seen = set(pool.map(lambda _: visit(), range(300)))
        self.assertEqual(len(seen), len({worker for worker, _ in seen}))
        self.assertEqual(len(alive), len(seen))
        self.assertTrue(all(kept() for kept in alive))
        self.assertTrue(pool.shutdown())
        self.assertEqual([kept() for kept in alive], [None] * len(alive))

    def test_stats(self):
        pool, gate = self.busy(2, 5, name="name")
        stats = pool.stats()
        self.assertEqual((stats.workers, stats.capacity, stats.accepted, stats.running, stats.exact), (2, 5, 2, 2, 1))
        self.assertIn("accepted=2", repr(stats))


if __name__ == "__main__":
    unittest.main()
