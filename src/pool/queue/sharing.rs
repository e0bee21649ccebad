//! The places of the queue, shared between the ring and the lanes (`lanes`).
//!
//! # States
//!
//! A task in a lane has a place without a slot. While there is one, the tail carries `SHARED`; while a lane has a task that may run,
//! `READY`.
//!
//! # Transitions
//!
//! - push to a lane: under the lanes' lock, set `SHARED`. That step says whether the queue is closed (law L4), and after it no other
//!   push gets by without the lock; so now the places can be counted.
//! - push with `SHARED`: under the lock, counted too.
//! - a worker that finds the queue closed and the ring empty asks the lock before it leaves, if `SHARED` is set: a push to a lane may be
//!   on this side of the closing and not have set `READY` yet.
//! - take from a lane: under the lock; the place comes back at once.
//!
//! # Invariants
//!
//! - S1 (law L1): slots in use + tasks in lanes <= capacity. Only pushes raise that sum; without `SHARED` there are none in lanes, with
//!   it each push counts under the lock.
//! - S2: `SHARED` is set exactly while lanes hold tasks, `READY` exactly while one may be run, as soon as the lock is let go.
//! - S3 (no lost wake-up): `READY` is set by a change of the tail, so a worker that is about to sleep sees it. Who sets it, or adds to
//!   it, and finds everybody asleep owes a wake-up; and a worker that was woken passes that on while `READY` is set.
//! - S4 (law L4): a push to a lane that stands before the closing has set `SHARED` before it. So who finds the queue closed with
//!   `SHARED` set, and then nothing to take under the lock, leaves nothing behind but what waits for a running task's end.

#![forbid(unsafe_code)]

use super::{
    ASLEEP, CLOSED, Duty, HALTED, OWED, Owes, POSITION, Pause, Pushed, Queue, READY, SHARED, Task, WAKING,
};
use crate::pool::group::Group;
use crate::pool::lanes::{Lanes, State};
use crate::pool::{Error, Job};
use crate::sync::Ordering;

impl<J: Job> Queue<J> {
    pub(super) fn push_to_lane(&self, lane: &Group, job: J, detail: J::Detail) -> Result<Pushed, Error> {
        let mut state = self.lanes.lock();
        let tail = self.tail.0.fetch_or(SHARED, Ordering::AcqRel);
        let is_refused =
            if tail & CLOSED != 0 { Some(Error::Closed) } else { self.is_full(tail).then_some(Error::Full) };
        if let Some(error) = is_refused {
            self.settle(&state, Duty::None, Pushed::Quietly);
            return Err(error);
        }
        let is_ready = state.push(lane, job, detail);
        self.lanes.note_pushed();
        Ok(self.settle(&state, Duty::None, if is_ready { Pushed::OwingWake } else { Pushed::Quietly }))
    }

    /// A push beside tasks in lanes.
    #[cold]
    pub(super) fn push_counted(&self, job: J, detail: Option<J::Detail>) -> Result<Pushed, Error> {
        let state = self.lanes.lock();
        let mut pause = Pause::new();
        let mut tail = self.tail.0.load(Ordering::Acquire);
        loop {
            if tail & CLOSED != 0 {
                return Err(Error::Closed);
            }
            if self.is_full(tail) {
                return Err(Error::Full);
            }
            if self.slot(tail & POSITION).stamp.load(Ordering::Acquire) != tail & POSITION {
                // Its taker is just about to free it; or, without SHARED, another push was quicker.
                pause.wait();
                tail = self.tail.0.load(Ordering::Acquire);
                continue;
            }
            match self.claim(tail) {
                Ok(()) => break,
                Err(now) => tail = now,
            }
        }
        drop(state);
        self.fill(tail & POSITION, job, detail);
        Ok(if super::waiting::owes_wake(tail) { Pushed::OwingWake } else { Pushed::Quietly })
    }

    /// Under the lanes' lock. Head can only be ahead of what is read here, which frees places.
    fn is_full(&self, tail: u64) -> bool {
        let head = self.head.0.load(Ordering::Acquire) & POSITION;
        let in_ring = self.count(tail & POSITION).saturating_sub(self.count(head));
        in_ring + self.lanes.places() >= self.slots.len() as u64
    }

