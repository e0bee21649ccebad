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
//! - let in: the one at the door has run out of patience, and sleeps again since it found no room. The next take that gives
//!   word of any room (`notify`) pushes for it, unlinks it and wakes it.
//! - close: wakes everybody; each tries to push, and is refused. Who stands in line later finds the queue closed when it tries. The same
//!   when a group is cancelled: those who submit to it are refused; of the others the first tries, and the rest sleep on.
//!
//! # Invariants
//!
//! - R1: if somebody is at the door, then it is awake, or a wake-up is on its way to it, or `WAITING` is set since a moment
//!   at which there was not enough room. So each take that makes room enough sees `WAITING`, unless another has seen it before
//!   and is about to wake it.
//! - R2: a node is linked and unlinked under the lock, unlinked by its owner before it leaves its stack, or by who lets it in; its
//!   wake-up is left in it under the lock. So whoever wakes a node touches memory that is there.
//! - R3: who lets a node in does so under the lock, and only between two of the owner's looks, which allow and forbid it under the
//!   lock. So a job is pushed once.
//!
//! Enough room is most of the queue (`queue`): a submitter that is let in fills that in one go, instead of one switch for each
//! task. So that this can never hold a submitter back for good (its own progress may be what the running tasks wait for), the
//! first in line looks for itself after 1 ms, then after twice as long each time, up to 1 s; who comes to the door asleep does not
//! know that it is there, and begins with 16 ms. Whose time is up tries once more wherever it stands: nobody is refused while
//! there is room.
//!
//! Those who want word of any room (`notify`) would take each single place before that look comes. So they and the line take turns:
//! who has looked in vain is let in by the next word, before it is given to them; and since patience begins anew with each that
//! comes to the door, the line gets no more than one place in a millisecond in this way.

#![allow(unsafe_code, reason = "a waiting submitter's node lies on its own stack (law L1)")]

use std::cell::Cell;
use std::time::Duration;

use super::list::{Links, List, Node};
use super::parker::Parker;
use super::queue::{Pushed, Queue};
use super::wait::Deadline;
use super::{Error, Job};
use crate::faults;
use crate::sync::{AtomicU64, IS_MODEL, Mutex, MutexGuard, Ordering, Wake};
use crate::sys::clock;

const PATIENCE_FIRST: Duration = Duration::from_millis(1);
const PATIENCE_BEHIND: Duration = Duration::from_millis(16);
const PATIENCE_LAST: Duration = Duration::from_secs(1);

pub struct Room<J: Job> {
    line: Mutex<List<Waiter<J>>>,
    /// Nodes in line; written under the lock, stale for those without it.
    waiting: AtomicU64,
    /// Submits that had to wait, and how long; exact once each has returned.
    waits: AtomicU64,
    wait_ns: AtomicU64,
}

/// One submitter in line. All but the parker is guarded by the line's lock.
struct Waiter<J: Job> {
    parker: Parker,
    links: Links<Self>,
    state: Cell<State>,
    job: J,
    detail: Option<J::Detail>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It pushes for itself.
    Alone,
    /// It has looked in vain, and sleeps: who has room for it may push.
    LetMeIn,
    /// Somebody has pushed for it, and it is on the list no more.
    IsIn,
}

/// A node that is linked; unlinked when dropped, by a panic too (R2), if nobody has let it in.
struct InLine<'a, J: Job> {
    room: &'a Room<J>,
    waiter: &'a Waiter<J>,
    queue: &'a Queue<J>,
    began: u64,
}

impl<J: Job> Drop for InLine<'_, J> {
    fn drop(&mut self) {
        let line = self.room.line.lock();
        if self.waiter.state.get() != State::IsIn {
            self.room.leave_line(line, self.waiter, self.queue);
        }
        self.room.wait_ns.fetch_add(clock::now_ns() - self.began, Ordering::Relaxed);
    }
}

impl<J: Job> Node for Waiter<J> {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl<J: Job> Default for Room<J> {
    fn default() -> Self {
        Room::new()
    }
}

impl<J: Job> Room<J> {
    pub fn new() -> Self {
        Room {
            line: Mutex::new(List::new()),
            waiting: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_ns: AtomicU64::new(0),
        }
    }

    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.line.bury();
    }

    /// Submits that had to wait so far, the nanoseconds that they waited, and those that wait now.
    pub fn figures(&self) -> (u64, u64, u64) {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        (read(&self.waits), read(&self.wait_ns), read(&self.waiting))
    }

