# SPDX-License-Identifier: MIT
"""A bounded worker pool for Python 3.9 and newer: libworkerpool through ctypes. One file, to be copied.

    with workerpool.Pool(workers=4, capacity=100) as pool:
        future = pool.submit(pow, 2, 10)        # waits while 100 tasks are queued
        print(future.result())

A Pool is a concurrent.futures.Executor whose queue is bounded, with groups, deadlines and results besides. A task's future
tells its fate: the value, or the exception that left the callable; Cancelled, Expired or Discarded if it never ran. Inside a
task should_stop(), stop_reason(), time_left(), worker_index() and current_group() tell about it. workerpool.h has the rest.

The library is the file that WORKERPOOL_LIBRARY names, or libworkerpool.so.0.1 where the system finds it.

Times are seconds; None and math.inf are without limit, and what is below 0 is over. Who waits on the main thread can press Ctrl-C: there
a wait is made of slices of 0.1 s.
A pool that was not shut down is drained when the interpreter ends. In a task, a future's result() of the same pool may wait
for ever, as with every executor; Group.wait() does not.

How it holds together. The library knows a task by a number, the id of a _Task that `_open` keeps until its `end`; so no Python
object's life depends on C. The callbacks are made once and live as long as the process. A worker keeps one Python thread state from its
start to its stop, so threading.local works there. A callback must not be struck by Ctrl-C half-way, and Python raises that on the main
thread only: so calls that may run an `end` on their own thread are made by another.
"""
from __future__ import annotations

import atexit
import concurrent.futures
import ctypes
import os
import queue
import signal
import threading
import time
import typing
import weakref
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

OK, EINVAL, ENOMEM, ETHREAD, EFULL, ETIMEDOUT, ECLOSED = 0, -1, -2, -3, -4, -5, -6
EDEADLK, EFORKED, EPANIC, ENOTSUP, ERESULTS, ECANCELLED, ETOOLATE = -7, -8, -9, -10, -11, -12, -13
FATE_RAN, FATE_CANCELLED, FATE_EXPIRED, FATE_DISCARDED = 1, 2, 3, 4
STOP_NONE, STOP_CANCELLED, STOP_FAILED, STOP_DEADLINE, STOP_SHUTDOWN = 0, 1, 2, 3, 4
FOREVER = 2**64 - 1
_ABI = "0.1"


class _Struct(ctypes.Structure):
    """A struct of the header, which begins with its size."""

    @classmethod
    def new(cls, **fields):
        made = cls(**fields)
        made.struct_size = ctypes.sizeof(cls)
        return made

    def __repr__(self):
        named = (name for name, *_ in self._fields_ if name not in ("struct_size", "reserved"))
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in named)})"


class Options(_Struct):
    _fields_ = [("struct_size", c_size_t), ("name", c_char_p), ("workers", c_uint32), ("capacity", c_uint32),
                ("mode", c_uint32), ("timers", c_uint32), ("stack_size", c_uint64), ("on_thread_start", c_void_p),
                ("on_thread_stop", c_void_p), ("thread_arg", c_void_p), ("reserved_pointer", c_void_p)]


class Task(_Struct):
    _fields_ = [("struct_size", c_size_t), ("run", c_void_p), ("arg", c_void_p), ("end", c_void_p), ("label", c_char_p),
                ("results", c_void_p), ("group", c_void_p), ("reserved_pointer", c_void_p), ("user_data", c_uint64),
                ("deadline", c_uint64)]


class Outcome(_Struct):
    _fields_ = [("struct_size", c_size_t), ("label", c_char_p), ("fate", c_uint32), ("status", c_int32),
                ("worker", c_uint32), ("reserved", c_uint32)]


class Stats(_Struct):
    _fields_ = [("struct_size", c_size_t), ("footprint", c_size_t), ("workers", c_uint32), ("capacity", c_uint32),
                ("exact", c_uint32), ("closed", c_uint32), ("accepted", c_uint64), ("ran", c_uint64), ("failed", c_uint64),
                ("cancelled", c_uint64), ("expired", c_uint64), ("discarded", c_uint64), ("queued", c_uint64),
                ("running", c_uint64), ("passed_over", c_uint64), ("refused", c_uint64), ("waits", c_uint64),
                ("wait_ns", c_uint64), ("waiting", c_uint64), ("workers_reason", c_uint32), ("reserved", c_uint32)]


class GroupOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("parent", c_void_p), ("deadline", c_uint64), ("on_error", c_uint32),
                ("max_running", c_uint32)]


class GroupStatus(_Struct):
    _fields_ = [("struct_size", c_size_t), ("reserved", c_size_t), ("queued", c_uint64), ("running", c_uint64),
                ("ran", c_uint64), ("failed", c_uint64), ("cancelled", c_uint64), ("expired", c_uint64),
                ("discarded", c_uint64), ("stop", c_uint32), ("first_status", c_int32), ("first_label", ctypes.c_char * 32)]


class ResultsOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("reserved_pointer", c_void_p), ("capacity", c_uint32), ("flags", c_uint32)]


class RawRecord(_Struct):
    _fields_ = [("struct_size", c_size_t), ("arg", c_void_p), ("user_data", c_uint64), ("queued_ns", c_uint64),
                ("running_ns", c_uint64), ("fate", c_uint32), ("status", c_int32), ("worker", c_uint32),
                ("reserved", c_uint32)]


_FUNCTIONS = {  # what is called, and with what; a pointer to an opaque thing is a c_void_p
    "wp_version_number": (c_uint32,),
    "wp_strerror": (c_char_p, c_int),
    "wp_create": (c_int, ctypes.POINTER(Options), ctypes.POINTER(c_void_p)),
    "wp_submit_batch": (c_int, c_void_p, ctypes.POINTER(Task), c_size_t, c_size_t, c_uint64, ctypes.POINTER(c_size_t)),
    "wp_wait_idle": (c_int, c_void_p, c_uint64),
    "wp_shutdown_for": (c_int, c_void_p, c_uint32, c_uint64, c_void_p),
    "wp_destroy": (c_int, c_void_p),
    "wp_stats_get": (c_int, c_void_p, ctypes.POINTER(Stats)),
    "wp_deadline_after": (c_uint64, c_void_p, c_uint64),
    "wp_should_stop": (c_int, c_void_p),
    "wp_stop_reason": (c_uint32, c_void_p),
    "wp_time_left": (c_uint64, c_void_p),
    "wp_worker_index": (c_uint32, c_void_p),
    "wp_group_create": (c_int, c_void_p, ctypes.POINTER(GroupOptions), ctypes.POINTER(c_void_p)),
    "wp_group_release": (c_int, c_void_p),
    "wp_group_wait": (c_int, c_void_p, c_uint64),
    "wp_group_cancel": (c_int, c_void_p),
    "wp_group_status_get": (c_int, c_void_p, ctypes.POINTER(GroupStatus)),
    "wp_results_create": (c_int, ctypes.POINTER(ResultsOptions), ctypes.POINTER(c_void_p)),
    "wp_results_release": (c_int, c_void_p),
    "wp_results_next": (c_int, c_void_p, ctypes.POINTER(RawRecord), c_uint64),
    "wp_results_close": (c_int, c_void_p),
    "wp_results_fd": (c_int, c_void_p),
}


