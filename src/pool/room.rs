//! Submitters that wait for room.
//!
//! # States
//!
//! A submitter that found the queue full stands in line: a node on its own stack, linked into the list under the lock.
//! The queue's head word carries `WAITING` while the line is not empty and nobody that was let go is on its way.
//!
//! # Transitions
//!
//! - stand in line: under the lock, link the node and set `WAITING`; what the same step reads tells whether the queue is still
//!   full. If so, sleep; if not, leave the line and push.
//! - release: a take that finds `WAITING` and enough room unsets it; its worker then unlinks the first node and wakes it.
//! - pass on: a submitter that is through (or gives up) sets `WAITING` again for those behind it, and releases the next at once
//!   if there is room enough already.
//! - a submitter whose time is up leaves the line and tries once more.
//!
//! # Invariants
//!
//! - R1: if the line is not empty, then `WAITING` is set, or someone that was let go (or is about to let someone go) will pass on.
//!   So no release is lost: each take sees `WAITING` or someone will look at the room after that take.
//! - R2: a node is linked and unlinked, and its `in_line` changes, only under the lock; its owner leaves the function only after it
//!   saw `in_line` false under the lock. So whoever wakes a node, under the lock, touches memory that is there.
//!
//! Releasing waits for a quarter of the queue to be free: a submitter that is let go fills that in one go, instead of one
//! switch for each task. So that this can never hold a submitter back for good (its own progress may be what the running
//! tasks wait for), the first in line looks for itself after a while: 1 ms, then twice as long each time.

#![allow(unsafe_code, reason = "a waiting submitter's node lies on its own stack (law L1)")]

use std::cell::UnsafeCell;
use std::ptr;
use std::time::Duration;

use super::parker::Parker;
use super::queue::{Pushed, Queue, Room as Found};
use super::wait::Deadline;
use super::{Error, Job};
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::sys::clock;

const PATIENCE_FIRST: Duration = Duration::from_millis(1);
const PATIENCE_LAST: Duration = Duration::from_millis(64);

pub(super) struct Room {
    line: Mutex<Line>,
    /// Nodes in line; written under the lock, stale for those without it.
    waiting: AtomicU64,
    /// Submits that had to wait, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// One submitter in line.
struct Waiter {
    parker: Parker,
    /// Guarded by the line's lock.
    link: UnsafeCell<Link>,
}

struct Link {
    before: *const Waiter,
    behind: *const Waiter,
    in_line: bool,
}

struct Line {
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: the nodes behind the pointers are used under the lock only, and stay while they are linked (R2).
unsafe impl Send for Line {}

#[derive(Clone, Copy)]
enum End {
    /// Where one joins.
    Back,
    /// Where one stays who was let go and found the room taken by another.
    Front,
}

impl Line {
    fn link(&mut self, waiter: &Waiter, end: End) {
        let (before, behind) = match end {
            End::Back => (self.last, ptr::null()),
            End::Front => (ptr::null(), self.first),
        };
        // SAFETY: under the lock (`&mut self`); the neighbours are linked, so they are there (R2).
        unsafe {
            *waiter.link.get() = Link { before, behind, in_line: true };
            match before.is_null() {
                true => self.first = waiter,
                false => (*(*before).link.get()).behind = waiter,
            }
            match behind.is_null() {
                true => self.last = waiter,
                false => (*(*behind).link.get()).before = waiter,
            }
        }
    }

    fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: under the lock; the neighbours are linked, so they are there (R2).
        unsafe {
            let Link { before, behind, .. } = *waiter.link.get();
            match before.is_null() {
                true => self.first = behind,
                false => (*(*before).link.get()).behind = behind,
            }
            match behind.is_null() {
                true => self.last = before,
                false => (*(*behind).link.get()).before = before,
            }
            *waiter.link.get() = Link { before: ptr::null(), behind: ptr::null(), in_line: false };
        }
    }

    fn has(&self, waiter: &Waiter) -> bool {
        // SAFETY: under the lock.
        unsafe { (*waiter.link.get()).in_line }
    }

