//! Submitters that wait for room.
//!
//! # States
//!
//! A submitter that found the queue full stands in line: a node on its own stack, linked into the list under the lock, until it
//! is through or gives up. The first in line is at the door: it alone tries to push, so nobody in line overtakes another. The
//! queue's head word carries `WAITING` while the one at the door sleeps.
//!
//! # Transitions
//!
//! - stand in line: under the lock, link the node at the back. Whoever finds itself first is at the door.
//! - at the door: set `WAITING`; if what the same step reads says that there is not enough room, sleep; then try to push.
//! - release: a take that finds `WAITING` and enough room unsets it, and its worker wakes whoever is first then.
//! - leave: whoever is through, refused or out of time unlinks its node. If that brings another to the door, the same critical
//!   section wakes that one, if there is room enough, or sets `WAITING` for it.
//! - close: wakes everybody; each tries to push, and is refused. Who stands in line later finds the queue closed when it tries.
//! - cancel (of a group): the same; who stands in line later looks at its own group then.
//!
//! # Invariants
//!
//! - R1: if somebody is at the door, then it is awake, or a wake-up is on its way to it, or `WAITING` is set since a moment
//!   at which there was not enough room. So each take that makes room enough sees `WAITING`, unless another has seen it before
//!   and is about to wake it.
//! - R2: a node is linked and unlinked under the lock, unlinked by its owner before it leaves its stack, and its wake-up is
//!   left in it under the lock. So whoever wakes a node touches memory that is there.
//!
//! Enough room is most of the queue (`queue`): a submitter that is let in fills that in one go, instead of one switch for each
//! task. So that this can never hold a submitter back for good (its own progress may be what the running tasks wait for), the
//! first in line looks for itself after 1 ms, then after twice as long each time, up to 1 s; who comes to the door asleep does not
//! know that it is there, and begins with 16 ms. Whose time is up tries once more wherever it stands: nobody is refused while
//! there is room.

#![allow(unsafe_code, reason = "a waiting submitter's node lies on its own stack (law L1)")]

use std::cell::Cell;
use std::ptr;
use std::time::Duration;

use super::parker::Parker;
use super::queue::{Pushed, Queue};
use super::wait::Deadline;
use super::{Error, Job};
use crate::sync::{AtomicU64, Mutex, Ordering, Wake};
use crate::sys::clock;

const PATIENCE_FIRST: Duration = Duration::from_millis(1);
const PATIENCE_BEHIND: Duration = Duration::from_millis(16);
const PATIENCE_LAST: Duration = Duration::from_secs(1);

pub struct Room {
    line: Mutex<Line>,
    /// Nodes in line; written under the lock, stale for those without it.
    waiting: AtomicU64,
    /// Submits that had to wait, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// One submitter in line. The neighbours are guarded by the line's lock.
struct Waiter {
    parker: Parker,
    before: Cell<*const Waiter>,
    behind: Cell<*const Waiter>,
}

struct Line {
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: the nodes behind the pointers are used under the lock only, and stay while they are linked (R2).
unsafe impl Send for Line {}

impl Line {
    fn link(&mut self, waiter: &Waiter) {
        waiter.before.set(self.last);
        // SAFETY: what is linked is there (R2).
        match unsafe { self.last.as_ref() } {
            Some(last) => last.behind.set(waiter),
            None => self.first = waiter,
        }
        self.last = waiter;
    }

    fn unlink(&mut self, waiter: &Waiter) {
        // SAFETY: the neighbours are linked, so they are there (R2).
        let (before, behind) = unsafe { (waiter.before.get().as_ref(), waiter.behind.get().as_ref()) };
        match before {
            Some(before) => before.behind.set(waiter.behind.get()),
            None => self.first = waiter.behind.get(),
        }
        match behind {
            Some(behind) => behind.before.set(waiter.before.get()),
            None => self.last = waiter.before.get(),
        }
    }

