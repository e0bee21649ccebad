//! The numbers of the C interface. The core's own limits (`pool::config`) are asserted equal below.

/// Wait without a limit of time.
pub const WP_FOREVER: u64 = 0xffff_ffff_ffff_ffff;
/// The largest `capacity` of a pool (16,777,216).
pub const WP_CAPACITY_MAX: u32 = 16777216;
/// The capacity of a pool whose options say 0.
pub const WP_CAPACITY_DEFAULT: u32 = 1024;
/// The largest number of `workers` of a pool.
pub const WP_WORKERS_MAX: u32 = 4096;
/// The `stack_size`, in bytes, when the options say 0: 2 MiB, the same on every system.
pub const WP_STACK_DEFAULT: u64 = 2097152;
/// The smallest `stack_size`, in bytes, that the options may ask for (64 KiB).
pub const WP_STACK_MIN: u64 = 65536;
/// "No worker": what wp_worker_index() and `wp_outcome.worker` say off the pool's own threads.
pub const WP_NO_WORKER: u32 = 0xffff_ffff;

/// `wp_options.mode`: the pool starts its own threads.
pub const WP_MODE_THREADS: u32 = 0;
/// `wp_options.mode`: a pool without threads, for tests of code that uses a pool: nothing runs but in wp_run(), on the caller's
/// thread, and the pool's clock stands still but for wp_clock_advance(). All the promises hold. A call that would wait (a submit
/// to a full queue with any timeout but 0, wp_wait_idle(), a shutdown, wp_destroy()) runs queued tasks on the calling thread
/// instead, and says WP_EDEADLK when that is of no use, because another thread runs the pool's tasks just then; timeouts other
/// than 0 never pass. (But a shutdown and wp_forget_room() wait for what another thread's call is ending or telling just then, and
/// their timeouts pass as ever.)
pub const WP_MODE_MANUAL: u32 = 1;

/// `wp_results_options.flags`: a submit that finds the results full waits for a place, for as long as it would wait for
/// room in the pool's queue. Only where somebody else reads: who submits and reads on one thread would wait for itself.
pub const WP_RESULTS_WAIT: u32 = 1;
/// `wp_results_options.flags`: records are read in the order of the submits, whatever the order in which the tasks end. Exactly: the
/// order in which the tasks got their places here. For the submits of one thread, and for the tasks of a batch, that is their own order.
/// A record whose turn has not come is kept back, and with it its place, until all before it can be read: so one slow task
/// holds up all later ones, and when as many tasks as there are places have come behind it, submits too. So does a submit that has its place here and
/// still waits for room in the pool's queue. A submit that is refused leaves no gap: its place is free again at once.
pub const WP_RESULTS_ORDERED: u32 = 2;

/// `wp_stats.workers_reason`: the options say how many workers (or the pool is a manual one).
pub const WP_WORKERS_BY_OPTION: u32 = 1;
/// `wp_stats.workers_reason`: one worker for each processor of the system.
pub const WP_WORKERS_BY_PROCESSORS: u32 = 2;
/// `wp_stats.workers_reason`: one worker for each processor that the affinity of the thread that makes the pool, or the process's cpuset,
/// leaves it.
pub const WP_WORKERS_BY_AFFINITY: u32 = 3;
/// `wp_stats.workers_reason`: what the quota of the process's control groups (a container's CPU limit) allows, rounded down, at
/// least 1.
pub const WP_WORKERS_BY_QUOTA: u32 = 4;

/// wp_shutdown_for(): run everything that was accepted.
pub const WP_SHUTDOWN_DRAIN: u32 = 0;
/// wp_shutdown_for(): discard what is queued (the fate WP_FATE_DISCARDED) instead of running it; only what
/// has started runs to its end.
pub const WP_SHUTDOWN_CANCEL: u32 = 1;

/// The task ran; `wp_outcome.status` is what it returned.
pub const WP_FATE_RAN: u32 = 1;
/// The task never ran: its group, or one that this stands in, was cancelled first.
pub const WP_FATE_CANCELLED: u32 = 2;
/// The task never ran: its deadline, or its group's, passed first.
pub const WP_FATE_EXPIRED: u32 = 3;
/// The task never ran: a shutdown with WP_SHUTDOWN_CANCEL came first.
pub const WP_FATE_DISCARDED: u32 = 4;
/// In a record only: no fate. A fault of the library (WP_EPANIC) has ended who ran the task or told its end, so nobody knows how far it
/// came, and its `end` may not have been called.
pub const WP_FATE_LOST: u32 = 5;

/// `wp_group_options.on_error`: a task that fails (returns a status other than 0) changes nothing for the others.
pub const WP_ON_ERROR_GO_ON: u32 = 0;
/// `wp_group_options.on_error`: the first task that fails cancels the group, as wp_group_cancel() would, after its `end`. That may be
/// while its owner still submits: what comes next is refused, WP_ECANCELLED, and in a batch the rest with it. So that code is no surprise
/// there but the word to stop submitting; the arguments of refused tasks are the owner's, as after every refusal.
pub const WP_ON_ERROR_CANCEL: u32 = 1;

/// wp_stop_reason(): go on.
pub const WP_STOP_NONE: u32 = 0;
/// Somebody called wp_group_cancel() for the group, or for one that it stands in.
pub const WP_STOP_CANCELLED: u32 = 1;
/// A task of the group, or of one that it stands in, has failed, and the group was made with WP_ON_ERROR_CANCEL.
pub const WP_STOP_FAILED: u32 = 2;
/// The deadline has passed.
pub const WP_STOP_DEADLINE: u32 = 3;
/// A shutdown with WP_SHUTDOWN_CANCEL has begun.
pub const WP_STOP_SHUTDOWN: u32 = 4;

/// The bytes of `wp_group_status.label`.
pub const WP_LABEL_BYTES: u32 = 32;

const _: () = {
    use crate::pool::group::{LABEL_BYTES, Stop};
    use crate::pool::{Fate, NO_WORKER, config};
    assert!(WP_CAPACITY_MAX == config::CAPACITY_MAX && WP_CAPACITY_DEFAULT == config::CAPACITY_DEFAULT);
    assert!(WP_WORKERS_MAX == config::WORKERS_MAX && WP_NO_WORKER == NO_WORKER);
    use crate::sys::cpus::Reason;
    assert!(
        WP_WORKERS_BY_OPTION == Reason::Asked as u32 && WP_WORKERS_BY_PROCESSORS == Reason::Processors as u32
    );
    assert!(WP_WORKERS_BY_AFFINITY == Reason::Affinity as u32 && WP_WORKERS_BY_QUOTA == Reason::Quota as u32);
    assert!(WP_FATE_RAN == Fate::Ran as u32 && WP_FATE_DISCARDED == Fate::Discarded as u32);
    assert!(WP_FATE_CANCELLED == Fate::Cancelled as u32 && WP_FATE_EXPIRED == Fate::Expired as u32);
    assert!(WP_STOP_CANCELLED == Stop::Cancelled as u32 && WP_STOP_FAILED == Stop::Failed as u32);
    assert!(WP_STOP_DEADLINE == Stop::Deadline as u32 && WP_STOP_SHUTDOWN == Stop::Shutdown as u32);
    assert!(WP_LABEL_BYTES as usize == LABEL_BYTES);
};