    /// Makes the tail's flags what the lanes say (S2), before their lock is let go, ends the duty of a worker that has looked, and says what
    /// is owed.
    fn settle(&self, state: &State<J>, looked: Duty, wanted: Pushed) -> Pushed {
        let (is_shared, is_ready) = (self.lanes.places() > 0, state.is_ready());
        self.lanes.note_ready(is_ready);
        let mut tail = self.tail.0.load(Ordering::Acquire);
        loop {
            let owes_wake = wanted == Pushed::OwingWake && tail & (ASLEEP | WAKING) == ASLEEP;
            let flags = if is_shared { SHARED } else { 0 }
                | if is_ready { READY } else { 0 }
                | if owes_wake { WAKING | OWED } else { 0 };
            let next = (tail & !(SHARED | READY | looked.flag(tail))) | flags;
            if next == tail {
                return Pushed::Quietly;
            }
            match self.tail.0.compare_exchange_weak(tail, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return if owes_wake { Pushed::OwingWake } else { Pushed::Quietly },
                Err(now) => tail = now,
            }
        }
    }

    /// For a worker. One that looked does so no more, and the same step says it: a push to the ring that comes next must not count on who
    /// is busy. (A task of the ring needs no such care: its push has unset the flag.)
    #[cold]
    pub(super) fn take_from_lane(&self, duty: Duty, detail: &mut Option<J::Detail>) -> Option<Task<J>> {
        let mut state = self.lanes.lock();
        if self.head.0.load(Ordering::Acquire) & HALTED != 0 {
            return None;
        }
        let (job, its) = state.take(|_| true)?;
        *detail = Some(its);
        self.lanes.note_taken();
        let looked = if duty == Duty::Waking { Duty::None } else { duty };
        self.settle(&state, looked, Pushed::Quietly);
        drop(state);
        Some(Task { job, owes: self.owes_for_place() })
    }

    /// The next task that may run of a lane, if it is within this group, for somebody who waits for that.
    pub fn take_of_group(&self, group: &Group) -> Option<(J, J::Detail)> {
        let mut state = self.lanes.lock();
        if self.head.0.load(Ordering::Acquire) & HALTED != 0 {
            return None;
        }
        let taken = state.take(|its| its.is_within(group))?;
        self.lanes.note_taken();
        self.settle(&state, Duty::None, Pushed::Quietly);
        Some(taken)
    }

    /// A task of a lane has ended; another may run now. With how many wake-ups that is done depends on whether the caller goes on
    /// to take one itself.
    pub fn end_in_lane(&self, lane: &Group, comes_back: bool) -> Pushed {
        let mut state = self.lanes.lock();
        let ready = state.end(lane);
        let is_more = ready > u32::from(comes_back);
        self.settle(&state, Duty::None, if is_more { Pushed::OwingWake } else { Pushed::Quietly })
    }

    /// Takes the next task that is wanted out of the lanes, behind this block, without running it. The place is free at once.
    pub fn remove_from_lanes(
        &self,
        from: &mut usize,
        is_wanted: impl Fn(&J::Detail) -> bool,
    ) -> Option<(J, J::Detail, Pushed)> {
        // Not by the count of places: a push that stands before the closing may not have counted yet (S4).
        if self.tail.0.load(Ordering::Acquire) & SHARED == 0 {
            return None;
        }
        let mut state = self.lanes.lock();
        let (job, detail, ready) = state.remove(from, is_wanted)?;
        self.lanes.note_taken();
        let pushed =
            self.settle(&state, Duty::None, if ready > 0 { Pushed::OwingWake } else { Pushed::Quietly });
        Some((job, detail, pushed))
    }

    pub fn lanes(&self) -> &Lanes<J> {
        &self.lanes
    }

    /// What is owed, as by a take, now that a place came back otherwise. The step reads head, so who asked before it is seen, and who asks
    /// later sees the place.
    pub fn owes_for_place(&self) -> Owes {
        let head = self.head.0.fetch_or(0, Ordering::AcqRel);
        self.owes_since(head)
    }

    /// What is owed by a take that left a submitter waiting. A place in a lane may have come back between its look and its step: neither
    /// had seen the other, and only both together are room enough. Behind both steps the later one sees both.
    #[cold]
    pub(super) fn owes_beside_lanes(&self, owes: Owes) -> Owes {
        if self.lanes.taken() == 0 {
            return owes;
        }
        owes.and(self.owes_since(self.head.0.load(Ordering::Acquire)))
    }

    fn owes_since(&self, mut head: u64) -> Owes {
        loop {
            let owes = self.owes(head, head & POSITION);
            if !owes.any() {
                return owes;
            }
            match self.head.0.compare_exchange_weak(
                head,
                head ^ owes.flags(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return owes,
                Err(now) => head = now,
            }
        }
    }
}