    fn has_first(&self, waiter: &Waiter) -> bool {
        ptr::eq(self.first, waiter)
    }

    fn wake_first(&self) -> Wake {
        // SAFETY: what is linked is there, and stays until this lock is let go (R2).
        unsafe { self.first.as_ref() }.map_or_else(Wake::default, |first| first.parker.unpark())
    }

    fn wake_all(&self) {
        let mut next = self.first;
        // SAFETY: as above.
        while let Some(waiter) = unsafe { next.as_ref() } {
            waiter.parker.unpark().pay();
            next = waiter.behind.get();
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Room::new()
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
        push: impl Fn() -> Result<Pushed, Error>,
        deadline: Deadline,
    ) -> Result<Pushed, Error> {
        self.push_unless(queue, push, || false, deadline)
    }

    /// The same for one that may be refused for another reason, of which [`Room::release_all`] tells.
    pub fn push_unless<J: Job>(
        &self,
        queue: &Queue<J>,
        push: impl Fn() -> Result<Pushed, Error>,
        is_refused: impl Fn() -> bool,
        deadline: Deadline,
    ) -> Result<Pushed, Error> {
        let began = clock::now_ns();
        self.waits.fetch_add(1, Ordering::Relaxed);
        let waiter =
            Waiter { parker: Parker::new(), before: Cell::new(ptr::null()), behind: Cell::new(ptr::null()) };
        let mut is_at_door = self.stand_in_line(&waiter);
        // The queue was full just now. A single place that is free again by now would only make this submitter and the workers
        // wait for each other task by task; but a closing must be seen, and a cancel that came before this one stood in line.
        let mut shall_try = queue.is_closed() || is_refused();
        let mut patience = if is_at_door { PATIENCE_FIRST } else { PATIENCE_BEHIND };
        let result = loop {
            // Asked before the last try: room that came before the deadline is never missed.
            let is_over = deadline.is_over();
            if shall_try || is_over {
                match push() {
                    Err(Error::Full) if is_over => break Err(Error::TimedOut),
                    Err(Error::Full) => {}
                    result => break result,
                }
            }
            shall_try = is_at_door && queue.ask_for_room();
            if !shall_try {
                // Only the first is woken, or everybody by a close, who may all try.
                let was_at_door = is_at_door;
                is_at_door =
                    waiter.parker.park(limit(deadline, patience)) || self.line.lock().has_first(&waiter);
                patience = if is_at_door && !was_at_door {
                    PATIENCE_FIRST
                } else {
                    (patience * 2).min(PATIENCE_LAST)
                };
                shall_try = is_at_door;
            }
        };
        self.leave_line(&waiter, queue);
        self.wait_ns.fetch_add(clock::now_ns() - began, Ordering::Relaxed);
        result
    }

    /// Returns whether the waiter is the first.
    fn stand_in_line(&self, waiter: &Waiter) -> bool {
        let mut line = self.line.lock();
        line.link(waiter);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        line.has_first(waiter)
    }

    fn leave_line<J: Job>(&self, waiter: &Waiter, queue: &Queue<J>) {
        let mut line = self.line.lock();
        let was_first = line.has_first(waiter);
        line.unlink(waiter);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let has_room = was_first && !line.first.is_null() && queue.ask_for_room();
        let wake = if has_room { line.wake_first() } else { Wake::default() };
        drop(line);
        wake.pay();
    }

    /// Pays what a take owes.
    #[cold]
    pub fn release_one(&self) {
        let wake = self.line.lock().wake_first();
        wake.pay();
    }

    /// The queue is closed, or a group cancelled: everybody tries, and who is meant is refused.
    pub fn release_all(&self) {
        self.line.lock().wake_all();
    }
}

/// The models have no clock: there, only a release ends a wait.
fn limit(deadline: Deadline, patience: Duration) -> Option<Duration> {
    if cfg!(wp_loom) { None } else { Some(deadline.left().map_or(patience, |left| left.min(patience))) }
}
