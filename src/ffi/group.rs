//! `wp_group`: the handle, its figures, waiting and cancelling.

use std::ffi::{c_char, c_int};
use std::mem::offset_of;
use std::ptr;

use super::guard::{guard, guard_pool};
use super::limits::{WP_LABEL_BYTES, WP_ON_ERROR_CANCEL, WP_ON_ERROR_GO_ON, WP_STOP_NONE, WP_WORKERS_MAX};
use super::pool::{code, on_pool, wp_pool};
use super::sized::{self, Sized as SizedStruct};
use super::status::{WP_EFORKED, WP_EINVAL, WP_OK};
use crate::pool::group::{OnFailure, Settings, Status, Stop};
use crate::pool::{Error, Group, NO_DEADLINE, Wait};

/// A scope over tasks of one pool: it counts them, so that they can be waited for and cancelled together; it may have a deadline, a
/// limit of how many run at once, and stand inside another group. Tasks join by `wp_task.group`. Opaque; used through pointers
/// only.
///
/// A group may outlive its pool: while wp_destroy() runs on another thread, and after it, one may still wait for the group (all of it is
/// over then), cancel it, ask for its figures or its stop reason, retain and release it. It can't be named in a submit or as a
/// parent any more, since these are calls on the pool. Since 0.1.
pub struct wp_group {
    core: Group,
    /// A reference.
    pool: *const wp_pool,
}

// SAFETY: the pool is shared between threads as it is.
unsafe impl Send for wp_group {}
// SAFETY: as above.
unsafe impl Sync for wp_group {}

/// How to make a group. Start from WP_GROUP_OPTIONS_INIT or wp_group_options_init(); 0 means "the default" in every field. Sized
/// like wp_options. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_group_options {
    /// sizeof(wp_group_options).
    pub struct_size: usize,
    /// The group, of the same pool, that this one stands in; NULL: none. What is said of that group's tasks holds for this one's
    /// too: they are waited for, cancelled, counted and limited with it, and its deadline is theirs. Each level costs each task a few
    /// nanoseconds.
    pub parent: *mut wp_group,
    /// An instant on the pool's own clock (wp_now()), as `wp_task.deadline`, for all tasks of the group. 0: none.
    pub deadline: u64,
    /// WP_ON_ERROR_GO_ON or WP_ON_ERROR_CANCEL (where a failure may also refuse submits that are still to come). Any other number:
    /// WP_EINVAL.
    pub on_error: u32,
    /// How many of the group's tasks may run at once; 1 makes it a serial queue, in the order of the submits (limited groups inside it
    /// take turns with it). 0: no limit. At most WP_WORKERS_MAX. The others wait in the queue: they hold places there, so the pool's
    /// capacity stays true, but no worker, and no task of others waits behind them. Such groups are served in turn with each other, one
    /// task each, and with the rest of the queue; those inside another limited group likewise, when that has room for one of them. A task
    /// of a limited group costs more than another, and so do all submits while such a task waits.
    pub max_running: u32,
}

/// The figures of a group, those of the groups inside it included. They are read one after the other: a task that ends meanwhile
/// may be missing, or appear twice. `struct_size` is as for wp_stats. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_group_status {
    /// sizeof(wp_group_status).
    pub struct_size: usize,
    /// 0.
    pub reserved: usize,
    /// Tasks that were accepted, or whose submit is under way, and that have not started.
    pub queued: u64,
    /// Tasks that run, or whose `end` runs.
    pub running: u64,
    /// Tasks that ran to their end, `end` included; so for the following, by fate.
    pub ran: u64,
    /// Of those that ran: tasks that returned a status other than 0.
    pub failed: u64,
    /// WP_FATE_CANCELLED.
    pub cancelled: u64,
    /// WP_FATE_EXPIRED.
    pub expired: u64,
    /// WP_FATE_DISCARDED.
    pub discarded: u64,
    /// Why the group's tasks should stop (WP_STOP_…), as wp_stop_reason() says; never WP_STOP_SHUTDOWN. WP_STOP_CANCELLED and
    /// WP_STOP_FAILED: the group is cancelled.
    pub stop: u32,
    /// The status that the first task that failed returned; 0 if none did.
    pub first_status: i32,
    /// That task's label, cut to 31 bytes; empty if it had none.
    pub first_label: [c_char; WP_LABEL_BYTES as usize],
}

