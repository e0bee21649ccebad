//! `wp_stats` and `wp_shutdown_report`: the core's figures in C's structs.

use std::ffi::c_int;

use super::guard::guard;
use super::sized::{self, Sized as SizedStruct};
use crate::pool::{Report, Snapshot};
use crate::sys::cpus::Reason;

/// One snapshot of a pool's figures. In every snapshot
/// `accepted = ran + cancelled + expired + discarded + queued + running`.
///
/// Counters only grow. `queued` and `running` are differences of counters that were read one after the other, so under
/// traffic they may exceed the pool's limits by what happened meanwhile; `exact` says that nothing did.
///
/// `struct_size` is set by the caller and says how far the library may write; what lies beyond, and what a later version
/// would write, is left alone. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_stats {
    /// sizeof(wp_stats).
    pub struct_size: usize,
    /// Bytes that the pool's memory takes (see wp_footprint()).
    pub footprint: usize,
    /// Threads that run tasks.
    pub workers: u32,
    /// Tasks that may be queued.
    pub capacity: u32,
    /// 1: no task moved while this snapshot was read, so that `accepted`, the fates, `queued` and `running` belong to one
    /// instant. Else 0. (`failed`, and the figures from `refused` on, may be of a moment before or after.)
    pub exact: u32,
    /// 1 once a shutdown has begun, else 0.
    pub closed: u32,
    /// Tasks accepted since wp_create().
    pub accepted: u64,
    /// Tasks that ran to their end, their `end` callback included.
    pub ran: u64,
    /// Of those that ran: tasks that returned a status other than 0.
    pub failed: u64,
    /// Tasks with the fate WP_FATE_CANCELLED.
    pub cancelled: u64,
    /// Tasks with the fate WP_FATE_EXPIRED.
    pub expired: u64,
    /// Tasks with the fate WP_FATE_DISCARDED.
    pub discarded: u64,
    /// Tasks that wait in the queue.
    pub queued: u64,
    /// Tasks that run, or whose `end` callback runs.
    pub running: u64,
    /// Places of the queue whose task has left it out of turn (it was cancelled or expired, or run by a wp_group_wait() inside a task):
    /// such a place is free again when a worker comes to it. So `queued + passed_over` is at most `capacity`, and a full queue that
    /// has nothing queued explains itself.
    pub passed_over: u64,
    /// Submits refused because the queue, or a task's results, were full (WP_EFULL, WP_ERESULTS, WP_ETIMEDOUT, WP_EDEADLK; not
    /// WP_ECLOSED).
    pub refused: u64,
    /// Waits for room, also for a place in results, whatever came of them: a submit that gave up counts here and in `refused`; a batch may wait several times.
    pub waits: u64,
    /// Nanoseconds that those waits took, added up when each ended.
    pub wait_ns: u64,
    /// Submitters waiting for room now, in line as wp_submit() tells, or for a place in results.
    pub waiting: u64,
    /// Why there are as many workers as there are: WP_WORKERS_BY_…
    pub workers_reason: u32,
    /// 0.
    pub reserved: u32,
}

/// What a shutdown has left to do when it returns, and what it has done. It is read after the time was up, so that
/// `queued` and `running` may both be 0 already. Sized like wp_stats. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_shutdown_report {
    /// sizeof(wp_shutdown_report).
    pub struct_size: usize,
    /// 0.
    pub reserved: usize,
    /// Tasks that still wait in the queue.
    pub queued: u64,
    /// Tasks that still run, or whose `end` callback does.
    pub running: u64,
    /// Tasks discarded by this pool's shutdowns so far.
    pub discarded: u64,
}

// SAFETY: made of integers only.
unsafe impl SizedStruct for wp_stats {}
// SAFETY: made of integers only.
unsafe impl SizedStruct for wp_shutdown_report {}

/// Fills a wp_stats with zeros and its size: what WP_STATS_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `stats` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_stats_init(stats: *mut wp_stats, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(stats, struct_size) })
}

/// Fills a wp_shutdown_report with zeros and its size: what WP_SHUTDOWN_REPORT_INIT does, for languages without C
/// macros.
///
/// Returns WP_OK; WP_EINVAL: `report` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_shutdown_report_init(
    report: *mut wp_shutdown_report,
    struct_size: usize,
) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(report, struct_size) })
}

impl wp_stats {
    pub(super) fn new(snapshot: Snapshot, footprint: u64, reason: Reason) -> wp_stats {
        wp_stats {
            struct_size: size_of::<wp_stats>(),
            footprint: footprint as usize,
            workers: snapshot.workers,
            capacity: snapshot.capacity,
            exact: snapshot.exact.into(),
            closed: snapshot.closed.into(),
            accepted: snapshot.accepted,
            ran: snapshot.ran,
            failed: snapshot.failed,
            cancelled: snapshot.cancelled,
            expired: snapshot.expired,
            discarded: snapshot.discarded,
            queued: snapshot.queued(),
            running: snapshot.running(),
            passed_over: snapshot.passed_over(),
            refused: snapshot.refused,
            waits: snapshot.waits,
            wait_ns: snapshot.wait_ns,
            waiting: snapshot.waiting,
            workers_reason: reason as u32,
            reserved: 0,
        }
    }
}

impl wp_shutdown_report {
    pub(super) fn new(report: Report) -> wp_shutdown_report {
        wp_shutdown_report {
            struct_size: size_of::<wp_shutdown_report>(),
            reserved: 0,
            queued: report.queued,
            running: report.running,
            discarded: report.discarded,
        }
    }
}
