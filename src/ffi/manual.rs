//! The manual pool: `wp_run`, `wp_clock_advance`.

use std::ffi::c_int;

use super::pool::{code, on_pool, wp_pool};
use super::status::{WP_EINVAL, WP_OK};

/// Runs tasks of a manual pool (`mode` WP_MODE_MANUAL) on the calling thread: up to `max` of those that are queued, one after
/// the other, in the order in which they were accepted (those of limited groups in turn with the others, one each); also those that
/// these tasks submit meanwhile. UINT64_MAX: until none is queued. To the tasks the calling thread is worker 0.
///
/// `*ran` (unless `ran` is NULL) is always written: how many tasks ran. Tasks that are found cancelled or too late on the way end
/// without being counted.
///
/// Returns WP_OK, also when nothing was queued, and after a shutdown; WP_EINVAL: `pool` is NULL, or has threads of its own;
/// WP_EDEADLK: inside a callback of this pool, or another thread runs its tasks just now; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, one at a time. Blocks: as long as the tasks take. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_run(pool: *mut wp_pool, max: u64, ran: *mut u64) -> c_int {
    let mut so_far = 0;
    let counted = &mut so_far;
    // SAFETY: as documented.
    let result = unsafe {
        on_pool(pool, move |pool| match pool.core.config().is_manual() {
            true => code(pool.core.step(max, counted).map(drop)),
            false => WP_EINVAL,
        })
    };
    if !ran.is_null() {
        // SAFETY: NULL or the caller's to write, as documented.
        unsafe { *ran = so_far };
    }
    result
}

/// Moves the clock of a manual pool on by so many nanoseconds (it stops at the largest number). Nothing else moves it; it
/// begins at one second. If the pool was made with `timers`, the clock stops at the deadline of each queued task on the way: there
/// the task's `end` is called, on the calling thread, with WP_FATE_EXPIRED, and wp_now() tells that very deadline.
///
/// Returns WP_OK; WP_EINVAL: `pool` is NULL, or has threads of its own; WP_EFORKED; WP_EPANIC.
/// Thread safety: any thread, also inside a callback. Blocks: for the `end` callbacks that it calls, and those that are told of the room
/// (wp_when_room()). Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_clock_advance(pool: *mut wp_pool, nanoseconds: u64) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_pool(pool, |pool| match pool.core.config().is_manual() {
            true => {
                pool.core.advance(nanoseconds);
                WP_OK
            }
            false => WP_EINVAL,
        })
    }
}
