//! Tasks that leave the queue out of turn: cancelled, expired, or run by somebody who waits for them.
//!
//! # States
//!
//! Beside each slot stands its detail, and a claim on the task whose slot has this position: *queued* → *taken* (by the take whose turn
//! it is), or *queued* → *held* (somebody looks at it) → *queued* again or *gone*. Only tasks with a group or a deadline have one; to
//! the others nobody comes out of turn.
//!
//! # Invariants
//!
//! - C1: a task is handed out by the one step that leaves *queued* for *taken*, or by the one that leaves *held* for *gone*; so once.
//! - C2: while a claim is *held*, the slot and its detail stay as they are: the take whose turn it is waits, and so does another
//!   search, which must not miss what the first one leaves. What stands between is a copy, never a callback.
//! - C3: a claim that is *gone* leaves its place occupied until the take comes by, which passes it over and counts that. So the order
//!   of the slots' release is that of the positions, as ever.

#![allow(unsafe_code, reason = "a detail is read outside any lock")]

use std::mem::MaybeUninit;

use super::{POSITION, Pause, Queue};
use crate::pool::Job;
use crate::pool::job::Detail;
use crate::sync::{AtomicU64, Ordering, UnsafeCell};

const QUEUED: u64 = 0;
const TAKEN: u64 = 1;
const HELD: u64 = 2;
const GONE: u64 = 3;

/// What stands beside a slot.
pub(super) struct Annex<D> {
    claim: AtomicU64,
    pub detail: UnsafeCell<MaybeUninit<D>>,
}

fn of(position: u64, state: u64) -> u64 {
    position << 2 | state
}

impl<D> Annex<D> {
    pub fn new() -> Self {
        Annex { claim: AtomicU64::new(u64::MAX), detail: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The task at this position may be claimed from here on: its slot and its detail are written.
    pub fn offer(&self, position: u64) {
        self.claim.store(of(position, QUEUED), Ordering::Release);
    }

    /// Takes the task out of the state *queued*. False: it is not there, or not there any more. Who looks at it now may leave it, so that
    /// is waited for: neither a take nor a search misses anything because of another search.
    fn claim(&self, position: u64, state: u64) -> bool {
        let mut pause = Pause::new();
        loop {
            match self.claim.compare_exchange(
                of(position, QUEUED),
                of(position, state),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(found) if found == of(position, HELD) => pause.wait(),
                Err(_) => return false,
            }
        }
    }

    fn let_go(&self, position: u64, state: u64) {
        self.claim.store(of(position, state), Ordering::Release);
    }
}

impl<J: Job> Queue<J> {
    /// Where the next push will stand; stale at once.
    pub fn end(&self) -> u64 {
        self.tail.0.load(Ordering::Acquire) & POSITION
    }

    /// Hands out the next task that is wanted between these two positions, and moves `from` behind it.
    pub fn claim_ahead(
        &self,
        from: &mut u64,
        to: u64,
        is_wanted: impl Fn(&J::Detail) -> bool,
    ) -> Option<(J, J::Detail)> {
        *from = (*from).max(self.head.0.load(Ordering::Acquire) & POSITION);
        while *from < to {
            let position = *from;
            *from = self.next(position);
            let annex = self.annex(position);
            if !annex.claim(position, HELD) {
                continue;
            }
            // SAFETY: what was offered is written, and stays while the claim is held (C2).
            let detail = annex.detail.with(|place| unsafe { (*place).assume_init() });
            if is_wanted(&detail) {
                // SAFETY: as above.
                let job = self.slot(position).job.with(|place| unsafe { (*place).assume_init() });
                // Before the take can pass it, so that more is never passed over than has gone.
                self.gone.fetch_add(1, Ordering::Release);
                annex.let_go(position, GONE);
                return Some((job, detail));
            }
            annex.let_go(position, QUEUED);
        }
        None
    }

    /// Tasks that have gone out of turn and whose places have not come back. May be stale in either direction, but never negative.
    pub fn gone(&self) -> u64 {
        let passed = self.passed.load(Ordering::Acquire);
        self.gone.load(Ordering::Acquire) - passed
    }
}

/// For snapshots.
impl<J: Job> Queue<J> {
    /// Whether so many tasks that have gone still have their places: a take moves head over such a place a moment before it counts that.
    pub fn is_gone_exact(&self, gone: u64) -> bool {
        let end = self.end();
        let mut position = self.head.0.load(Ordering::Acquire) & POSITION;
        let mut found = 0;
        while gone > 0 && position < end {
            found += u64::from(self.annex(position).claim.load(Ordering::Acquire) == of(position, GONE));
            position = self.next(position);
        }
        found == gone
    }
}

/// The slot of a detailed job is this thread's: its detail, if the task is still there.
impl<J: Job> Queue<J> {
    #[inline(never)]
    pub(super) fn take_detail(&self, position: u64) -> Option<J::Detail> {
        let annex = self.annex(position);
        // SAFETY: the slot is this thread's (Q2); others who hold it only read. A detailed job was pushed with its detail.
        let detail = annex.detail.with(|place| unsafe { (*place).assume_init() });
        if detail.is_scoped() && !annex.claim(position, TAKEN) {
            self.passed.fetch_add(1, Ordering::Release);
            return None;
        }
        Some(detail)
    }
}
