//! A word that threads can sleep on: the kernel's.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::AtomicU32;

pub struct Futex {
    pub word: AtomicU32,
}

/// A wake-up that may be owed to the sleeper of a futex, which may be gone by the time it is paid.
#[must_use]
#[derive(Default)]
pub struct Wake(Option<*const AtomicU32>);

impl Futex {
    pub fn new(value: u32) -> Self {
        Futex { word: AtomicU32::new(value) }
    }

    /// Sleeps while the word is `expected`, until woken or until `limit` has passed. May also return for no reason.
    pub fn wait(&self, expected: u32, limit: Option<Duration>) {
        crate::sys::futex::wait(&self.word, expected, limit);
    }

    /// To wake the sleeper, whose word has been changed before.
    pub fn wake(&self) -> Wake {
        Wake(Some(&raw const self.word))
    }
}

impl Wake {
    pub fn pay(self) {
        if let Some(word) = self.0 {
            crate::sys::futex::wake_one(word);
        }
    }
}
