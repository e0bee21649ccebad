//! The timer: a thread that ends what is queued past its deadline, though all workers are busy.
//!
//! # States
//!
//! `next`: no task that is queued has an earlier deadline, unless the timer is looking at it, or its submit has not returned.
//!
//! # Transitions
//!
//! - submit, after the push: `next` is lowered to the task's deadline; who lowers it wakes the timer.
//! - the timer, at `next`: it takes the number away, looks through all that is queued, ends what is late, and lowers `next` to the
//!   earliest deadline that it has left. It rests longer than it looks, whatever the deadlines are.
//!
//! # Invariants
//!
//! - T1: a push that the look has missed lowers `next` after the timer took the number away; so no deadline is forgotten.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::job::NO_DEADLINE;
use super::parker::Parker;
use super::{Job, Pool};
use crate::sync::{AtomicBool, AtomicU64, Life, Ordering};

/// It rests this many times as long as it looked.
const REST: u64 = 7;

pub(super) struct Timer {
    is_wanted: bool,
    next: AtomicU64,
    is_over: AtomicBool,
    parker: Parker,
    life: Life,
}

impl Timer {
    pub fn new(is_wanted: bool) -> Self {
        Timer {
            is_wanted,
            next: AtomicU64::new(NO_DEADLINE),
            is_over: AtomicBool::new(false),
            parker: Parker::new(),
            life: Life::default(),
        }
    }

    /// Whether a task with this deadline has to be noted.
    pub fn watches(&self, deadline: u64) -> bool {
        self.is_wanted && deadline != NO_DEADLINE
    }

    /// A task with this deadline is queued.
    pub fn note(&self, deadline: u64) {
        self.life.touch();
        if deadline < self.next.fetch_min(deadline, Ordering::AcqRel) {
            self.parker.unpark().pay();
        }
    }

    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.life.end();
    }

    /// The timer's thread shall leave.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Release);
        self.parker.unpark().pay();
    }
}

impl<J: Job> Pool<J> {
    /// The whole life of the timer's thread.
    pub fn keep_time(&self) {
        let mut rested = 0;
        while !self.timer.is_over.load(Ordering::Acquire) {
            let now = self.now_ns();
            let due = self.timer.next.load(Ordering::Acquire).max(rested);
            if now < due {
                let limit = (due != NO_DEADLINE).then(|| Duration::from_nanos(due - now));
                self.timer.parker.park(limit);
                continue;
            }
            let looked = self.sweep(now);
            rested = self.now_ns().saturating_add(looked * REST);
        }
    }

    /// Returns how long it looked.
    fn sweep(&self, now: u64) -> u64 {
        self.timer.next.swap(NO_DEADLINE, Ordering::AcqRel);
        let (earliest, looked) = self.expire(now);
        self.timer.next.fetch_min(earliest, Ordering::AcqRel);
        looked
    }

    /// Moves the clock of a manual pool. With a timer it stops at each deadline on the way, and what is late ends there.
    pub fn advance(&self, nanoseconds: u64) {
        let Some(clock) = &self.clock else { return };
        let target = clock.now_ns().saturating_add(nanoseconds);
        // Not by `next`: who calls this inside the `end` of a late task comes while a look is under way, and has none of its own.
        let next = || if self.timer.is_wanted { self.expire(0).0 } else { NO_DEADLINE };
        let is_due = |next: &u64| *next <= target.min(NO_DEADLINE - 1);
        while let Some(next) = Some(next()).filter(is_due) {
            clock.reach(next);
            self.expire(clock.now_ns());
        }
        clock.reach(target);
    }
}
