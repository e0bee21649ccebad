//! The only door to `std::sync`. Under `--cfg wp_loom` the same names are the model checker's, so that what the models
//! check is the code that ships.

#![forbid(unsafe_code)]

#[cfg(not(wp_loom))]
mod imp {
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

    /// A number that no other living thread has, and never 0.
    pub fn this_thread() -> u64 {
        crate::sys::thread::id()
    }
}

#[cfg(wp_loom)]
mod imp {
    pub use loom::cell::UnsafeCell;
    pub use loom::hint::spin_loop;
    pub use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
    pub use loom::sync::{Condvar as RawCondvar, Mutex as RawMutex, MutexGuard};
    pub use loom::thread_local;

    /// The checker finds out which orders of events matter by the accesses to each word, and remembers only the last of them. So where
    /// one thread loads a word, and another loads it and then writes it, it does not see that the first load could have come after the write,
    /// and tries no such order: a scenario may be over after its first run. With `WP_MODEL=strong` every access is a read-modify-write,
    /// of which none is overlooked. That is another half of the truth: such a load never finds an old value, and orders more than
    /// was asked for. Each scenario is explored in both ways (scripts/models).
    fn is_strong() -> bool {
        static STRONG: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *STRONG.get_or_init(|| std::env::var("WP_MODEL").is_ok_and(|model| model == "strong"))
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            pub struct $name(loom::sync::atomic::$name);

            impl Default for $name {
                fn default() -> Self {
                    $name::new(0)
                }
            }

            impl $name {
                pub fn new(value: $value) -> Self {
                    $name(loom::sync::atomic::$name::new(value))
                }

                pub fn load(&self, order: Ordering) -> $value {
                    if is_strong() { self.fetch_or(0, Ordering::AcqRel) } else { self.0.load(order) }
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    if is_strong() {
                        self.0.swap(value, Ordering::AcqRel);
                    } else {
                        self.0.store(value, order);
                    }
                }

                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    self.0.swap(value, order)
                }

                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_add(value, order)
                }

                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_sub(value, order)
                }

                pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_or(value, order)
                }

                pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_and(value, order)
                }

                pub fn fetch_xor(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_xor(value, order)
                }

                pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_max(value, order)
                }

                pub fn fetch_min(&self, value: $value, order: Ordering) -> $value {
                    self.0.fetch_min(value, order)
                }

                pub fn fetch_update(
                    &self,
                    done: Ordering,
                    failed: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    self.0.fetch_update(done, failed, update)
                }

                pub fn compare_exchange(
                    &self,
                    old: $value,
                    new: $value,
                    done: Ordering,
                    failed: Ordering,
                ) -> Result<$value, $value> {
                    self.0.compare_exchange(old, new, done, failed)
                }

                pub fn compare_exchange_weak(
                    &self,
                    old: $value,
                    new: $value,
                    done: Ordering,
                    failed: Ordering,
                ) -> Result<$value, $value> {
                    self.0.compare_exchange_weak(old, new, done, failed)
                }
            }
        };
    }

    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);

    /// Who yields has waited for another thread's next step in vain a few times. From there on this order is only run to its end,
    /// and its branches are not explored: there is no end of them as soon as two threads wait. What is lost is what could happen
    /// later in such an order; the same later events are explored behind shorter waits.
    pub fn yield_now() {
        loom::skip_branch();
        loom::thread::yield_now();
    }

    pub fn this_thread() -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        loom::thread::current().id().hash(&mut hasher);
        hasher.finish() | 1
    }
}

pub use imp::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, MutexGuard, Ordering, UnsafeCell, spin_loop, this_thread,
    thread_local, yield_now,
};

use std::time::Duration;

/// A mutex without poison: what a panic leaves behind is the business of `Pool::fail`.
pub struct Mutex<T>(imp::RawMutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(imp::RawMutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

pub struct Condvar(imp::RawCondvar);

impl Condvar {
    pub fn new() -> Self {
        Condvar(imp::RawCondvar::new())
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

/// A word that threads can sleep on.
pub struct Futex {
    pub word: AtomicU32,
    #[cfg(any(wp_loom, not(target_os = "linux")))]
    sleeper: (Mutex<()>, Condvar),
}

impl Futex {
    pub fn new(value: u32) -> Self {
        Futex {
            word: AtomicU32::new(value),
            #[cfg(any(wp_loom, not(target_os = "linux")))]
            sleeper: (Mutex::new(()), Condvar::new()),
        }
    }
}

/// A wake-up that may be owed to the sleeper of a futex, which may be gone by the time it is paid.
#[must_use]
#[derive(Default)]
pub struct Wake(#[cfg(all(target_os = "linux", not(wp_loom)))] Option<*const AtomicU32>);

#[cfg(all(target_os = "linux", not(wp_loom)))]
impl Futex {
    /// Sleeps while the word is `expected`, until woken or until `limit` has passed. May also return for no reason.
    pub fn wait(&self, expected: u32, limit: Option<Duration>) {
        crate::sys::futex::wait(&self.word, expected, limit);
    }

    /// To wake the sleeper, whose word has been changed before.
    pub fn wake(&self) -> Wake {
        Wake(Some(&raw const self.word))
    }
}

#[cfg(all(target_os = "linux", not(wp_loom)))]
impl Wake {
    pub fn pay(self) {
        if let Some(word) = self.0 {
            crate::sys::futex::wake_one(word);
        }
    }
}

/// The same for the model checker, and for systems without the call: there the wake-up is paid while the sleeper must be there.
#[cfg(any(wp_loom, not(target_os = "linux")))]
impl Futex {
    pub fn wait(&self, expected: u32, limit: Option<Duration>) {
        let guard = self.sleeper.0.lock();
        if self.word.load(Ordering::Relaxed) == expected {
            drop(self.sleeper.1.wait(guard, limit));
        }
    }

    pub fn wake(&self) -> Wake {
        let _guard = self.sleeper.0.lock();
        self.sleeper.1.notify_one();
        Wake()
    }
}

#[cfg(any(wp_loom, not(target_os = "linux")))]
impl Wake {
    pub fn pay(self) {}
}
