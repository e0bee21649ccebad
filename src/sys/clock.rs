//! The monotonic clock, and one for tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds on the system's monotonic clock.
#[cfg(not(wp_shuttle))]
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a writable timespec; it can't fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(wp_shuttle)]
pub use crate::sync::now_ns;

/// A clock that stands still but when it is moved.
pub struct Manual(AtomicU64);

impl Default for Manual {
    /// Not at 0, which as an instant means "none".
    fn default() -> Self {
        Manual(AtomicU64::new(1_000_000_000))
    }
}

impl Manual {
    pub fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves it on to this instant; never back.
    pub fn reach(&self, instant: u64) {
        self.0.fetch_max(instant, Ordering::Relaxed);
    }
}
