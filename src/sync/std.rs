//! What ships: the standard library's.

#![forbid(unsafe_code)]

pub use std::hint::spin_loop;
pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
pub use std::sync::{Condvar as RawCondvar, Mutex as RawMutex, MutexGuard};
pub use std::thread::yield_now;
pub use std::thread_local;

/// `std::cell::UnsafeCell` behind the model checker's interface.
#[derive(Debug)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub fn with<R>(&self, body: impl FnOnce(*const T) -> R) -> R {
        body(self.0.get())
    }

    pub fn with_mut<R>(&self, body: impl FnOnce(*mut T) -> R) -> R {
        body(self.0.get())
    }
}

/// Nobody asks here; the models do.
#[derive(Default)]
pub struct Life();

impl Life {
    #[inline(always)]
    pub fn touch(&self) {}
}

/// A number that no other living thread has, and never 0.
pub fn this_thread() -> u64 {
    crate::sys::thread::id()
}