// SAFETY: made of integers and a pointer: all zeros is a value of each.
unsafe impl SizedStruct for wp_group_options {}
// SAFETY: made of integers.
unsafe impl SizedStruct for wp_group_status {}

/// What the core knows of a group: NULL for NULL.
///
/// # Safety
/// `group` is NULL, or the caller has a reference.
pub(super) unsafe fn core(group: *const wp_group) -> *const Group {
    // SAFETY: the caller's promise.
    if group.is_null() { ptr::null() } else { unsafe { &raw const (*group).core } }
}

/// The other way round.
///
/// # Safety
/// `core` is NULL, or that of a group that is there.
pub(super) unsafe fn handle(core: *const Group) -> *mut wp_group {
    // SAFETY: the caller's promise: it lies in a wp_group, there.
    let around = || unsafe { core.byte_sub(offset_of!(wp_group, core)) };
    if core.is_null() { ptr::null_mut() } else { around().cast_mut().cast() }
}

/// # Safety
/// `options` is NULL or points to a struct of `struct_size` readable bytes, whose parent is NULL or a group that the caller has a
/// reference on.
unsafe fn read<'a>(options: *const wp_group_options) -> Result<(Settings<'a>, *const wp_pool), Error> {
    // SAFETY: all zeros is a value of wp_group_options (see SizedStruct).
    let mut given: wp_group_options = unsafe { std::mem::zeroed() };
    if !options.is_null() {
        // SAFETY: the caller's promise.
        given = unsafe { sized::read(options)? };
    }
    if given.max_running > WP_WORKERS_MAX {
        return Err(Error::Invalid);
    }
    // SAFETY: the caller's promise.
    let parent = unsafe { given.parent.as_ref() };
    let settings = Settings {
        above: parent.map(|parent| &parent.core),
        deadline: if given.deadline == 0 { NO_DEADLINE } else { given.deadline },
        on_failure: match given.on_error {
            WP_ON_ERROR_GO_ON => OnFailure::GoOn,
            WP_ON_ERROR_CANCEL => OnFailure::Cancel,
            _ => return Err(Error::Invalid),
        },
        max_running: (given.max_running != 0).then_some(given.max_running),
        free,
    };
    Ok((settings, parent.map_or(ptr::null(), |parent| parent.pool)))
}

/// # Safety
/// `group` is the core of a wp_group whose last reference is gone.
unsafe fn free(group: *const Group) {
    // SAFETY: made by [`make`] as a slice of one, and nobody uses it any more; its reference on the pool goes with it.
    unsafe {
        let group = handle(group);
        let pool = (*group).pool;
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(group, 1)));
        wp_pool::release(pool);
    }
}

fn make(pool: &wp_pool, settings: &Settings<'_>) -> Result<*mut wp_group, Error> {
    // A slice of one: the stable way to a box whose allocation may fail.
    let mut place = Vec::new();
    place.try_reserve_exact(1).map_err(|_| Error::Memory)?;
    pool.retain();
    place.push(wp_group { core: pool.core.new_group(settings), pool });
    Ok(Box::into_raw(place.into_boxed_slice()).cast())
}

/// Whether a task may join this group: NULL, or a group of this pool.
///
/// # Safety
/// NULL, or the caller has a reference.
pub(super) unsafe fn check(group: *const wp_group, pool: *const wp_pool) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    match unsafe { group.as_ref() } {
        Some(group) if !ptr::eq(group.pool, pool) => Err(Error::Invalid),
        _ => Ok(()),
    }
}

