//! Room for those who must not wait: `wp_room_fd`, `wp_when_room`.

use std::ffi::{c_int, c_void};
use std::mem::{offset_of, transmute};

use super::guard::{callback, guard};
use super::pool::{code, on_any_pool, on_pool, wp_pool};
use super::sized::{self, Sized as SizedStruct};
use super::status::WP_EPANIC;
use crate::pool::notify::{Notice, Waiter};
use crate::pool::{Error, Wait};

/// Told once that there is room, or that the pool has closed. It is a callback of the pool: the table at the top of this file holds
/// inside it. It must return as a wp_run_fn must.
pub type wp_room_fn = Option<unsafe extern "C-unwind" fn(arg: *mut c_void)>;

/// Somebody who is told when there is room: the memory that wp_when_room() needs for that, which is the caller's. Start from
/// WP_WAITER_INIT or wp_waiter_init(). While it waits it must stay where and as it is. Sized like wp_options. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_waiter {
    /// sizeof(wp_waiter).
    pub struct_size: usize,
    /// What is called; must not be NULL.
    pub notify: wp_room_fn,
    /// Handed to `notify`; the library never looks into it.
    pub arg: *mut c_void,
    /// The library's. NULLs before the first use.
    pub reserved: [*mut c_void; 7],
}

// SAFETY: made of pointers, a nullable function pointer and a size: all zeros is a value of each.
unsafe impl SizedStruct for wp_waiter {}

const _: () = assert!(size_of::<Waiter>() <= size_of::<[*mut c_void; 7]>());
const _: () = assert!(align_of::<Waiter>() <= align_of::<wp_waiter>());

/// Fills a wp_waiter with zeros and its size: what WP_WAITER_INIT does, for languages without C macros. Not while it waits.
///
/// Returns WP_OK; WP_EINVAL: `waiter` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_waiter_init(waiter: *mut wp_waiter, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(waiter, struct_size) })
}

/// The notice that a waiter's fields describe, and the core's part of it.
///
/// # Safety
/// `waiter` is NULL or points to a struct of `struct_size` readable bytes.
unsafe fn read(waiter: *mut wp_waiter) -> Result<(*const Waiter, Notice), Error> {
    // SAFETY: the caller's promise.
    let node = unsafe { node(waiter)? };
    // SAFETY: as above.
    let given = unsafe { sized::read(waiter)? };
    match given.notify {
        Some(notify) => Ok((node, Notice { call, function: notify as *const (), arg: given.arg.cast() })),
        None => Err(Error::Invalid),
    }
}

/// The core's part of a waiter: a shorter struct has no room for it.
///
/// # Safety
/// As [`read`].
unsafe fn node(waiter: *mut wp_waiter) -> Result<*const Waiter, Error> {
    // SAFETY: the caller's promise; struct_size is the first field.
    unsafe {
        sized::check_output(waiter)?;
        if *waiter.cast::<usize>() < size_of::<wp_waiter>() {
            return Err(Error::Invalid);
        }
        Ok(waiter.byte_add(offset_of!(wp_waiter, reserved)).cast_const().cast())
    }
}

/// # Safety
/// The function is a wp_room_fn that was given to be called with this argument.
unsafe fn call(function: *const (), arg: *mut ()) {
    // SAFETY: the caller's promise.
    callback(|| unsafe {
        transmute::<*const (), unsafe extern "C-unwind" fn(*mut c_void)>(function)(arg.cast())
    });
}

