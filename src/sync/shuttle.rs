//! The names of `sync` as shuttle has them, which runs one order of events after another, drawn at random.
//!
//! Its atomics are sequentially consistent, whatever order is asked for: what hangs on an ordering is loom's to find. It knows no time
//! either, and its condition variable never gives up, so these are made here: a clock of its own and a wait that ends at some moment
//! that is drawn, whereupon the clock stands at the time that was waited for. So a seed determines timeouts and deadlines too.
//!
//! A cell that is written shows the write to the others while it is under way: whoever touches it then, fails.

#![forbid(unsafe_code)]

pub use shuttle::hint::spin_loop;
pub use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
pub use shuttle::thread::yield_now;
pub use shuttle::thread_local;

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, LockResult, Mutex};
use std::time::Duration;

use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};
use shuttle::rand::RngCore;

std::thread_local! {
    /// All threads of a model are run by one of the system's. The clock goes on from run to run; only differences matter.
    static NOW: Cell<u64> = const { Cell::new(1_000_000_000) };
}

/// The model's clock: every look takes a nanosecond, every wait that runs out as long as it was to last.
pub fn now_ns() -> u64 {
    NOW.set(NOW.get() + 1);
    NOW.get()
}

/// A number below `end`, which the seed determines.
pub fn random(end: u64) -> u64 {
    shuttle::rand::thread_rng().next_u64() % end
}

pub fn this_thread() -> u64 {
    usize::from(shuttle::thread::current().id()) as u64 + 1
}

/// Another thread may go on here.
fn switch() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

#[derive(Debug)]
pub struct UnsafeCell<T> {
    value: std::cell::UnsafeCell<T>,
    is_written: std::sync::atomic::AtomicBool,
}

impl<T> UnsafeCell<T> {
    pub const fn new(value: T) -> Self {
        let is_written = std::sync::atomic::AtomicBool::new(false);
        UnsafeCell { value: std::cell::UnsafeCell::new(value), is_written }
    }

    pub fn with<R>(&self, body: impl FnOnce(*const T) -> R) -> R {
        assert!(!self.is_written.load(Ordering::Relaxed), "a cell is read while another thread writes it");
        body(self.value.get())
    }

    pub fn with_mut<R>(&self, body: impl FnOnce(*mut T) -> R) -> R {
        assert!(!self.is_written.swap(true, Ordering::Relaxed), "two threads write a cell at once");
        switch();
        let result = body(self.value.get());
        self.is_written.store(false, Ordering::Relaxed);
        result
    }
}

/// From some moment on nobody may touch what this is part of.
#[derive(Default)]
pub struct Life {
    is_over: std::sync::atomic::AtomicBool,
}

impl Life {
    pub fn touch(&self) {
        assert!(!self.is_over.load(Ordering::Relaxed), "somebody is late, and touches what may be freed");
    }

    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

pub struct RawMutex<T>(shuttle::sync::Mutex<T>);

/// Knows its mutex, so that a condition variable can lock it again.
pub struct MutexGuard<'a, T> {
    guard: shuttle::sync::MutexGuard<'a, T>,
    mutex: &'a RawMutex<T>,
}

impl<T> RawMutex<T> {
    pub fn new(value: T) -> Self {
        RawMutex(shuttle::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(MutexGuard { guard, mutex: self })
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Those who wait, each with a token that is there once it was notified. The list is looked at between two switches only.
#[derive(Default)]
pub struct RawCondvar {
    waiters: Mutex<Vec<Arc<BatchSemaphore>>>,
}

impl RawCondvar {
    pub fn new() -> Self {
        RawCondvar::default()
    }

    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let (token, mutex) = (self.stand(), guard.mutex);
        drop(guard);
        let _ = token.acquire_blocking(1);
        mutex.lock()
    }

    /// Beside the guard: nothing, since nobody asks whether the time was up.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        let until = NOW.get().saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        let (token, mutex) = (self.stand(), guard.mutex);
        drop(guard);
        if !is_notified_in_time(&token) && self.leave(&token) {
            NOW.set(NOW.get().max(until));
        }
        mutex.lock().map(|guard| (guard, ())).map_err(|_| unreachable!("no lock is poisoned here"))
    }

    /// Which of them is woken is not known.
    pub fn notify_one(&self) {
        switch();
        let mut waiters = self.waiters.lock().unwrap();
        if waiters.is_empty() {
            return;
        }
        let chosen = random(waiters.len() as u64) as usize;
        let token = waiters.remove(chosen);
        drop(waiters);
        token.release(1);
    }

    pub fn notify_all(&self) {
        switch();
        let waiters = std::mem::take(&mut *self.waiters.lock().unwrap());
        waiters.iter().for_each(|token| token.release(1));
    }

    fn stand(&self) -> Arc<BatchSemaphore> {
        let token = Arc::new(BatchSemaphore::new(0, Fairness::Unfair));
        self.waiters.lock().unwrap().push(token.clone());
        token
    }

    /// False: somebody has notified it after all.
    fn leave(&self, token: &Arc<BatchSemaphore>) -> bool {
        let mut waiters = self.waiters.lock().unwrap();
        let found = waiters.iter().position(|other| Arc::ptr_eq(other, token));
        found.map(|index| waiters.remove(index)).is_some()
    }
}

/// Waits a while that is drawn: for a few steps of the others, or, each time, for as long as they like.
fn is_notified_in_time(token: &BatchSemaphore) -> bool {
    let (is_hasty, steps) = (random(2) == 0, 1 << random(6));
    for _ in 0..steps {
        if token.available_permits() > 0 {
            return true;
        }
        if is_hasty { switch() } else { yield_now() }
    }
    false
}
