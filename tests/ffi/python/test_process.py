# SPDX-License-Identifier: MIT
"""The pool and the interpreter: its end, Ctrl-C, and fork. Each in a process of its own."""
import os
import signal
import subprocess
import sys
import textwrap
import threading
import unittest

from helpers import LONG

PRELUDE = """
import os, signal, sys, threading, time
import workerpool

gate, started = threading.Event(), threading.Event()

def hold():
    started.set()
    gate.wait()
"""


class Process(unittest.TestCase):
    def python(self, program, interrupts=0):
        """Runs it; sends as many SIGINT, each when it has printed "now"."""
        child = subprocess.Popen([sys.executable, "-B", "-c", PRELUDE + textwrap.dedent(program)], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        killer = threading.Timer(LONG, child.kill)
        killer.start()
        printed = ""
        for _ in range(interrupts):
            while (line := child.stdout.readline()) not in ("now\n", ""):
                printed += line
            child.send_signal(signal.SIGINT)
        out, err = child.communicate()
        killer.cancel()
        return child.returncode, printed + out, err

    def test_the_interpreters_end_drains(self):
        code, out, err = self.python("""
            pool = workerpool.Pool(2, 100)
            pool.submit(time.sleep, 0.1)
            for n in range(50):
                pool.submit(os.write, 1, b"ran\\n")
            """)
        self.assertEqual((code, out, err), (0, "ran\n" * 50, ""))

    def test_nothing_is_freed_before_the_drain(self):
        # What a task still uses while the pool is drained must not have been given back by the finalizers' own exit hook. That is
        # registered with the first of them, so the hook here runs between it and the drain.
        code, out, err = self.python("""
            import atexit
            for name in ("wp_group_release", "wp_results_release", "wp_destroy"):
                setattr(workerpool._lib, name, lambda handle, name=name: print(name, flush=True))
            pool, over = workerpool.Pool(1), workerpool.Pool(1)
            def exits():
                gate.set()
                last.result()
            atexit.register(exits)
            group, results = pool.group(), workerpool.Results(1)
            over.shutdown()
            def use():
                gate.wait()
                pool.submit_task(os.write, (1, b"ran\\n"), group=group, results=results)
                group.wait()
                return group.status().ran, results.next(0).future.done(), over.stats().closed
            last = pool.submit(use)
            last.add_done_callback(lambda future: os.write(1, b"%r\\n" % (future.result(),)))
            """)
        self.assertEqual((code, out, err), (0, "ran\n(1, True, 1)\n", ""))

    def test_ctrl_c_reaches_a_submit_that_waits_and_loses_nothing(self):
        code, out, err = self.python("""
            ran = []
            pool = workerpool.Pool(1, 2)
            pool.submit(hold)
            started.wait()
            accepted = [pool.submit(ran.append, n) for n in range(2)]
            def tell_when_it_waits():
                while not pool.stats().waiting:
                    time.sleep(0)
                print("now", flush=True)
            threading.Thread(target=tell_when_it_waits).start()
            try:
                pool.submit(ran.append, 2)
            except KeyboardInterrupt:
                print("interrupted")
            gate.set()
            pool.shutdown()
            print(ran, workerpool._open)
            """, interrupts=1)
        self.assertEqual((code, out, err), (0, "interrupted\n[0, 1] {}\n", ""))

    def test_ctrl_c_at_the_moment_of_acceptance(self):
        # However the signal falls on a submit, the table of open tasks stays true, and each accepted task has its fate.
        code, out, err = self.python("""
            class Stop(Exception): pass
            def stop(number, frame): raise Stop
            signal.signal(signal.SIGALRM, stop)
            pool, ran, sent = workerpool.Pool(1, 2), [], 0
            for n in range(400):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-5 + n % 40 * 2e-6)
                    while True:
                        pool.submit(ran.append, n)
                except Stop:
                    sent += 1
            pool.shutdown()
            stats = pool.stats()
            print(sent, stats.accepted == stats.ran == len(ran), workerpool._open)
            """)
        self.assertEqual((code, out, err), (0, "400 True {}\n", ""))

    def test_ctrl_c_at_the_end_discards(self):
        code, out, err = self.python("""
            pool = workerpool.Pool(1, 100)
            def until_discarded():
                started.set()
                while not pool.stats().closed:
                    time.sleep(0)
                print("now", flush=True)
                while not workerpool.should_stop():
                    time.sleep(0)
                os.write(1, b"stop %d\\n" % workerpool.stop_reason())
            pool.submit(until_discarded)
            started.wait()
            for n in range(50):
                pool.submit(os.write, 1, b"ran\\n")
            """, interrupts=1)
        self.assertEqual((code, out, err), (0, "stop 4\n", ""))

    def test_cancel_from_the_main_thread_is_not_cut_by_ctrl_c(self):
        code, out, err = self.python("""
            pool, told = workerpool.Pool(1, 1000), []
            pool.submit(hold)
            started.wait()
            group = pool.group()
            futures = [group.submit(int) for _ in range(1000)]
            def tell(future):
                told.append(future)
                if len(told) == 10:
                    print("now", flush=True)
                    time.sleep(0.2) # Ctrl-C comes now
            for future in futures:
                future.add_done_callback(tell)
            try:
                group.cancel()
                time.sleep(60)
            except KeyboardInterrupt:
                print("interrupted")
            gate.set()
            pool.shutdown()
            print(all(type(future.exception(0)) is workerpool.Cancelled for future in futures), len(told), workerpool._open)
            """, interrupts=1)
        self.assertEqual((code, out, err), (0, "interrupted\nTrue 1000 {}\n", ""))

    def test_fork(self):
        code, out, err = self.python("""
            pool = workerpool.Pool(1)
            pool.submit(int).result()
            child = os.fork()
            if child == 0:
                try:
                    pool.submit(int)
                except workerpool.PoolError as error:
                    with workerpool.Pool(1) as mine:
                        sys.exit(mine.submit(int, 40).result() - error.code)
            print(os.waitpid(child, 0)[1] >> 8, pool.submit(int, 4).result())
            """)
        self.assertEqual((code, out), (0, "48 4\n"))
        self.assertNotIn("Traceback", err)

    def test_the_eight_things_tell_what_is_not_so(self):
        # The worker stands at the gate meanwhile.
        code, out, err = self.python("""
            import runpy
            workerpool.Pool.try_submit = lambda *_: "not refused"
            runpy.run_path(os.path.join(os.path.dirname(workerpool.__file__), "02_eight_things.py"))
            """)
        self.assertEqual((code, err), (1, "not so: the queue is full\n"))


if __name__ == "__main__":
    unittest.main()