    /// A push that waits for room until the deadline: `Full` never comes back, `TimedOut` does.
    pub fn push(
        &self,
        queue: &Queue<J>,
        job: J,
        detail: Option<J::Detail>,
        push: impl Fn(J, Option<J::Detail>) -> Result<Pushed, Error>,
        is_refused: impl Fn() -> bool,
        deadline: Deadline,
    ) -> Result<Pushed, Error> {
        let began = clock::now_ns();
        self.waits.fetch_add(1, Ordering::Relaxed);
        let (links, state) = (Links::new(), Cell::new(State::Alone));
        let waiter = Waiter { parker: Parker::new(), links, state, job, detail };
        let mut is_at_door = self.stand_in_line(&waiter);
        let in_line = InLine { room: self, waiter: &waiter, queue, began };
        faults::point(faults::Stage::InLine);
        // The queue was full just now. A single place that is free again by now would only make this submitter and the workers
        // wait for each other task by task; but a refusal must be seen, whose cause comes before its `release_all`.
        let mut shall_try = queue.is_closed() || is_refused();
        let mut has_looked = IS_MODEL;
        let mut patience = if is_at_door { PATIENCE_FIRST } else { PATIENCE_BEHIND };
        let result = loop {
            // Asked before the last try: room that came before the deadline is never missed.
            let is_over = deadline.is_over();
            if shall_try || is_over {
                match push(job, detail) {
                    Err(Error::Full) if is_over => break Err(Error::TimedOut),
                    Err(Error::Full) => has_looked = is_at_door,
                    result => break result,
                }
            }
            shall_try = is_at_door && queue.ask_for_room();
            if !shall_try {
                if has_looked {
                    self.allow(&waiter);
                }
                let was_at_door = is_at_door;
                let is_woken = waiter.parker.park(limit(deadline, patience));
                let line = self.line.lock();
                if waiter.state.get() == State::IsIn {
                    break Ok(Pushed::Quietly);
                }
                waiter.state.set(State::Alone);
                is_at_door = line.has_first(&waiter);
                drop(line);
                if is_at_door && !was_at_door {
                    patience = PATIENCE_FIRST;
                } else if !is_woken {
                    patience = (patience * 2).min(PATIENCE_LAST);
                }
                // One behind the first is woken by a close, or by the cancel of a group, perhaps another's: it must overtake nobody.
                shall_try = is_at_door || is_woken && (queue.is_closed() || is_refused());
            }
        };
        faults::way_back();
        drop(in_line);
        result
    }

    /// Returns whether the waiter is the first.
    fn stand_in_line(&self, waiter: &Waiter<J>) -> bool {
        let mut line = self.line.lock();
        // SAFETY: fresh, and unlinked before it leaves the stack (R2).
        unsafe { line.link(waiter) };
        self.waiting.fetch_add(1, Ordering::Relaxed);
        line.has_first(waiter)
    }

    fn allow(&self, waiter: &Waiter<J>) {
        let _line = self.line.lock();
        waiter.state.set(State::LetMeIn);
    }

    fn leave_line(&self, mut line: MutexGuard<'_, List<Waiter<J>>>, waiter: &Waiter<J>, queue: &Queue<J>) {
        let was_first = line.has_first(waiter);
        // SAFETY: linked by its owner, and nobody has let it in (R2).
        unsafe { line.unlink(waiter) };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let has_room = was_first && !line.is_empty() && queue.ask_for_room();
        let wake = if has_room { wake_first(&line) } else { Wake::default() };
        drop(line);
        wake.pay();
    }

    /// There is a place: if the one at the door has looked for it in vain before, it has it now. The caller pays what the push owes.
    pub fn let_in(
        &self,
        queue: &Queue<J>,
        push: impl Fn(J, Option<J::Detail>) -> Result<Pushed, Error>,
    ) -> Option<Pushed> {
        let line = self.line.lock();
        let waiter = line.first().filter(|first| first.state.get() == State::LetMeIn)?;
        // Closed, or its group cancelled: it has been woken to be told so itself.
        let pushed = push(waiter.job, waiter.detail).ok()?;
        let waiter: *const Waiter<J> = waiter;
        // SAFETY: it stays until its owner, who needs this lock for it, learns that it is in (R2).
        let waiter = unsafe { &*waiter };
        waiter.state.set(State::IsIn);
        let wake = waiter.parker.unpark();
        self.leave_line(line, waiter, queue);
        wake.pay();
        Some(pushed)
    }

    /// Pays what a take owes.
    #[cold]
    pub fn release_one(&self) {
        let wake = wake_first(&self.line.lock());
        wake.pay();
    }

    /// The queue is closed, or a group cancelled: everybody looks whether it is refused.
    pub fn release_all(&self) {
        self.line.lock().iter().for_each(|waiter| waiter.parker.unpark().pay());
    }
}

fn wake_first<J: Job>(line: &List<Waiter<J>>) -> Wake {
    line.first().map_or_else(Wake::default, |first| first.parker.unpark())
}

/// In the models patience never runs out, so that who is forgotten is seen: there, only a release or the deadline ends a wait.
fn limit(deadline: Deadline, patience: Duration) -> Option<Duration> {
    let left = deadline.left();
    if IS_MODEL { left } else { Some(left.map_or(patience, |left| left.min(patience))) }
}
