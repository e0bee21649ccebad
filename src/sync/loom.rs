//! The names of `sync` as loom has them, which tries every order of events.

#![forbid(unsafe_code)]

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

/// From some moment on nobody may touch what this is part of: the checker objects to a touch that is not ordered before that.
pub struct Life(UnsafeCell<()>);

impl Default for Life {
    fn default() -> Self {
        Life(UnsafeCell::new(()))
    }
}

impl Life {
    pub fn touch(&self) {
        self.0.with(|_| ());
    }

    pub fn end(&self) {
        self.0.with_mut(|_| ());
    }
}

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
