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
//! - Only the owner parks. The parker must be there while somebody leaves a wake-up in it, but need not be when that is
//!   paid: so a sleeper can be woken after the lock that kept its parker is let go, and does not run into that lock.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sync::{Futex, Ordering, Wake};

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

    /// Leaves a wake-up, and returns what is still to be paid if the owner sleeps. Only the first half needs the parker.
    pub fn unpark(&self) -> Wake {
        if self.state.word.swap(WOKEN, Ordering::Release) == PARKED {
            self.state.wake()
        } else {
            Wake::default()
        }
    }
}
