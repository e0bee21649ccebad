//! `wp_pool`: the handle, its threads, and the calls on it.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use super::guard::{guard, guard_pool};
use super::limits::{WP_SHUTDOWN_CANCEL, WP_SHUTDOWN_DRAIN};
use super::options::{self, Settings, wp_options, wp_thread_fn};
use super::results;
use super::sized;
use super::stats::{wp_shutdown_report, wp_stats};
use super::status::{WP_EFORKED, WP_EINVAL, WP_EPANIC, WP_OK};
use super::task::{self, Task, wp_run_fn, wp_task};
use crate::pool::{Config, Error, Mode, Pool, ThreadHooks, Wait};
use crate::sys::{clock, fork, thread};

/// A pool: a fixed number of threads and a queue of fixed size. Opaque; used through pointers only.
pub struct wp_pool {
    pub(super) core: Pool<Task>,
    threads: Box<[thread::Seat]>,
    hooks: Hooks,
    pub(super) family: fork::Family,
    /// Of a manual pool.
    clock: Option<clock::Manual>,
}

struct Hooks {
    on_start: wp_thread_fn,
    on_stop: wp_thread_fn,
    arg: *mut c_void,
}

// SAFETY: the argument is the caller's, who by the header's contract lets every worker use it.
unsafe impl Sync for Hooks {}
// SAFETY: as above.
unsafe impl Send for Hooks {}

impl ThreadHooks for Hooks {
    fn started(&self, worker: u32) {
        if let Some(call) = self.on_start {
            // SAFETY: the caller gave this function to be called on each worker with this argument.
            unsafe { call(worker, self.arg) };
        }
    }

    fn stopping(&self, worker: u32) {
        if let Some(call) = self.on_stop {
            // SAFETY: as above.
            unsafe { call(worker, self.arg) };
        }
    }
}

/// What wp_create() asks the system for: this struct, the core's parts, and each thread's records.
pub(super) fn footprint(config: &Config) -> u64 {
    let threads = u64::from(config.threads()) * (size_of::<thread::Seat>() + thread::SYSTEM_RECORD) as u64;
    size_of::<wp_pool>() as u64 + Pool::<Task>::footprint(config) + threads
}

impl wp_pool {
    fn new(settings: &Settings) -> Result<Box<[wp_pool]>, Error> {
        let family = fork::family().ok_or(Error::Memory)?;
        // A slice of one: the stable way to a box whose allocation may fail.
        let mut place = Vec::new();
        place.try_reserve_exact(1).map_err(|_| Error::Memory)?;
        let mut threads = Vec::new();
        threads.try_reserve_exact(settings.config.threads() as usize).map_err(|_| Error::Memory)?;
        threads.resize_with(settings.config.threads() as usize, thread::Seat::default);
        let hooks =
            Hooks { on_start: settings.on_start, on_stop: settings.on_stop, arg: settings.thread_arg };
        let clock = settings.config.is_manual().then(clock::Manual::default);
        place.push(wp_pool {
            core: Pool::new(&settings.config)?,
            threads: threads.into(),
            hooks,
            family,
            clock,
        });
        Ok(place.into())
    }

    /// All workers, or none: what was begun is undone when one does not start.
    fn start(&self, settings: &Settings) -> Result<(), Error> {
        for (index, seat) in self.threads.iter().enumerate() {
            self.core.expect_worker();
            let how =
                thread::How { name: &settings.name, index: index as u32, stack_size: settings.stack_size };
            // SAFETY: the pool stays where it is until join() has returned, see wp_create() and wp_destroy().
            if unsafe { seat.start(&how, enter, (&raw const *self).cast()) }.is_err() {
                self.core.unexpect_worker();
                let _ = self.shutdown(Mode::Drain, Wait::Forever);
                return Err(Error::Thread);
            }
        }
        Ok(())
    }

    fn shutdown(&self, mode: Mode, wait: Wait) -> Result<(), Error> {
        self.core.shutdown(mode, wait, || self.threads.iter().for_each(thread::Seat::join))
    }

    pub(super) fn manual_clock(&self) -> Option<&clock::Manual> {
        self.clock.as_ref()
    }

    pub(super) fn step(&self, max: u64, ran: &mut u64) -> c_int {
        code(self.core.step(max, ran))
    }

