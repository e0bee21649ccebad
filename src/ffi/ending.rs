//! Waiting, ending, and seeing: the other calls on a pool.

use std::ffi::c_int;

use super::guard::{guard, guard_pool};
use super::limits::{WP_FOREVER, WP_SHUTDOWN_CANCEL, WP_SHUTDOWN_DRAIN};
use super::pool::{code, footprint, on_pool, wp_pool};
use super::sized;
use super::stats::{wp_shutdown_report, wp_stats};
use super::status::{WP_EINVAL, WP_OK};
use crate::pool::{Error, Mode, Wait};

/// Waits until the pool has nothing to do: at some instant after the call began no task was queued, running, or in its
/// `end` callback. Others may submit meanwhile, and have new tasks running when the call returns.
///
/// Returns WP_OK; WP_ETIMEDOUT: not so within `timeout_ns` nanoseconds (0: only looks; WP_FOREVER: no limit);
/// WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of this pool, or, of a manual pool: another thread submits, runs or ends a
/// task just then; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also during and after a shutdown. Blocks: up to the timeout; on a manual pool, whose tasks it runs, as long
/// as they take. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_wait_idle(pool: *mut wp_pool, timeout_ns: u64) -> c_int {
    // SAFETY: as documented.
    unsafe { on_pool(pool, |pool| code(pool.core.wait_idle(Wait::for_ns(timeout_ns)))) }
}

/// Whether the calling thread is inside a callback of this pool: there, a call that would wait for the pool says WP_EDEADLK (the table at
/// the top of this file). For code that waits by means of its own, a condition variable say, and must refuse to do so there.
///
/// Returns 1: it is; 0: it is not, `pool` is NULL, or this is a forked child.
/// Thread safety: any thread, at any time before wp_destroy(). Blocks: never. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_is_inside(pool: *const wp_pool) -> c_int {
    // SAFETY: NULL or valid, as documented.
    let pool = unsafe { pool.as_ref() }.filter(|pool| pool.family.is_ours());
    c_int::from(pool.is_some_and(|pool| pool.core.is_inside()))
}

/// Closes the pool, runs everything that it had accepted, and stops its threads. After WP_OK no task runs or ever will,
/// no callback of the pool either, its threads are gone, and everything that they used may be freed. The same as
/// wp_shutdown_for(pool, WP_SHUTDOWN_DRAIN, WP_FOREVER, NULL).
///
/// From the moment it begins every submit is refused with WP_ECLOSED, and those that wait for room are woken with it.
///
/// Returns WP_OK, also when the pool was shut down before; WP_EINVAL: `pool` is NULL; WP_EDEADLK: inside a callback of
/// this pool, or, of a manual pool: another thread runs its tasks just then (nothing was closed); WP_EFORKED; WP_EPANIC.
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
/// is called with WP_FATE_DISCARDED on the calling thread, whatever the timeout: nothing accepted goes without its `end`. First in, first
/// out; the tasks of limited groups afterwards, each group's in that order. (Of several that cancel at once one discards, and the others
/// only wait; a task inside wp_group_wait() may find some first.) No task starts any more, but what a worker has just taken counts as
/// started, even if the `notify` of a waiter is called before it. Running tasks always run to their end. A second shutdown may harden the
/// first (drain, then cancel), never soften it.
/// `timeout_ns`: nanoseconds to wait for the end; 0 only begins (or looks), WP_FOREVER has no limit.
/// `report`: NULL, or a wp_shutdown_report with its `struct_size` set; filled on WP_OK and WP_ETIMEDOUT.
///
/// Returns WP_OK: all is over, as after wp_shutdown(); WP_ETIMEDOUT: not yet; the pool is closed but valid, tasks still
/// run and own what they own, call again to go on waiting; WP_EINVAL: `pool` is NULL, `mode` is unknown or the
/// report's `struct_size` is wrong; WP_EDEADLK: inside a callback of this pool, or, of a manual pool and with a timeout other than 0:
/// another thread runs its tasks just then; these two changed nothing; WP_EFORKED; WP_EPANIC.
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

/// Frees the pool. The last call on it: no other call on this pool may be in progress or follow, as with free(). But a submit all
/// of whose tasks were accepted, and a wp_when_room() whose waiter was told, may still be on their way back on another thread, since nobody
/// else could wait for that: the pool may be destroyed as soon as their tasks have ended. (A shutdown waits until they have left.) A
/// pool that was not shut down is drained first, as by wp_shutdown(); after a successful shutdown this never waits. Groups of
/// the pool that are still held keep its memory, not its threads, until the last is given back.
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
            // Groups may keep the memory for longer.
            alive.core.close_room_fd();
        }
        // SAFETY: the caller's reference, and its last call; no thread of the pool runs.
        unsafe { wp_pool::release(pool) };
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
            let config = pool.core.config();
            sized::write(stats, &wp_stats::new(pool.core.snapshot(), footprint(config), config.reason()));
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
        Some(pool) => pool.core.now_ns(),
    }
}

/// The instant so many nanoseconds from now on the pool's own clock, for `wp_task.deadline` and `wp_group_options.deadline`: wp_now() and
/// `nanoseconds` added up; what would reach past the clock's end is its end, which never comes. With 0 nanoseconds it is over at once.
///
/// Returns the instant; 0, which means "no deadline", if `nanoseconds` is WP_FOREVER or `pool` is NULL.
/// Thread safety: any thread, also inside a callback, and in the child of a fork. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_deadline_after(pool: *const wp_pool, nanoseconds: u64) -> u64 {
    // SAFETY: as documented.
    match unsafe { pool.as_ref() } {
        Some(pool) if nanoseconds != WP_FOREVER => pool.core.now_ns().saturating_add(nanoseconds),
        _ => 0,
    }
}