/// Has `waiter->notify(waiter->arg)` called once as soon as there is room for at least one task, be it a single place, or the pool
/// closes, whichever comes first. For those who must not wait for room in wp_submit(): event loops, coroutines, other runtimes'
/// threads.
///
/// While the call says WP_OK and `notify` has not been called, the waiter waits: it must stay where it is, and nobody else may
/// touch it. It is the caller's again when `notify` is called (which may free it, or use it for the next wait), or when
/// wp_forget_room() has said WP_OK.
///
/// If there is room now, `notify` is called at once, by this call; inside the `notify` of another waiter of this pool, as soon as
/// that has returned, so that they don't nest. Otherwise a worker calls it that has just taken a task, and begins that task
/// afterwards (of a manual pool: the thread that steps it). So does whoever ends a queued task of a limited group before its turn: the
/// caller of wp_group_cancel() or wp_clock_advance(), the timer, a task in wp_group_wait(). When the pool closes, the thread that closes
/// it calls it. Never is it called with a lock of the library held, but the callers of these functions may hold locks of their own: mind
/// that `notify` may run inside those calls. Once this function was called again for the same waiter, inside its `notify`, the next call of that may come on
/// another thread, before this one has returned.
///
/// What there is room for is not kept for the waiter: others may take it first, and a wp_try_submit() inside `notify` may say
/// WP_EFULL (then call this again) or WP_ECLOSED. Waiters are told in the order in which they came; by one thread one after the other,
/// the next when `notify` has returned and there is still room, while another thread that has brought a place back may tell the next one
/// meanwhile. After 16 in a row the next is told when the next task is taken, if one is queued. So a waiter that submits inside `notify` takes the place that it was told of, while one that only passes the word on may
/// have others told of the same place.
///
/// A submitter that has waited in wp_submit() at the head of its line, and looked for itself in vain (see there), comes before the
/// waiters; no more than one in a millisecond. So neither starves the other.
///
/// Returns WP_OK: `notify` was called, or will be. On any error it will not be: WP_ECLOSED: a shutdown has begun; WP_EINVAL: `pool`,
/// `waiter` or its `notify` is NULL, its `struct_size` is wrong, or it waits already; WP_ENOTSUP: a field is set that this version
/// does not know; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also inside a callback of the pool; any number of waiters. Blocks: never, but for `notify`. Allocates
/// nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_when_room(pool: *mut wp_pool, waiter: *mut wp_waiter) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_pool(pool, |pool| {
            let waits = read(waiter).and_then(|(node, notice)| pool.core.when_room(node, notice));
            match waits {
                // A pool with a fault closes its queue.
                Err(Error::Closed) if pool.core.has_failed() => WP_EPANIC,
                waits => code(waits),
            }
        })
    }
}

/// Takes a waiter back. If its `notify` is being called just now, on another thread, the call waits until that has returned; so
/// whatever it says but for WP_ETIMEDOUT and WP_EDEADLK, everything that `notify` uses may be freed. (Where `notify` has had it wait anew
/// and has not returned yet, the call waits for that as well; with WP_ETIMEDOUT and WP_EDEADLK it still waits, then.)
///
/// `waiter` must still be there: whose `notify` frees it must know by other means that it was not called. `timeout_ns`: nanoseconds
/// to wait, on a manual pool too; 0 waits for no `notify`, WP_FOREVER without limit.
///
/// Returns WP_OK: it waited, and `notify` will not be called; WP_ETOOLATE: it does not wait: `notify` was called and has returned
/// (unless the caller is inside it), or wp_when_room() was never called; WP_ETIMEDOUT: `notify` has not returned in time; WP_EDEADLK:
/// it has not returned, and this is inside a callback of this pool, whatever the timeout; WP_EINVAL: `pool` or `waiter` is NULL, or its
/// `struct_size` is wrong; WP_EFORKED; WP_EPANIC: in place of the first two.
/// Thread safety: any thread, also inside a callback of the pool. Blocks: up to the timeout. Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_forget_room(
    pool: *mut wp_pool,
    waiter: *mut wp_waiter,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: as documented.
    unsafe {
        // Of a pool with a fault too: the waiter is the caller's again only when it is off the list, and nobody tells it.
        on_any_pool(pool, |pool| {
            match node(waiter).and_then(|node| pool.core.forget_room(node, Wait::for_ns(timeout_ns))) {
                Ok(()) | Err(Error::TooLate) if pool.core.has_failed() => WP_EPANIC,
                forgotten => code(forgotten),
            }
        })
    }
}

/// A descriptor for poll(), epoll and their kin. It is readable while a submit that does not wait may succeed, and when a shutdown has
/// begun (then it stays readable): a submit that was refused because the queue was full has made it unreadable, and the first
/// place that comes free makes it readable again. It is made by the first call; who never calls pays nothing for it.
///
/// Like the room to write into a socket, it is there most of the time: wait for it only while there is something to submit that was
/// refused. Then a loop is woken once for each time that the queue was full, and may find that others have filled it again.
///
/// It belongs to the pool, and is closed by wp_destroy() (in a forked child with the last group of the pool): only wait for it; never read, write or close it. Who waits for edges
/// (EPOLLET) must submit until WP_EFULL before the next wait.
///
/// Returns the descriptor, 0 or more, always the same; or a negative code: WP_EINVAL: `pool` is NULL; WP_ENOMEM: the system has no
/// descriptor left, or no memory for it; WP_ENOTSUP: this system has none of that kind (only Linux's eventfd is used); WP_EFORKED;
/// WP_EPANIC.
/// Thread safety: any thread, also inside a callback, also after a shutdown. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_room_fd(pool: *mut wp_pool) -> c_int {
    // SAFETY: as documented.
    unsafe { on_pool(pool, |pool| pool.core.room_fd().unwrap_or_else(c_int::from)) }
}