    pub(super) fn fail(&self) {
        self.core.fail();
    }

    /// What can't panic needs no guard: a submit that finds room and nobody to wake goes without. `task` makes the task once more
    /// for the other way, which so costs this one nothing.
    #[inline(always)]
    fn submit(&self, task: impl Fn() -> (Task, Option<task::Detail>), wait: Wait) -> c_int {
        if !self.family.is_ours() {
            return WP_EFORKED;
        }
        let (job, detail) = task();
        if self.core.submit_quickly(job, detail) {
            return WP_OK;
        }
        self.submit_slowly(task, wait)
    }

    #[cold]
    #[inline(never)]
    fn submit_slowly(&self, task: impl Fn() -> (Task, Option<task::Detail>), wait: Wait) -> c_int {
        guard_pool(self, || {
            let (job, detail) = task();
            code(self.core.submit_slowly(job, detail, wait))
        })
    }
}

pub(super) fn code(result: Result<(), Error>) -> c_int {
    result.map_or_else(c_int::from, |()| WP_OK)
}

/// The body of every worker thread.
fn enter(pool: *const (), index: u32) {
    // SAFETY: start() handed its own pool, which outlives the thread.
    let pool = unsafe { &*pool.cast::<wp_pool>() };
    // A C++ exception that leaves a task ends the process here, with the runtime's message.
    guard_pool(pool, || {
        pool.core.work(index, &pool.hooks);
        WP_OK
    });
}

/// The pool behind a handle, for every call but create and destroy.
///
/// # Safety
/// `pool` is NULL or a pool that was created and not yet destroyed.
pub(super) unsafe fn on_pool(pool: *const wp_pool, body: impl FnOnce(&wp_pool) -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { pool.as_ref() } {
        None => WP_EINVAL,
        Some(pool) if !pool.family.is_ours() => WP_EFORKED,
        Some(pool) => guard_pool(pool, || body(pool)),
    }
}

/// Makes a pool and starts its threads: all of them, or none and an error.
///
/// `options`: NULL means all defaults. Everything in it is copied. `pool`: receives the new pool; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `pool` is NULL, a number is out of its range, `mode` is unknown, `struct_size` is wrong;
/// WP_ENOTSUP: a reserved field is set, or a field that this version does not know;
/// WP_ENOMEM: there is no memory for the queue and the workers' records; WP_ETHREAD: a thread could not be started
/// (those that were are stopped again, with their hooks).
/// Thread safety: any thread, also inside a callback. Blocks: only as the system's own thread start does; with
/// WP_ETHREAD also until the threads that were started have ended. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_create(options: *const wp_options, pool: *mut *mut wp_pool) -> c_int {
    guard(|| {
        if pool.is_null() {
            return WP_EINVAL;
        }
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        let made = unsafe { options::read(options) }.and_then(|settings| {
            let made = wp_pool::new(&settings)?;
            made[0].start(&settings)?;
            Ok(made)
        });
        match made {
            Ok(made) => {
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *pool = Box::into_raw(made).cast() };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

/// Hands a task to the pool: some worker will call `run(arg)` once. While the queue is full the call waits for room:
/// that is how a fast producer is held back. The workers take the tasks in the order in which they were accepted.
///
/// A submit that finds room takes it, whether others wait or not. Those that wait are let in in the order in which they
/// came, when three quarters of the queue are free (of a queue of 16 or less: all but 4 places, or all but half of them; of one above
/// 341: 256 places), so that one switch between threads serves many tasks. That moment may never come (what the running tasks
/// wait for may be this very caller), so the first in line looks for itself too, after 1 ms and then at doubling intervals up to
/// 1 s, and takes whatever room there is then; those behind it do so from 16 ms on.
///
/// Returns WP_OK: accepted, the task will run unless a shutdown discards it. On any error nothing was accepted, and
/// `arg` is still the caller's. WP_EINVAL: `pool` or `run` is NULL; WP_ECLOSED: a shutdown has begun, also while the
/// call waited; WP_EDEADLK: the queue is full and the caller is inside a callback of this pool; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full. Allocates nothing.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_submit(pool: *mut wp_pool, run: wp_run_fn, arg: *mut c_void) -> c_int {
    // SAFETY: as documented.
    unsafe { submit_plain(pool, run, arg, Wait::Forever) }
}

/// wp_submit() that never waits: WP_EFULL at once when the queue is full.
///
/// Returns as wp_submit(), and WP_EFULL instead of waiting (never WP_EDEADLK).
/// Thread safety: any thread, also inside a callback of the pool. Blocks: never. Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_try_submit(pool: *mut wp_pool, run: wp_run_fn, arg: *mut c_void) -> c_int {
    // SAFETY: as documented.
    unsafe { submit_plain(pool, run, arg, Wait::Never) }
}

/// wp_submit() that waits at most `timeout_ns` nanoseconds for room (WP_FOREVER: without limit).
///
/// It waits in the same line as wp_submit(). When its time is up it tries once more, wherever it stands, so it never
/// times out while there is room. Each call begins at the end of the line: who cuts one long wait into several short
/// ones loses the place each time, and each of them counts in `wp_stats.waits` and `wp_stats.refused`.
///
/// Returns as wp_submit(), and WP_ETIMEDOUT when there was no room in time. With a timeout of 0 that is at once, also
/// inside a callback (never WP_EDEADLK, and never WP_EFULL, which only wp_try_submit() returns).
/// Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full, up to the timeout.
/// Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_submit_for(
    pool: *mut wp_pool,
    run: wp_run_fn,
    arg: *mut c_void,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: as documented.
    unsafe { submit_plain(pool, run, arg, Wait::for_ns(timeout_ns)) }
}

