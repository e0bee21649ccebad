//! The place where one thread sleeps until another wakes it.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sync::{Condvar, Mutex};

/// A wake-up is kept until it is used, so waking before sleeping is not lost. Made without allocation, also on a
/// stack (unlike `std::thread::park`, whose thread handle is allocated for threads that the C program made).
pub struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    pub fn new() -> Self {
        Parker { woken: Mutex::new(false), changed: Condvar::new() }
    }

    /// Sleeps until woken, using the wake-up up (true), or until `limit` has passed (false). May also return false early.
    pub fn park(&self, limit: Option<Duration>) -> bool {
        let mut woken = self.woken.lock();
        if !*woken {
            woken = self.changed.wait(woken, limit);
        }
        std::mem::replace(&mut *woken, false)
    }

    pub fn unpark(&self) {
        // Notified under the lock: as soon as the sleeper can see `woken` its parker may be gone, and this must
        // have been the last touch.
        let mut woken = self.woken.lock();
        *woken = true;
        self.changed.notify_one();
    }
}
