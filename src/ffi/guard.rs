//! The one place that stops a panic at the border, and what tries to leave a callback by any other way than returning.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use super::status::WP_EPANIC;

/// Runs the body of an exported function; a panic inside becomes WP_EPANIC.
///
/// Unwind safety: what a panic may have left half-done belongs to one pool, and [`guard_pool`] closes that pool for good.
pub fn guard(body: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(WP_EPANIC)
}

/// As [`guard`], for a call on a pool: a panic also marks the pool as lost.
pub fn guard_pool(pool: &super::pool::wp_pool, body: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        // What is broken may break this too.
        guard(|| {
            pool.core.fail();
            WP_EPANIC
        })
    })
}

/// As [`guard_pool`], for the life of a worker.
pub fn guard_worker(pool: &super::pool::wp_pool, life: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(life)).is_err() {
        guard(|| {
            pool.core.fail_worker();
            WP_EPANIC
        });
    }
}

/// As [`guard`], for a call on results: a panic also marks them as lost.
pub fn guard_results(results: &super::results::wp_results, body: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        guard(|| {
            results.core.fail();
            WP_EPANIC
        })
    })
}

/// A panic of ours is told by WP_EPANIC and nothing else (law L7): the message that Rust would print is not printed.
///
/// The hook that does this is that of the Rust standard library inside this very library. A shared library, and a static one that was
/// built as a whole (the release profile), have their own, which nobody else can reach: other Rust code in the process keeps its
/// messages. Set once, without waiting for whoever is setting it just now (a fork may have come between), and nothing is allocated: the
/// closure has no size.
pub fn hush() {
    static IS_HUSHED: AtomicBool = AtomicBool::new(false);
    if !IS_HUSHED.swap(true, Ordering::Relaxed) {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

const LEFT: &[u8] =
    b"libworkerpool: a callback of a pool did not return: an exception left it, or its thread was ended. \
A callback must return; catch the exception inside it. The process ends here.\n";

/// Ends the process with one line if the callback is unwound. Free of charge while it returns.
struct MustReturn;

impl Drop for MustReturn {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: readable bytes; the descriptor may be closed, which is an error like any other.
        unsafe {
            libc::write(libc::STDERR_FILENO, LEFT.as_ptr().cast(), LEFT.len());
            libc::abort();
        }
    }
}

/// Calls a function of the caller's. Whatever unwinds it, a C++ exception say, can't be passed on: frames of the core lie between it
/// and whoever could catch it, and other tasks behind.
#[inline(always)]
pub fn callback<R>(call: impl FnOnce() -> R) -> R {
    let must_return = MustReturn;
    let result = call();
    std::mem::forget(must_return);
    result
}
