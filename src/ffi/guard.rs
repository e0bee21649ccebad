//! The one place that stops a panic at the border.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
        pool.fail();
        WP_EPANIC
    })
}
