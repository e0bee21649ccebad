//! The only door to `std::sync`. Under `--cfg wp_loom` or `--cfg wp_shuttle` the same names are a model checker's, so that what
//! the models check is the code that ships.

#![forbid(unsafe_code)]

#[cfg_attr(wp_loom, path = "loom.rs")]
#[cfg_attr(wp_shuttle, path = "shuttle.rs")]
#[cfg_attr(not(any(wp_loom, wp_shuttle)), path = "std.rs")]
mod backend;

// A futex where there is one; elsewhere, and for the model checkers, a mutex and a condition variable.
#[cfg_attr(any(wp_loom, wp_shuttle, not(target_os = "linux")), path = "futex_portable.rs")]
mod futex;

pub use backend::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Life, MutexGuard, Ordering, UnsafeCell, spin_loop,
    this_thread, thread_local, yield_now,
};
#[cfg(wp_shuttle)]
pub use backend::{now_ns, random};
pub use futex::{Futex, Wake};

use std::time::Duration;

/// Whether a model checker runs this. It needs few turns where a processor needs many, and has no patience to run out.
pub const IS_MODEL: bool = cfg!(any(wp_loom, wp_shuttle));

/// A mutex without poison: what a panic leaves behind is the business of `Pool::fail`.
pub struct Mutex<T> {
    raw: backend::RawMutex<T>,
    life: Life,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex { raw: backend::RawMutex::new(value), life: Life::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.life.touch();
        self.raw.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// It will be freed: nobody may lock it any more.
    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.life.end();
    }
}

pub struct Condvar(backend::RawCondvar);

impl Condvar {
    pub fn new() -> Self {
        Condvar(backend::RawCondvar::new())
    }

    /// Waits until notified, or for at most `limit`; may also wake for no reason.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>, limit: Option<Duration>) -> MutexGuard<'a, T> {
        match limit {
            None => self.0.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner()),
            Some(limit) => {
                let result = self.0.wait_timeout(guard, limit);
                result.unwrap_or_else(|poisoned| poisoned.into_inner()).0
            }
        }
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Condvar::new()
    }
}
