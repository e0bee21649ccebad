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

use std::cell::Cell;
use std::ptr;

use super::group::Group;
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

struct Node {
    at: *const dyn Rouse,
    before: Cell<*const Node>,
    behind: Cell<*const Node>,
}

struct List {
    first: *const Node,
}

// SAFETY: the nodes behind the pointers are used under the lock only, and stay while they are linked (A2).
unsafe impl Send for List {}

/// Those who wait elsewhere, of one pool.
pub(super) struct Elsewhere {
    list: Mutex<List>,
    /// Submitters on the list; stale.
    waiting: AtomicU64,
    /// Submits that had to wait there, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// A node that is linked; unlinked when dropped.
struct Linked<'a> {
    elsewhere: &'a Elsewhere,
    node: &'a Node,
}

impl Elsewhere {
    pub fn new() -> Self {
        Elsewhere {
            list: Mutex::new(List { first: ptr::null() }),
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
        let node = Node { at, before: Cell::new(ptr::null()), behind: Cell::new(ptr::null()) };
        let _linked = self.link(&node);
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

    fn link<'a>(&'a self, node: &'a Node) -> Linked<'a> {
        let mut list = self.list.lock();
        node.behind.set(list.first);
        // SAFETY: what is linked is there (A2).
        if let Some(first) = unsafe { list.first.as_ref() } {
            first.before.set(node);
        }
        list.first = node;
        Linked { elsewhere: self, node }
    }

    /// The pool is closed, or something else has changed: whoever waits shall look.
    pub fn rouse_all(&self) {
        let list = self.list.lock();
        let mut next = list.first;
        // SAFETY: what is linked is there, and so is what it names, until this lock is let go (A2).
        while let Some((node, at)) = unsafe { next.as_ref().map(|node| (node, &*node.at)) } {
            at.rouse();
            next = node.behind.get();
        }
    }
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        let mut list = self.elsewhere.list.lock();
        let (before, behind) = (self.node.before.get(), self.node.behind.get());
        // SAFETY: the neighbours are linked, so they are there (A2).
        let neighbours = unsafe { (before.as_ref(), behind.as_ref()) };
        match neighbours.0 {
            Some(before) => before.behind.set(behind),
            None => list.first = behind,
        }
        if let Some(behind) = neighbours.1 {
            behind.before.set(before);
        }
    }
}
