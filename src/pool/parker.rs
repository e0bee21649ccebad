//! The place where one thread sleeps until another wakes it.
//!
//! # States
//!
//! *empty*; *woken* (a wake-up waits to be used); *parked* (the owner sleeps, or is about to).
//!
//! # Transitions
//!
//! - park: empty → parked, and sleep while it is so; then → empty, whatever it was. Woken → empty without sleeping.
//! - unpark: → woken; the kernel is asked to wake the owner only if it was parked.
//!
//! # Invariants
//!
//! - A wake-up is kept until it is used, so waking before sleeping is not lost: a sleep ends when the word is no longer
//!   *parked*, and begins only if it still is.
//! - Only the owner parks. Whoever unparks keeps the parker from going away meanwhile (the woken owner may be quicker than its
//!   waker's last step).

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sync::{Futex, Ordering};

const EMPTY: u32 = 0;
const WOKEN: u32 = 1;
const PARKED: u32 = 2;

/// Made without allocation, also on a stack (unlike `std::thread::park`, whose thread handle is allocated for threads
/// that the C program made).
pub struct Parker {
    state: Futex,
}

impl Parker {
    pub fn new() -> Self {
        Parker { state: Futex::new(EMPTY) }
    }

    /// Sleeps until woken, using the wake-up up (true), or until `limit` has passed (false). May also return false early.
    pub fn park(&self, limit: Option<Duration>) -> bool {
        let state = &self.state.word;
        if state.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.state.wait(PARKED, limit);
        }
        state.swap(EMPTY, Ordering::Acquire) == WOKEN
    }

    pub fn unpark(&self) {
        if self.state.word.swap(WOKEN, Ordering::Release) == PARKED {
            self.state.wake_one();
        }
    }
}