/// # Safety
/// As [`on_pool`].
#[inline(always)]
unsafe fn submit_plain(pool: *mut wp_pool, run: wp_run_fn, arg: *mut c_void, wait: Wait) -> c_int {
    // SAFETY: the caller's promise.
    match (unsafe { pool.as_ref() }, run) {
        (Some(pool), Some(run)) => pool.submit(move || (Task::plain(run, arg), None), wait),
        _ => WP_EINVAL,
    }
}

/// Hands a full task to the pool: one that returns a status, can ask its context, and has an `end` callback that learns
/// its fate. Waits for room like wp_submit_for().
///
/// `task` is copied. `timeout_ns`: nanoseconds; 0 does not wait (WP_ETIMEDOUT when the queue is full, not WP_EFULL),
/// WP_FOREVER waits without limit.
///
/// If the task names results, it has its place there before it is accepted. While they are full the answer is WP_ERESULTS at once;
/// if they were made with WP_RESULTS_WAIT, the call waits for a place, within the same timeout (0: WP_ERESULTS at once).
///
/// Returns as wp_submit_for(); also WP_EINVAL: `task` or its `run` is NULL, or its `struct_size` is wrong; WP_ENOTSUP: a field
/// is set that this version does not know; WP_ERESULTS; WP_ECLOSED: also if its results are closed; WP_EDEADLK: also if the
/// call would have to wait for a place there; WP_EFORKED: also if its results were made before the fork. On any error `end` is not
/// called and no record comes.
/// Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full, up to the timeout.
/// Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_submit_task(pool: *mut wp_pool, task: *const wp_task, timeout_ns: u64) -> c_int {
    // SAFETY: NULL or valid, as documented.
    match (unsafe { pool.as_ref() }, unsafe { task::read(task) }) {
        (None, _) => WP_EINVAL,
        (_, Err(error)) => error.into(),
        (Some(pool), Ok(task)) if task.results.is_null() => {
            pool.submit(|| Task::full(&task), Wait::for_ns(timeout_ns))
        }
        // SAFETY: as documented, its results are the caller's.
        (Some(pool), Ok(task)) => unsafe { results::submit(pool, &task, Wait::for_ns(timeout_ns)) },
    }
}