/// A group that is the caller's, and its pool, for every call but release.
///
/// # Safety
/// `group` is NULL, or the caller has a reference.
unsafe fn on_group(group: *const wp_group, body: impl FnOnce(&wp_group, &wp_pool) -> c_int) -> c_int {
    // SAFETY: the caller's promise; the group has a reference on its pool.
    match unsafe { group.as_ref().map(|group| (group, &*group.pool)) } {
        None => WP_EINVAL,
        Some((_, pool)) if !pool.family.is_ours() => WP_EFORKED,
        Some((group, pool)) => guard_pool(pool, || body(group, pool)),
    }
}

/// Fills a wp_group_options with the defaults and its size: what WP_GROUP_OPTIONS_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_options_init(options: *mut wp_group_options, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(options, struct_size) })
}

/// Fills a wp_group_status with zeros and its size: what WP_GROUP_STATUS_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `status` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_status_init(status: *mut wp_group_status, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(status, struct_size) })
}

/// Tells how many bytes of memory wp_group_create() will ask for, in one piece, before anything is made. Nothing is allocated later.
///
/// `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_group_create() refuses; WP_ENOTSUP: as there.
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_footprint(options: *const wp_group_options, bytes: *mut u64) -> c_int {
    guard(|| {
        if bytes.is_null() {
            return WP_EINVAL;
        }
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        match unsafe { read(options) } {
            Ok(_) => {
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *bytes = size_of::<wp_group>() as u64 };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

/// Makes a group of this pool, and gives the caller the first reference on it.
///
/// `options`: NULL means all defaults. `group`: receives the group; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `pool` or `group` is NULL, the parent is of another pool, a number is out of its range, `on_error` is
/// unknown, `struct_size` is wrong; WP_ENOTSUP: a field is set that this version does not know; WP_ENOMEM; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also inside a callback, also during and after a shutdown. Blocks: never. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_create(
    pool: *mut wp_pool,
    options: *const wp_group_options,
    group: *mut *mut wp_group,
) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_pool(pool, |pool| {
            if group.is_null() {
                return WP_EINVAL;
            }
            let made = read(options).and_then(|(settings, parents)| {
                if settings.above.is_some() && !ptr::eq(parents, pool) {
                    return Err(Error::Invalid);
                }
                make(pool, &settings)
            });
            match made {
                Ok(made) => {
                    *group = made;
                    WP_OK
                }
                Err(error) => error.into(),
            }
        })
    }
}

/// One reference more: the group lives until each has been given back by wp_group_release(). Whoever makes a call on a group has a
/// reference during that call, his own or one that somebody keeps for him.
///
/// Returns WP_OK; WP_EINVAL: `group` is NULL; WP_EFORKED.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_retain(group: *mut wp_group) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_group(group, |group, _| {
            group.core.retain();
            WP_OK
        })
    }
}

/// Gives a reference back; with the last one the memory is freed. Tasks that are open keep their group, and a group keeps the one that
/// it stands in and its pool's memory; so this is safe at any time, also before the tasks have ended, and after wp_destroy().
///
/// Returns WP_OK, also for NULL, which does nothing, and in the child of a fork (where the memory of groups that have open tasks in
/// the parent is never freed).
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_release(group: *mut wp_group) -> c_int {
    guard(|| {
        if !group.is_null() {
            // SAFETY: the caller's reference, as documented.
            unsafe { Group::release(core(group)) };
        }
        WP_OK
    })
}

