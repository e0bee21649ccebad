//! A word that threads can sleep on, for the model checkers and for systems without the call. Here a wake-up is paid at once, while the
//! sleeper must be there.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::{AtomicU32, Condvar, Mutex, Ordering};

pub struct Futex {
    pub word: AtomicU32,
    sleeper: (Mutex<()>, Condvar),
}

#[must_use]
#[derive(Default)]
pub struct Wake();

impl Futex {
    pub fn new(value: u32) -> Self {
        Futex { word: AtomicU32::new(value), sleeper: (Mutex::new(()), Condvar::new()) }
    }

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

impl Wake {
    pub fn pay(self) {}
}