/// Hands `count` tasks to the pool, in order, as one wp_submit_task() for each would, but takes room for as many at a time as
/// there is: for small tasks that costs a fraction. `tasks` is an array whose elements are `task_size` bytes apart:
/// sizeof *tasks, which each element's `struct_size` must be too. All elements are looked at before the first is accepted.
///
/// While the queue is full the call waits for room, for at most `timeout_ns` nanoseconds in all (0: not at all; WP_FOREVER:
/// without limit). Tasks of others may come in between.
///
/// `*accepted` (unless `accepted` is NULL) is always written: how many tasks were accepted. These are the first so many; the rest is
/// untouched and still the caller's.
///
/// Returns WP_OK: all are accepted (also when `count` is 0). Otherwise why the task behind those was refused, as wp_submit_task()
/// would say it: WP_ETIMEDOUT, WP_ERESULTS, WP_ECLOSED, WP_EDEADLK, WP_EFORKED, WP_EPANIC; or, before anything was accepted, WP_EINVAL: `pool`
/// is NULL, `tasks` is NULL and `count` is not 0, an element has no `run` or another `struct_size`, or the array can't be that
/// large; WP_ENOTSUP: as for wp_submit_task(), for any element.
/// Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full. Allocates nothing.
/// Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_submit_batch(
    pool: *mut wp_pool,
    tasks: *const wp_task,
    count: usize,
    task_size: usize,
    timeout_ns: u64,
    accepted: *mut usize,
) -> c_int {
    let mut so_far = 0;
    let counted = &mut so_far;
    // SAFETY: as documented.
    let result = unsafe {
        on_pool(pool, move |pool| {
            if count == 0 {
                return WP_OK;
            }
            let (wait, has_results) = (Wait::for_ns(timeout_ns), Cell::new(false));
            let check = |task: &wp_task| {
                has_results.set(has_results.get() || !task.results.is_null());
                task::check(task)
            };
            match sized::Array::new(tasks, count, task_size, check) {
                Err(error) => error.into(),
                Ok(tasks) if has_results.get() => results::submit_batch(pool, &tasks, count, wait, counted),
                Ok(tasks) => {
                    let task = |index| Task::full(&tasks.get(index));
                    code(pool.core.submit_batch(count, task, wait, counted))
                }
            }
        })
    };
    if !accepted.is_null() {
        // SAFETY: NULL or the caller's to write, as documented.
        unsafe { *accepted = so_far };
    }
    result
}

/// Waits until the pool has nothing to do: at some instant after the call began no task was queued, running, or in its
/// `end` callback. Others may submit meanwhile, and have new tasks running when the call returns.
///
/// Returns WP_OK; WP_ETIMEDOUT: not so within `timeout_ns` nanoseconds (0: only looks; WP_FOREVER: no limit);
/// WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of this pool; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also during and after a shutdown. Blocks: up to the timeout. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_wait_idle(pool: *mut wp_pool, timeout_ns: u64) -> c_int {
    // SAFETY: as documented.
    unsafe { on_pool(pool, |pool| code(pool.core.wait_idle(Wait::for_ns(timeout_ns)))) }
}

/// Closes the pool, runs everything that it had accepted, and stops its threads. After WP_OK no task runs or ever will,
/// no callback of the pool either, its threads are gone, and everything that they used may be freed. The same as
/// wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, WP_FOREVER, NULL).
///
/// From the moment it begins every submit is refused with WP_ECLOSED, and those that wait for room are woken with it.
///
/// Returns WP_OK, also when the pool was shut down before; WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of
/// this pool (nothing was closed); WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, several at once too: each returns when all is over. Blocks: until all tasks have ended and
/// all threads are gone. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_shutdown(pool: *mut wp_pool) -> c_int {
    // SAFETY: as documented.
    unsafe { on_pool(pool, |pool| code(pool.shutdown(Mode::Drain, Wait::Forever))) }
}

