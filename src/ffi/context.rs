//! `wp_context`: what a running task may ask.

use std::ffi::{c_char, c_int};
use std::ptr;

use super::group::{self, wp_group};
use super::limits::{WP_FOREVER, WP_NO_WORKER, WP_STOP_NONE};
use super::task::{Detail, Task};
use crate::pool::group::Stop;
use crate::pool::{Group, NO_DEADLINE, Pool};

/// What a running task may ask about itself. Valid inside that call of the task, on its thread, and nowhere else.
pub struct wp_context {
    pool: *const Pool<Task>,
    worker: u32,
    label: *const c_char,
    group: *const Group,
    deadline: u64,
}

impl wp_context {
    pub(super) fn new(pool: &Pool<Task>, worker: u32, detail: Option<&Detail>) -> wp_context {
        let nothing = (ptr::null(), ptr::null(), NO_DEADLINE);
        let (label, group, deadline) =
            detail.map_or(nothing, |detail| (detail.label, detail.group, detail.deadline));
        wp_context { pool, worker, label, group, deadline }
    }

    fn stop(&self) -> Option<Stop> {
        // SAFETY: the pool and the group of a task that runs are there, and the context is used by that task alone.
        unsafe { (*self.pool).stop(self.group.as_ref(), self.deadline) }
    }
}

/// Whether the task had better stop. It costs a few loads (with a deadline it reads the clock), so a loop may ask in each turn.
/// What "stop" means is the task's own affair; nobody forces it.
///
/// Returns 1: there is a reason, which wp_stop_reason() tells; 0: there is none, or `context` is NULL.
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_should_stop(context: *const wp_context) -> c_int {
    // SAFETY: NULL or the context of the task that calls, as documented.
    unsafe { context.as_ref() }.and_then(wp_context::stop).is_some().into()
}

/// Why the task should stop: WP_STOP_…; of several the first of WP_STOP_CANCELLED or WP_STOP_FAILED (the nearest group's),
/// WP_STOP_DEADLINE, WP_STOP_SHUTDOWN. WP_STOP_NONE: it should go on, or `context` is NULL.
///
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_stop_reason(context: *const wp_context) -> u32 {
    // SAFETY: NULL or the context of the task that calls, as documented.
    unsafe { context.as_ref() }.and_then(wp_context::stop).map_or(WP_STOP_NONE, |stop| stop as u32)
}

/// Nanoseconds until the task's deadline, or its group's, whichever is first; 0 once it has passed. WP_FOREVER: there is none, or
/// `context` is NULL.
///
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_time_left(context: *const wp_context) -> u64 {
    // SAFETY: NULL or the context of the task that calls, as documented.
    match unsafe { context.as_ref() } {
        // SAFETY: the pool of a task that runs is there.
        Some(context) if context.deadline != NO_DEADLINE => unsafe {
            context.deadline.saturating_sub((*context.pool).now_ns())
        },
        _ => WP_FOREVER,
    }
}

/// The index of the worker that runs this task, 0 to workers-1: for scratch space per worker. How many workers there are
/// is told by wp_stats_get() (`workers`). WP_NO_WORKER if `context` is NULL. (A task that waits for a group may run tasks of
/// that group on its own worker, inside the wait: they find its scratch space as it left it.)
///
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_worker_index(context: *const wp_context) -> u32 {
    // SAFETY: NULL or the context of the task that calls, as documented.
    unsafe { context.as_ref() }.map_or(WP_NO_WORKER, |context| context.worker)
}

/// The running task's label; NULL when it has none, or `context` is NULL.
///
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_label(context: *const wp_context) -> *const c_char {
    // SAFETY: NULL or the context of the task that calls, as documented.
    unsafe { context.as_ref() }.map_or(ptr::null(), |context| context.label)
}

/// The running task's group, so that it can submit more to it, or cancel it; NULL when it has none, or `context` is NULL. It stays
/// there during the call of the task; who keeps it longer needs a reference (wp_group_retain()).
///
/// Thread safety: only inside the task. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_context_group(context: *const wp_context) -> *mut wp_group {
    // SAFETY: NULL or the context of the task that calls, as documented, whose group is there.
    unsafe { context.as_ref().map_or(ptr::null_mut(), |context| group::handle(context.group)) }
}