    fn release_first(&mut self) -> bool {
        // SAFETY: a linked node is there (R2), and stays until this lock is let go.
        let Some(first) = (unsafe { self.first.as_ref() }) else { return false };
        self.unlink(first);
        first.parker.unpark();
        true
    }
}

impl Room {
    pub fn new() -> Self {
        Room {
            line: Mutex::new(Line { first: ptr::null(), last: ptr::null() }),
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_ns: AtomicU64::new(0),
        }
    }

    /// Submits that had to wait so far, the nanoseconds that they waited, and those that wait now.
    pub fn figures(&self) -> (u64, u64, u64) {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        (read(&self.waits), read(&self.wait_ns), read(&self.waiting))
    }

    /// A push that waits for room until the deadline: `Full` never comes back, `TimedOut` does.
    pub fn push<J: Job>(
        &self,
        queue: &Queue<J>,
        job: J,
        detail: Option<J::Detail>,
        deadline: Deadline,
    ) -> Result<Pushed, Error> {
        let began = clock::now_ns();
        self.waits.fetch_add(1, Ordering::Relaxed);
        let link = Link { before: ptr::null(), behind: ptr::null(), in_line: false };
        let waiter = Waiter { parker: Parker::new(), link: UnsafeCell::new(link) };
        let mut patience = PATIENCE_FIRST;
        let mut end = End::Back;
        let result = loop {
            if self.stand_in_line(&waiter, end, queue) {
                self.wait_in_line(&waiter, deadline, &mut patience);
                end = End::Front;
            }
            // Asked before the last try: room that came before the deadline is never missed.
            let is_over = deadline.is_over();
            match queue.push(job, detail) {
                Err(Error::Full) if is_over => break Err(Error::TimedOut),
                Err(Error::Full) => {}
                result => break result,
            }
        };
        self.pass_on(queue);
        self.wait_ns.fetch_add(clock::now_ns() - began, Ordering::Relaxed);
        result
    }

    /// Links the waiter; false, and not linked, if there is room (or no hope) already.
    fn stand_in_line<J: Job>(&self, waiter: &Waiter, end: End, queue: &Queue<J>) -> bool {
        let mut line = self.line.lock();
        line.link(waiter, end);
        if matches!(queue.ask_for_room(), Found::None) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        line.unlink(waiter);
        false
    }

    /// Sleeps until let go, or until it is time to look for oneself. The waiter is out of line afterwards.
    fn wait_in_line(&self, waiter: &Waiter, deadline: Deadline, patience: &mut Duration) {
        let mut look_at = clock::now_ns() + patience.as_nanos() as u64;
        loop {
            waiter.parker.park(limit(deadline, *patience));
            let mut line = self.line.lock();
            let is_first = ptr::eq(line.first, waiter);
            let is_time = clock::now_ns() >= look_at;
            if is_time {
                *patience = (*patience * 2).min(PATIENCE_LAST);
                look_at = clock::now_ns() + patience.as_nanos() as u64;
            }
            if !line.has(waiter) || deadline.is_over() || (is_first && is_time) {
                if line.has(waiter) {
                    line.unlink(waiter);
                }
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Whoever was let go, or may have been, sees to those behind.
    fn pass_on<J: Job>(&self, queue: &Queue<J>) {
        let mut line = self.line.lock();
        if !line.first.is_null() && queue.ask_for_enough_room() {
            line.release_first();
        }
    }

    /// Pays what a take owes.
    #[cold]
    pub fn release_one(&self) {
        self.line.lock().release_first();
    }

    /// The queue is closed: everybody goes, to be refused.
    pub fn release_all(&self) {
        let mut line = self.line.lock();
        while line.release_first() {}
    }
}

/// The models have no clock: there, only a release ends a wait.
fn limit(deadline: Deadline, patience: Duration) -> Option<Duration> {
    if cfg!(wp_loom) { None } else { Some(deadline.left().map_or(patience, |left| left.min(patience))) }
}