/// wp_shutdown() with a mode, a limit of time and a report.
///
/// `mode`: WP_SHUTDOWN_DRAIN runs what is queued; WP_SHUTDOWN_CANCEL discards what is queued: the `end` of each such task
/// is called with WP_FATE_DISCARDED on the calling thread, in the order of the queue (first in, first out) and
/// whatever the timeout: nothing accepted goes without its `end`. No task starts any more. (Of several that cancel at
/// once one discards, and the others only wait.) Running tasks always run to their end. A second shutdown may harden the first (drain, then cancel), never soften it.
/// `timeout_ns`: nanoseconds to wait for the end; 0 only begins (or looks), WP_FOREVER has no limit.
/// `report`: NULL, or a wp_shutdown_report with its `struct_size` set; filled on WP_OK and WP_ETIMEDOUT.
///
/// Returns WP_OK: all is over, as after wp_shutdown(); WP_ETIMEDOUT: not yet; the pool is closed but valid, tasks still
/// run and own what they own, call again to go on waiting; WP_EINVAL: `pool` is NULL, `mode` is unknown or the
/// report's `struct_size` is wrong; WP_EDEADLK: inside a callback of this pool; these two changed nothing;
/// WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, several at once too. Blocks: up to the timeout, and for the `end` callbacks that it calls;
/// once all tasks and thread hooks have ended it also waits for the threads' exit, which only their own thread-local
/// clean-up can delay. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_shutdown_for(
    pool: *mut wp_pool,
    mode: u32,
    timeout_ns: u64,
    report: *mut wp_shutdown_report,
) -> c_int {
    let mode = match mode {
        WP_SHUTDOWN_DRAIN => Mode::Drain,
        WP_SHUTDOWN_CANCEL => Mode::Cancel,
        _ => return WP_EINVAL,
    };
    // SAFETY: as documented.
    unsafe {
        if !report.is_null()
            && let Err(error) = sized::check_output(report)
        {
            return error.into();
        }
        on_pool(pool, |pool| {
            let result = pool.shutdown(mode, Wait::for_ns(timeout_ns));
            if !report.is_null() && matches!(result, Ok(()) | Err(Error::TimedOut)) {
                sized::write(report, &wp_shutdown_report::new(pool.core.report()));
            }
            code(result)
        })
    }
}

/// Frees the pool. The last call on it: no other call on this pool may be in progress or follow, as with free(). A
/// pool that was not shut down is drained first, as by wp_shutdown(); after a successful shutdown this never waits.
///
/// Returns WP_OK, also for NULL, which does nothing; WP_EDEADLK: inside a callback of this pool, nothing was done;
/// WP_EPANIC: the library found a fault of its own, and the memory is left alone. In the child of a fork it frees what
/// it can without waiting for anything, calls no callback, and returns WP_OK.
/// Thread safety: no other call on this pool at the same time. Blocks: until all tasks have ended and all threads are
/// gone, unless a shutdown has said WP_OK before. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_destroy(pool: *mut wp_pool) -> c_int {
    guard(|| {
        // SAFETY: as documented.
        let Some(alive) = (unsafe { pool.as_ref() }) else { return WP_OK };
        if alive.family.is_ours() {
            let over = guard_pool(alive, || code(alive.shutdown(Mode::Drain, Wait::Forever)));
            if over != WP_OK {
                return over;
            }
        }
        // SAFETY: made by wp_create() as a slice of one; by the contract nobody else uses it, and no worker runs.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(pool, 1)) });
        WP_OK
    })
}

/// One snapshot of the pool's figures.
///
/// `stats`: its `struct_size` must be set (WP_STATS_INIT); at most that many bytes are written.
///
/// Returns WP_OK; WP_EINVAL: `pool` or `stats` is NULL, or its `struct_size` is wrong; WP_EFORKED; WP_EPANIC. On failure
/// `*stats` is left alone.
/// Thread safety: any thread, also inside a callback, also after a shutdown. Blocks: never. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_stats_get(pool: *const wp_pool, stats: *mut wp_stats) -> c_int {
    // SAFETY: as documented.
    unsafe {
        if let Err(error) = sized::check_output(stats) {
            return error.into();
        }
        on_pool(pool, |pool| {
            if pool.core.has_failed() {
                return WP_EPANIC;
            }
            sized::write(stats, &wp_stats::new(pool.core.snapshot(), footprint(pool.core.config())));
            WP_OK
        })
    }
}

/// The pool's own clock, in nanoseconds: it never goes back, does not move with the wall clock, and begins anywhere; that of a
/// manual pool moves by wp_clock_advance() alone. 0 if `pool` is NULL.
///
/// Thread safety: any thread, also inside a callback, and in the child of a fork. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_now(pool: *const wp_pool) -> u64 {
    // SAFETY: as documented.
    match unsafe { pool.as_ref() } {
        None => 0,
        Some(pool) => pool.manual_clock().map_or_else(clock::now_ns, clock::Manual::now_ns),
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<wp_pool>();
};
