//! The submits: simple tasks, full tasks, batches.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use super::group;
use super::guard::guard_pool;
use super::pool::{code, on_pool, wp_pool};
use super::results;
use super::sized;
use super::status::{WP_EFORKED, WP_EINVAL, WP_OK};
use super::task::{self, Task, wp_run_fn, wp_task};
use crate::pool::Wait;
use crate::pool::results::Place;

impl wp_pool {
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

    /// A task that names results, a group or a deadline.
    ///
    /// # Safety
    /// The results and the group are NULL, or the caller has a reference.
    unsafe fn submit_joined(&self, given: &wp_task, wait: Wait) -> c_int {
        if !self.family.is_ours() {
            return WP_EFORKED;
        }
        guard_pool(self, || {
            // SAFETY: the caller's promise.
            let (group, results) = unsafe {
                if let Err(error) = group::check(given.group, self) {
                    return error.into();
                }
                match results::core(given.results) {
                    Ok(results) => (group::core(given.group).as_ref(), results),
                    Err(error) => return error.into(),
                }
            };
            code(match results {
                Some(results) => {
                    self.core.submit_recorded(results, group, |place| Task::full(given, place), wait)
                }
                None => {
                    let (job, detail) = Task::full(given, Place::NONE);
                    self.core.submit_slowly(job, detail, wait)
                }
            })
        })
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
/// Returns as wp_submit(), and WP_ETIMEDOUT when there was no room in time. With a timeout of 0 it is wp_try_submit(): WP_EFULL at
/// once, and never WP_ETIMEDOUT or WP_EDEADLK.
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
/// `task` is copied. `timeout_ns`: nanoseconds; 0 does not wait (WP_EFULL when the queue is full), WP_FOREVER waits
/// without limit.
///
/// If the task names results, it has its place there before it is accepted. While they are full the answer is WP_ERESULTS at once;
/// if they were made with WP_RESULTS_WAIT, the call waits for a place, within the same timeout (0: WP_ERESULTS at once).
///
/// Returns as wp_submit_for(); also WP_EINVAL: `task` or its `run` is NULL, its `struct_size` is wrong, or its group is of another
/// pool; WP_ENOTSUP: a field is set that this version does not know; WP_ECANCELLED: its group, or one that this stands in, has been
/// cancelled, also while the call waited; WP_ERESULTS; WP_ECLOSED: also if its results are closed; WP_EDEADLK: also if the
/// call would have to wait for a place there; WP_EFORKED: also if its results were made before the fork. When several of
/// WP_ECLOSED, WP_ECANCELLED and WP_ERESULTS are true, any of them is told. On any error `end` is not called and no record comes.
/// Thread safety: any thread, also inside a callback of the pool. Blocks: while the queue is full, up to the timeout.
/// Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_submit_task(pool: *mut wp_pool, task: *const wp_task, timeout_ns: u64) -> c_int {
    // SAFETY: NULL or valid, as documented.
    match (unsafe { pool.as_ref() }, unsafe { task::read(task) }) {
        (None, _) => WP_EINVAL,
        (_, Err(error)) => error.into(),
        (Some(pool), Ok(task)) if task.results.is_null() && !task::is_scoped(&task) => {
            pool.submit(|| Task::full(&task, Place::NONE), Wait::for_ns(timeout_ns))
        }
        // SAFETY: as documented, its results and its group are the caller's.
        (Some(pool), Ok(task)) => unsafe { pool.submit_joined(&task, Wait::for_ns(timeout_ns)) },
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
/// would say it: WP_EFULL, WP_ETIMEDOUT, WP_ECANCELLED, WP_ERESULTS, WP_ECLOSED, WP_EDEADLK, WP_EFORKED, WP_EPANIC; or, before anything was accepted, WP_EINVAL: `pool`
/// is NULL, `tasks` is NULL and `count` is not 0, an element has no `run`, another `struct_size` or a group of another pool, or the array can't be that
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
            let (has_results, is_scoped) = (Cell::new(false), Cell::new(false));
            let check = |task: &wp_task| {
                has_results.set(has_results.get() || !task.results.is_null());
                is_scoped.set(is_scoped.get() || task::is_scoped(task));
                task::check(task)
                    .and_then(|()| group::check(task.group, pool))
                    .and_then(|()| results::core(task.results).map(drop))
            };
            let tasks = match sized::Array::new(tasks, count, task_size, check) {
                Err(error) => return error.into(),
                Ok(tasks) => tasks,
            };
            let task = |index, place| Task::full(&tasks.get(index), place);
            // They were there when they were checked, and stay the caller's.
            let results = |index| results::core(tasks.get(index).results).ok().flatten();
            let wait = Wait::for_ns(timeout_ns);
            code(match (is_scoped.get(), has_results.get()) {
                (true, _) => pool.core.submit_each(count, task, results, wait, counted),
                (false, true) => pool.core.submit_recorded_batch(count, task, results, wait, counted),
                (false, false) => {
                    pool.core.submit_batch(count, |index| task(index, Place::NONE), wait, counted)
                }
            })
        })
    };
    if !accepted.is_null() {
        // SAFETY: NULL or the caller's to write, as documented.
        unsafe { *accepted = so_far };
    }
    result
}