/// Waits until the group has nothing to do: at some instant after the call began none of its tasks, or of the groups inside it, was
/// queued, running, or in its `end`. Nothing that was submitted to it before that runs afterwards, so what those tasks used may be
/// freed, and the pool's figures (wp_stats) count them as ended. Others may submit more meanwhile; who wants that to be the last
/// cancels the group first.
///
/// Inside a callback of the pool it can't sleep. There it runs the group's own queued tasks on the calling worker, one after the
/// other, never others', and says WP_EDEADLK when none of them is left that it may run while some still run elsewhere (a task that must
/// wait for its turn behind another group's, in a limited group above both, is one that it may not run). On a manual
/// pool, outside its callbacks, it runs the pool's tasks in their order, until the group has nothing to do.
///
/// Returns WP_OK; WP_ETIMEDOUT: not so within `timeout_ns` nanoseconds (0: only looks, also inside a callback; WP_FOREVER: no limit);
/// WP_EINVAL: `group` is NULL; WP_EDEADLK: inside a callback of a task of that group (or of one inside it), whatever the timeout; or
/// inside another callback of the pool, when it would have to sleep, or on a thread that is not a worker; on a manual pool: another
/// thread submits, runs or ends a task just then; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, several at once too, also after a shutdown. Blocks: up to the timeout; inside a callback, for as
/// long as the tasks that it runs take. Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_wait(group: *mut wp_group, timeout_ns: u64) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_group(group, |group, pool| code(pool.core.wait_group(&group.core, Wait::for_ns(timeout_ns))))
    }
}

/// Cancels the group and all inside it, for good. From here on none of its tasks starts: those that are queued end with
/// WP_FATE_CANCELLED, their `end` called on the calling thread before this returns (a task whose submit is not over yet, or that a
/// worker has just taken, may end a little later, on a worker; and if two calls cancel the same task at once, one of them ends it). Submits to it, also those
/// that wait for room, get WP_ECANCELLED. Tasks that run go on; they see it by wp_should_stop(). wp_group_wait() tells when all is over.
///
/// The places of cancelled tasks in the queue come back when a worker comes to them (`wp_stats.passed_over`).
///
/// Returns WP_OK, also when it was cancelled before; WP_EINVAL: `group` is NULL; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also inside a callback, also one of the group's own. Blocks: for the `end` callbacks that it calls, and
/// those that are told of the room (wp_when_room()). Allocates nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_cancel(group: *mut wp_group) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_group(group, |group, pool| {
            pool.core.cancel(&group.core, Stop::Cancelled);
            WP_OK
        })
    }
}

/// The group's figures now.
///
/// `status`: its `struct_size` must be set (WP_GROUP_STATUS_INIT); at most that many bytes are written.
///
/// Returns WP_OK; WP_EINVAL: `group` or `status` is NULL, or its `struct_size` is wrong; WP_EFORKED. On failure `*status` is left
/// alone.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_status_get(group: *const wp_group, status: *mut wp_group_status) -> c_int {
    // SAFETY: as documented.
    unsafe {
        if let Err(error) = sized::check_output(status) {
            return error.into();
        }
        on_group(group, |group, pool| {
            let stop = group.core.stop(|| pool.core.now_ns());
            sized::write(status, &wp_group_status::new(&group.core.status(), stop));
            WP_OK
        })
    }
}

/// Why the group's tasks should stop: `wp_group_status.stop` alone, at the cost of a load for each level of groups (with a deadline
/// it reads the clock). WP_STOP_NONE: no reason, or `group` is NULL. In the child of a fork: as at the fork, but for the deadline.
///
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_group_stop_reason(group: *const wp_group) -> u32 {
    // SAFETY: NULL, or the caller has a reference, as documented; the group has one on its pool.
    let asked = unsafe { group.as_ref().map(|group| (group, &*group.pool)) };
    let stop = asked.and_then(|(group, pool)| group.core.stop(|| pool.core.now_ns()));
    stop.map_or(WP_STOP_NONE, |stop| stop as u32)
}

impl wp_group_status {
    fn new(status: &Status, stop: Option<Stop>) -> wp_group_status {
        let failure = status.failure;
        wp_group_status {
            struct_size: size_of::<wp_group_status>(),
            reserved: 0,
            queued: status.queued,
            running: status.running,
            ran: status.ran,
            failed: status.failed,
            cancelled: status.cancelled,
            expired: status.expired,
            discarded: status.discarded,
            stop: stop.map_or(WP_STOP_NONE, |stop| stop as u32),
            first_status: failure.map_or(0, |failure| failure.status),
            first_label: failure.map_or([0; _], |failure| failure.label.map(|byte| byte as c_char)),
        }
    }
}