def _load(kind):
    library = kind(os.environ.get("WORKERPOOL_LIBRARY") or f"libworkerpool.so.{_ABI}")
    for name, (returned, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returned, arguments
    major, minor = divmod(library.wp_version_number() // 1000, 1000)
    if f"{major}.{minor}" != _ABI:
        raise ImportError(f"libworkerpool is {major}.{minor}, and this file is for {_ABI}")
    return library


_lib = _load(ctypes.CDLL)
# Keeps Python's lock during a call: for what neither waits nor calls back. To let it go costs more than most submits.
_quick = _load(ctypes.PyDLL)


class PoolError(RuntimeError):
    """A call that the library refused; `code` is its WP_E… number. Nothing was done."""

    def __init__(self, code):
        super().__init__(_lib.wp_strerror(code).decode())
        self.code = code


class Full(PoolError, queue.Full):
    """No room in the queue, or none in time."""


class ResultsFull(PoolError, queue.Full):
    """No place in the task's results: read some."""


class Closed(PoolError):
    """The pool, or the results, were closed."""


class GroupCancelled(PoolError):
    """The task's group has been cancelled, and takes nothing more."""


class WouldDeadlock(PoolError):
    """Inside a task this call would have to wait for that very task, or for the room that it takes up."""


class NotRun(concurrent.futures.CancelledError):
    """The fate of a task that was accepted and never ran; which one is told by the subclass."""


class Cancelled(NotRun):
    """Its group was cancelled first."""


class Expired(NotRun, TimeoutError):
    """Its deadline, or its group's, passed first."""


class Discarded(NotRun):
    """A shutdown discarded it."""


_ERRORS = {EFULL: Full, ETIMEDOUT: Full, ERESULTS: ResultsFull, ECLOSED: Closed, ECANCELLED: GroupCancelled,
           EDEADLK: WouldDeadlock}
_FATES = {FATE_CANCELLED: Cancelled, FATE_EXPIRED: Expired, FATE_DISCARDED: Discarded}


def _check(code):
    if code == EINVAL:
        raise ValueError(_lib.wp_strerror(code).decode())
    if code == ENOMEM:
        raise MemoryError(_lib.wp_strerror(code).decode())
    if code != OK:
        raise _ERRORS.get(code, PoolError)(code)


def _over(code):
    """Of a wait: True when it is over, False when it is not so in time."""
    if code != ETIMEDOUT:
        _check(code)
    return code == OK


def _nanoseconds(seconds):
    """What is below 0 is over; None, and what no clock reaches, is FOREVER."""
    if seconds is None:
        return FOREVER
    if seconds != seconds:
        raise ValueError("not a time: nan")
    return min(int(min(max(seconds, 0), FOREVER) * 1e9), FOREVER)  # bounded first: an int of any size is no float


def _on_main_thread():
    return threading.get_ident() == threading.main_thread().ident


def _wait(call, timeout):
    """call(nanoseconds) for up to `timeout` seconds; in slices where Ctrl-C must come through."""
    left = _nanoseconds(timeout)
    if not _on_main_thread():
        return call(left)
    until = time.monotonic_ns() + left
    while True:
        code = call(min(left, 100_000_000))
        left = until - time.monotonic_ns()
        if code != ETIMEDOUT or left <= 0:
            return code


def _off_main_thread(call):
    """call(), on a thread that no Ctrl-C strikes: it may run `end` callbacks."""
    if not _on_main_thread():
        return call()
    codes = []
    helper = threading.Thread(target=lambda: codes.append(call()), name="wp-cancel")
    try:
        helper.start()
    except RuntimeError:  # the interpreter is ending, and starts no more threads
        return call()
    helper.join()
    return codes[0]


class _Task:
    """What a task needs here, from its submit to its `end`."""

    __slots__ = ("future", "function", "args", "kwargs", "group", "label", "value", "error")

    def __init__(self, function, args, kwargs, group, label):
        self.future, self.function, self.args, self.kwargs = concurrent.futures.Future(), function, args, kwargs
        self.group, self.label, self.value, self.error = group, label, None, None


_open: dict[int, _Task] = {}
_here = threading.local()  # .context: of the task that runs on this thread


@ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p)
def _run(context, number):
    task = _open[number]
    if not task.future.set_running_or_notify_cancel():
        return 0  # Future.cancel() came first
    outer, _here.context = getattr(_here, "context", None), (context, task.group)
    try:
        task.value = task.function(*task.args, **task.kwargs)
        return 0
    except BaseException as error:  # whatever it is, it is this task's failure and no other
        task.error, group = error, task.group
        while group is not None:
            if group.first_error is None:
                group.first_error = error
            group = group.parent
        return 1
    finally:
        _here.context = outer


@ctypes.CFUNCTYPE(None, ctypes.POINTER(Outcome), c_void_p)
def _end(outcome, number):
    task = _open.pop(number)
    fate, future = outcome[0].fate, task.future
    if fate != FATE_RAN:
        if future.set_running_or_notify_cancel():
            future.set_exception(_FATES[fate]())
    elif task.error is not None:
        future.set_exception(task.error)
    elif not future.cancelled():
        future.set_result(task.value)


# PyGILState_Ensure once more than ctypes does: so the thread state outlives the callback, until _detach gives it back.
@ctypes.CFUNCTYPE(None, c_uint32, c_void_p)
def _attach(worker, arg):
    ctypes.pythonapi.PyGILState_Ensure()


@ctypes.CFUNCTYPE(None, c_uint32, c_void_p)
def _detach(worker, arg):
    ctypes.pythonapi.PyGILState_Release(0)  # PyGILState_LOCKED: ctypes holds it too, and lets it go


_RUN, _END, _ATTACH, _DETACH = (ctypes.cast(f, c_void_p).value for f in (_run, _end, _attach, _detach))
_TASK_SIZE = ctypes.sizeof(Task)


def _context():
    return getattr(_here, "context", None) or (None, None)


def should_stop() -> bool:
    """In a task: whether it had better stop, for a reason that stop_reason() tells (STOP_…)."""
    return bool(_lib.wp_should_stop(_context()[0]))


def stop_reason() -> int:
    return _lib.wp_stop_reason(_context()[0])


def time_left() -> float | None:
    """In a task: seconds until its deadline or its group's; None: it has none."""
    left = _lib.wp_time_left(_context()[0])
    return None if left == FOREVER else left / 1e9


def worker_index() -> int | None:
    context = _context()[0]
    return None if context is None else _lib.wp_worker_index(context)


def current_group() -> Group | None:
    """In a task: its group, to submit more to it, or to cancel it."""
    return _context()[1]


def _give_back(owner, release):
    """Has release(handle) called when its owner is gone. Not at the exit of the interpreter: that would be before the drain, in which
    tasks still use what they have; the memory goes with the process."""
    weakref.finalize(owner, release, owner._handle).atexit = False


_unfinished: set[Pool] = set()  # pools that were not shut down


class Pool(concurrent.futures.Executor):
    """A pool of threads with a bounded queue. Used by `with`, it is drained at the end of the block."""

    def __init__(self, workers=0, capacity=0, *, name=None, timers=False, stack_size=0):
        options = Options.new(workers=workers, capacity=capacity, name=name and name.encode(), timers=int(timers),
                              stack_size=stack_size, on_thread_start=_ATTACH, on_thread_stop=_DETACH)
        handle = c_void_p()
        _check(_lib.wp_create(options, handle))
        self._handle = handle.value
        _unfinished.add(self)

    def submit(self, fn, /, *args, **kwargs) -> concurrent.futures.Future:
        """Hands fn(*args, **kwargs) to the pool; waits while the queue is full."""
        return self.submit_task(fn, args, kwargs)

    def try_submit(self, fn, /, *args, **kwargs) -> concurrent.futures.Future | None:
        """submit() that never waits: None when the queue is full."""
        try:
            return self.submit_task(fn, args, kwargs, timeout=0)
        except Full:
            return None

    def submit_task(self, fn, args=(), kwargs=None, *, group=None, results=None, expires_in=None, label=None, timeout=None):
        """A task in full. It joins `group`, its record goes to `results`, it never starts later than `expires_in` seconds
        from now, and the submit waits for room for `timeout` seconds, then raises Full."""
        deadline = self._instant(expires_in)
        task = _Task(fn, args, kwargs or {}, group, label and label.encode())
        number, key = id(task), id(task.future)
        asked = Task(_TASK_SIZE, _RUN, number, _END, task.label, results and results._handle, group and group._handle, None,
                     key, deadline)
        # A batch of one, for its `accepted`: a Ctrl-C can take the returned code away from us, but not what was written.
        future, accepted = task.future, c_size_t()
        try:
            _open[number] = task
            if results is not None:
                results._futures[key] = future
            code = _quick.wp_submit_batch(self._handle, asked, 1, _TASK_SIZE, 0, accepted)
            if code in (EFULL, ERESULTS) and timeout != 0:
                code = _wait(lambda ns: _lib.wp_submit_batch(self._handle, asked, 1, _TASK_SIZE, ns, accepted), timeout)
            _check(code)
        finally:
            if not accepted:
                _open.pop(number, None)
                if results is not None:
                    results._futures.pop(key, None)
        return future

    def _instant(self, seconds) -> int:
        return 0 if seconds is None else _quick.wp_deadline_after(self._handle, _nanoseconds(seconds))

    def group(self, **options) -> Group:
        """A group of this pool's tasks; `options` as Group takes them."""
        return Group(self, **options)

    def wait_idle(self, timeout=None) -> bool:
        """Waits until nothing is queued and nothing runs; False when that is not so in time."""
        return _over(_wait(lambda ns: _lib.wp_wait_idle(self._handle, ns), timeout))

    def shutdown(self, wait=True, *, cancel_futures=False, timeout=None) -> bool:
        """Takes no more tasks and runs what was accepted, or discards what is queued (cancel_futures). True: all is over
        and the threads are gone. False: not in time, or wait is false; call again to go on waiting."""
        if cancel_futures:
            _over(_off_main_thread(lambda: _lib.wp_shutdown_for(self._handle, 1, 0, None)))
        over = _over(_wait(lambda ns: _lib.wp_shutdown_for(self._handle, 0, ns, None), timeout if wait else 0))
        if over:
            try:
                _unfinished.remove(self)
            except KeyError:
                pass  # a shutdown before this one, or beside it, has done that
            else:
                _give_back(self, _lib.wp_destroy)  # no call on it can be in progress when it is gone
        return over

    def stats(self) -> Stats:
        stats = Stats.new()
        _check(_lib.wp_stats_get(self._handle, stats))
        return stats


class Group:
    """Tasks that are waited for and cancelled together. Used by `with`, it is waited for at the end of the block, and
    cancelled first if the block was left by an exception."""

    def __init__(self, pool, *, parent=None, expires_in=None, cancel_on_error=False, max_running=0):
        self.pool, self.parent = pool, parent
        self.first_error: BaseException | None = None  # that left one of its tasks
        options = GroupOptions.new(parent=parent and parent._handle, on_error=int(cancel_on_error), max_running=max_running,
                                   deadline=pool._instant(expires_in))
        handle = c_void_p()
        _check(_lib.wp_group_create(pool._handle, options, handle))
        self._handle = handle.value
        _give_back(self, _lib.wp_group_release)

    def submit(self, fn, /, *args, **kwargs) -> concurrent.futures.Future:
        return self.pool.submit_task(fn, args, kwargs, group=self)

    def wait(self, timeout=None) -> bool:
        """Waits until none of its tasks is queued or runs; False when that is not so in time. In a task of the pool it
        runs the group's queued tasks meanwhile, and raises WouldDeadlock where it would have to sleep."""
        return _over(_wait(lambda ns: _lib.wp_group_wait(self._handle, ns), timeout))

    def cancel(self) -> None:
        """For good: what is queued ends as Cancelled, what runs sees it by should_stop(), a submit gets GroupCancelled."""
        _check(_off_main_thread(lambda: _lib.wp_group_cancel(self._handle)))

    def status(self) -> GroupStatus:
        status = GroupStatus.new()
        _check(_lib.wp_group_status_get(self._handle, status))
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.cancel()
        self.wait()


class Record(typing.NamedTuple):
    """What became of one task. Its future is done."""

    future: concurrent.futures.Future
    fate: int
    worker: int | None
    queued_ns: int
    running_ns: int


class Results:
    """A bounded queue of records, in the order in which the tasks ended: iterate, after close() to the end."""

    def __init__(self, capacity=0, *, wait=False):
        """wait: a submit that finds no place waits for one, instead of raising ResultsFull. Somebody else must read."""
        handle = c_void_p()
        _check(_lib.wp_results_create(ResultsOptions.new(capacity=capacity, flags=int(wait)), handle))
        self._handle, self._futures = handle.value, {}
        _give_back(self, _lib.wp_results_release)

    def next(self, timeout=None) -> Record | None:
        """The oldest record; None: none in time. Raises Closed when nothing more will come."""
        raw = RawRecord.new()
        if not _over(_wait(lambda ns: _lib.wp_results_next(self._handle, raw, ns), timeout)):
            return None
        worker = None if raw.fate != FATE_RAN else raw.worker
        return Record(self._futures.pop(raw.user_data), raw.fate, worker, raw.queued_ns, raw.running_ns)

    def close(self) -> None:
        """No task may name these results any more; what was accepted still comes."""
        _check(_lib.wp_results_close(self._handle))

    def fileno(self) -> int:
        """For select and its kin: readable when next() would not wait."""
        fd = _lib.wp_results_fd(self._handle)
        _check(min(fd, OK))
        return fd

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.next()
        except Closed:
            raise StopIteration from None


@atexit.register
def _drain():
    # No worker may come back to an interpreter that is gone, so nothing interrupts this; Ctrl-C discards what has not started.
    interrupts = []
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    while _unfinished:
        pool = next(iter(_unfinished))
        try:
            pool.shutdown(cancel_futures=bool(interrupts), timeout=0.1)
        except PoolError:
            _unfinished.discard(pool)


os.register_at_fork(after_in_child=_unfinished.clear)
