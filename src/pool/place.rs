//! Submits that need a place in a queue of results (`results`) before one in the pool's own.
//!
//! A submitter that waits for such a place sleeps there, not here; so that a shutdown of this pool finds it all the same (law L4),
//! it stands on the pool's list meanwhile: a node on its own stack.
//!
//! # Invariants
//!
//! - A1: a node is linked before its submitter looks whether the pool is closed, and a closing walks the list after it closed the
//!   queue. So whoever sleeps is roused, and who comes later sees it for itself.
//! - A2: a node is linked and unlinked under the list's lock, unlinked by its owner before it leaves its stack (also by a panic); what
//!   it names lives as long. So the walk touches what is there.
//! - A3: the list's lock is taken before that of a queue of results, never after it.

#![allow(unsafe_code, reason = "a waiting submitter's node lies on its own stack (law L1)")]

use std::cell::Cell;
use std::ptr;

use super::queue::Pushed;
use super::results::{Results, WhenFull};
use super::wait::Deadline;
use super::{Error, Job, Pool, Wait};
use crate::sync::{AtomicU64, Mutex, Ordering, this_thread};
use crate::sys::clock;

/// What a submitter waits for.
trait Rouse {
    fn rouse(&self);
}

impl<R: Copy + Send> Rouse for Results<R> {
    fn rouse(&self) {
        Results::rouse(self);
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

/// The submitters of one pool that wait in queues of results.
pub(super) struct Elsewhere {
    list: Mutex<List>,
    /// Nodes on the list; written under the lock, stale for those without it.
    waiting: AtomicU64,
    /// Submits that had to wait there, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// A node that is linked; unlinked when dropped.
struct Linked<'a> {
    elsewhere: &'a Elsewhere,
    node: &'a Node,
    began: u64,
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

    /// Runs `wait`, which sleeps in `results`, with the caller on the list.
    fn stay<R: Copy + Send + 'static, T>(&self, results: &Results<R>, wait: impl FnOnce() -> T) -> T {
        let node = Node { at: results, before: Cell::new(ptr::null()), behind: Cell::new(ptr::null()) };
        let _linked = self.link(&node);
        wait()
    }

    fn link<'a>(&'a self, node: &'a Node) -> Linked<'a> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        let mut list = self.list.lock();
        node.behind.set(list.first);
        // SAFETY: what is linked is there (A2).
        if let Some(first) = unsafe { list.first.as_ref() } {
            first.before.set(node);
        }
        list.first = node;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Linked { elsewhere: self, node, began: clock::now_ns() }
    }

    /// The pool is closed: whoever waits shall look.
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
        self.elsewhere.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(list);
        self.elsewhere.wait_ns.fetch_add(clock::now_ns() - self.began, Ordering::Relaxed);
    }
}

/// Places reserved for so many tasks, of which the first few are accepted; the others are given back when this is dropped, by a panic
/// too.
struct Reserved<F: Fn(usize)> {
    accepted: usize,
    count: usize,
    give_back: F,
}

impl<F: Fn(usize)> Drop for Reserved<F> {
    fn drop(&mut self) {
        (self.accepted..self.count).for_each(&self.give_back);
    }
}

impl<J: Job> Pool<J> {
    /// As [`Pool::submit`], for a task that will put a record into `results`: it has its place there before it is accepted. `job` makes
    /// it then. The submitter has a reference on `results`.
    pub fn submit_recorded<R: Copy + Send + 'static>(
        &self,
        results: &Results<R>,
        job: impl FnOnce() -> (J, Option<J::Detail>),
        wait: Wait,
    ) -> Result<(), Error> {
        let mut deadline = None;
        if let Err(error) = self.reserve(results, wait, || *deadline.insert(wait.begin())) {
            return self.finish_submit(Err(error));
        }
        let mut reserved = Reserved { accepted: 0, count: 1, give_back: |_| results.give_back() };
        let (job, detail) = job();
        let pushed = if self.submit_quickly(job, detail) {
            Ok(Pushed::Quietly)
        } else {
            // One time for both waits.
            self.push_slowly(job, detail, deadline.map_or(wait, Deadline::rest))
        };
        reserved.accepted = pushed.is_ok().into();
        drop(reserved);
        self.finish_submit(pushed)
    }

    /// As [`Pool::submit_batch`], where some tasks have a queue of results, by `place`. Each has its own place before it is accepted.
    pub fn submit_recorded_batch<'a, R: Copy + Send + 'static>(
        &self,
        count: usize,
        job: impl Fn(usize) -> (J, Option<J::Detail>),
        place: impl Fn(usize) -> Option<&'a Results<R>>,
        wait: Wait,
        accepted: &mut usize,
    ) -> Result<(), Error> {
        let deadline = wait.begin();
        while *accepted < count {
            let first = *accepted;
            // Only the first waits for its place, with nothing reserved behind it; the others get what there is.
            if let Some(results) = place(first)
                && let Err(error) = self.reserve(results, wait, || deadline)
            {
                return self.finish_submit(Err(error));
            }
            let reserved = |index: &usize| place(*index).is_none_or(|results| results.reserve().is_ok());
            let end = 1 + (first + 1..count).take_while(reserved).last().unwrap_or(first);
            let rest = if matches!(wait, Wait::For(1..)) { deadline.rest() } else { wait };
            let give_back = |index| place(first + index).map_or((), Results::give_back);
            let mut reserved = Reserved { accepted: 0, count: end - first, give_back };
            let job = |index| job(first + index);
            let submitted = self.submit_batch(end - first, job, rest, &mut reserved.accepted);
            *accepted += reserved.accepted;
            drop(reserved);
            submitted?;
        }
        Ok(())
    }

    fn reserve<R: Copy + Send + 'static>(
        &self,
        results: &Results<R>,
        wait: Wait,
        begin: impl FnOnce() -> Deadline,
    ) -> Result<(), Error> {
        match results.reserve() {
            Err(Error::ResultsFull) => {}
            result => return result,
        }
        if self.queue.is_closed() {
            return Err(Error::Closed);
        }
        match (wait, results.when_full()) {
            (Wait::Never | Wait::For(0), _) | (_, WhenFull::Refuse) => Err(Error::ResultsFull),
            // The tasks of a manual pool free no place here, and nobody sleeps in it.
            _ if self.config.is_manual() || self.crew.has_inside(this_thread()) => Err(Error::Deadlock),
            _ => {
                let deadline = begin();
                self.elsewhere.stay(results, || results.reserve_until(deadline, || self.queue.is_closed()))
            }
        }
    }
}
