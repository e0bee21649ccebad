//! Who waits for something of this pool's, but sleeps elsewhere: submitters in queues of results, and those who wait for a group.
//!
//! So that a shutdown of the pool finds them all the same (law L4), or a fault of it, each stands on the pool's list meanwhile: a node
//! on its own stack.
//!
//! # Invariants
//!
//! - A1: a node is linked before its owner looks whether the pool is closed, and a closing walks the list after it closed the
//!   queue. So whoever sleeps is roused, and who comes later sees it for itself.
//! - A2: a node is linked and unlinked under the list's lock, unlinked by its owner before it leaves its stack (also by a panic); what
//!   it names lives as long. So the walk touches what is there.
//! - A3: the list's lock is taken before that of a queue of results or of a group's gate, never after it.

#![allow(unsafe_code, reason = "who waits has its node on its own stack (law L1)")]

use super::group::Group;
use super::list::{Links, List, Node};
use super::results::Results;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::sys::clock;

/// Where somebody sleeps.
pub(super) trait Rouse {
    fn rouse(&self);
}

impl<R: Copy + Send> Rouse for Results<R> {
    fn rouse(&self) {
        Results::rouse(self);
    }
}

impl Rouse for Group {
    fn rouse(&self) {
        Group::rouse(self);
    }
}

struct Waiter {
    at: *const dyn Rouse,
    links: Links<Waiter>,
}

impl Node for Waiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Those who wait elsewhere, of one pool.
pub(super) struct Elsewhere {
    list: Mutex<List<Waiter>>,
    /// Submitters on the list; stale.
    waiting: AtomicU64,
    /// Submits that had to wait there, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// A node that is linked; unlinked when dropped.
struct Linked<'a> {
    elsewhere: &'a Elsewhere,
    waiter: &'a Waiter,
}

impl Elsewhere {
    pub fn new() -> Self {
        Elsewhere {
            list: Mutex::new(List::new()),
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_ns: AtomicU64::new(0),
        }
    }

    /// As `room::Room::figures`.
    pub fn figures(&self) -> (u64, u64, u64) {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        (read(&self.waits), read(&self.wait_ns), read(&self.waiting))
    }

    /// Runs `wait`, which sleeps at `at`, with the caller on the list.
    pub fn stay<T>(&self, at: &(impl Rouse + 'static), wait: impl FnOnce() -> T) -> T {
        let waiter = Waiter { at, links: Links::new() };
        // SAFETY: on this stack, and unlinked before it leaves it (A2).
        unsafe { self.list.lock().link(&waiter) };
        let _linked = Linked { elsewhere: self, waiter: &waiter };
        wait()
    }

    /// The same for a submitter, which is counted as one that waits.
    pub fn stay_counted<T>(&self, at: &(impl Rouse + 'static), wait: impl FnOnce() -> T) -> T {
        let began = clock::now_ns();
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let result = self.stay(at, wait);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.wait_ns.fetch_add(clock::now_ns() - began, Ordering::Relaxed);
        result
    }

    /// The pool is closed, or something else has changed: whoever waits shall look.
    pub fn rouse_all(&self) {
        // SAFETY: what a linked one names is there until this lock is let go (A2).
        self.list.lock().iter().for_each(|waiter| unsafe { (*waiter.at).rouse() });
    }
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        // SAFETY: linked by who made this.
        unsafe { self.elsewhere.list.lock().unlink(self.waiter) };
    }
}
