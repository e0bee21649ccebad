//! A group: a scope over tasks. It counts them, is waited for, cancelled, and may stand inside another group.
//!
//! # States
//!
//! One word holds what must be seen in one step: how many tasks of the group and of the groups below it are *open* (entered by a
//! submit, not ended), how many of these are *running* (begun; also those whose `end` is being called), and flags:
//!
//! - `CALLED`, `FAILED`: cancelled, by a call or because a task failed. The first one stays, and none is ever unset.
//! - `WAITED`: somebody has begun to wait since the group was empty last.
//!
//! # Transitions, each on the group and then on every group above it
//!
//! - enter: open + 1, before the task is pushed. If the same step finds a group cancelled, everything is undone and the submit refused.
//! - begin: running + 1, before the task is run or ended. If the same step finds a group cancelled, the task is not run.
//! - leave: open − 1, running − 1, after the task's `end` has returned. Who leaves a group empty unsets `WAITED` in the same step, and
//!   then wakes those who had begun to wait before it.
//! - cancel: sets a flag on this group alone; the tasks below come by here when they enter or begin.
//!
//! # Invariants
//!
//! - G1 (a cancel is a line): each begin of a task is before the cancel in the order of the word's changes, or sees it. So no task
//!   starts once a cancel has returned, whatever was queued, is being submitted or comes later.
//! - G2 (law L5): who sees open = 0 by a step on the word sees everything that the tasks did that were open before.
//! - G3: the memory is counted: each handle is a reference, each group below is one, and all open tasks together are one, taken by
//!   the enter that finds none and given back by the leave that leaves none. So a group is there as long as a task of it is open,
//!   and who leaves touches a group no more once it is not the last.
//! - G4: from the step that sets `WAITED` to the one that unsets it is a *watch*. They are counted as they begin, and as they end by who
//!   left the group empty, later and maybe in another order. So once as many have ended as had begun when a waiter joined the last,
//!   the group has been empty since it joined.
//! - G5: a task is in the pool's figures before it leaves, and the pool is idle only when all have left: after either wait they agree.

#![allow(unsafe_code, reason = "a group names the one above it, on which it holds a reference")]

use std::ffi::CStr;
use std::ptr;

use super::lanes::Lane;
use super::wait::Deadline;
use super::{Error, Fate};
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering};

const OPEN: u64 = 1;
const RUNNING: u64 = 1 << 32;
const COUNT: u64 = (1 << 28) - 1;
const CALLED: u64 = 1 << 63;
const FAILED: u64 = 1 << 62;
const WAITED: u64 = 1 << 61;
const CANCELLED: u64 = CALLED | FAILED;

/// The bytes of a label that a group keeps, with the final 0.
pub const LABEL_BYTES: usize = 32;

pub struct Group {
    word: AtomicU64,
    above: *const Group,
    deadline: u64,
    on_failure: OnFailure,
    pub(super) lane: Lane,
    /// Whether there ever was a group below.
    has_below: AtomicBool,
    /// No task of this group stands before this position of the queue …
    pub(super) first: u64,
    /// … and none behind this one, unless it is of a group below.
    last: AtomicU64,
    fates: Fates,
    failure: Mutex<Option<Failure>>,
    gate: Mutex<Gate>,
    emptied: Condvar,
    references: AtomicU64,
    free: unsafe fn(*const Group),
}

// SAFETY: what `above` points to is there (G3) and is shared as this group is; `lane` is guarded by its lock (see there).
unsafe impl Sync for Group {}
// SAFETY: as above.
unsafe impl Send for Group {}

/// How a group is to be.
pub struct Settings<'a> {
    pub above: Option<&'a Group>,
    /// On the pool's clock.
    pub deadline: u64,
    pub on_failure: OnFailure,
    /// How many of its tasks may run at once.
    pub max_running: Option<u32>,
    /// Frees the group's memory, whose last reference is gone.
    pub free: unsafe fn(*const Group),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    GoOn,
    Cancel,
}

/// Why a task should stop, or a group has been. The numbers are the C interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled = 1,
    Failed = 2,
    Deadline = 3,
    Shutdown = 4,
}

/// The first task that failed.
#[derive(Clone, Copy)]
pub struct Failure {
    pub status: i32,
    pub label: [u8; LABEL_BYTES],
}

/// How many of the group's tasks, and of those below, met which fate. Raised before the task leaves.
#[derive(Default)]
struct Fates {
    ran: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    expired: AtomicU64,
    discarded: AtomicU64,
}

/// Watches (G4).
#[derive(Default)]
struct Gate {
    begun: u64,
    ended: u64,
}

#[derive(Clone, Copy)]
pub struct Status {
    pub queued: u64,
    pub running: u64,
    pub ran: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub expired: u64,
    pub discarded: u64,
    pub failure: Option<Failure>,
}

impl Group {
    /// With one reference, its maker's, and one on the group above. `position`: the queue's tail.
    pub(super) fn new(settings: &Settings<'_>, position: u64) -> Group {
        if let Some(above) = settings.above {
            above.retain();
            above.has_below.store(true, Ordering::Relaxed);
        }
        Group {
            word: AtomicU64::new(0),
            above: settings.above.map_or(ptr::null(), |above| above),
            deadline: settings.deadline.min(settings.above.map_or(u64::MAX, |above| above.deadline)),
            on_failure: settings.on_failure,
            lane: Lane::new(settings.max_running),
            has_below: AtomicBool::new(false),
            first: position,
            last: AtomicU64::new(0),
            fates: Fates::default(),
            failure: Mutex::new(None),
            gate: Mutex::new(Gate::default()),
            emptied: Condvar::new(),
            references: AtomicU64::new(1),
            free: settings.free,
        }
    }

    /// The earliest deadline of this group and those above.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    pub fn above(&self) -> Option<&Group> {
        // SAFETY: NULL, or there as long as this group (G3).
        unsafe { self.above.as_ref() }
    }

    /// This group, then those above it.
    pub(super) fn line(&self) -> impl Iterator<Item = &Group> {
        std::iter::successors(Some(self), |group| group.above())
    }

    pub(super) fn is_within(&self, other: &Group) -> bool {
        self.line().any(|group| ptr::eq(group, other))
    }

    pub(super) fn has_below(&self) -> bool {
        self.has_below.load(Ordering::Relaxed)
    }

    /// A task of this group is about to stand at this position.
    pub(super) fn reach(&self, position: u64) {
        self.last.fetch_max(position, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Whether a submit would be refused.
    pub(super) fn refuse_cancelled(&self) -> Result<(), Error> {
        let is_cancelled = |group: &Group| group.word.load(Ordering::Acquire) & CANCELLED != 0;
        if self.line().any(is_cancelled) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// A task is about to be submitted, by somebody with a reference.
    pub(super) fn enter(&self) -> Result<(), Error> {
        for (index, group) in self.line().enumerate() {
            let before = group.word.fetch_add(OPEN, Ordering::AcqRel);
            if before & COUNT == 0 {
                group.retain();
            }
            if before & CANCELLED != 0 {
                // SAFETY: entered just now; and the caller's own reference keeps the line.
                self.line().take(index + 1).for_each(|group| unsafe { Group::leave_one(group, OPEN) });
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }

    /// The task that entered was refused. Its submitter has a reference of its own.
    pub(super) fn give_back(&self) {
        // SAFETY: it entered each of the line, which that reference keeps.
        self.line().for_each(|group| unsafe { Group::leave_one(group, OPEN) });
    }

    /// A task is taken. False: a cancel came first, it must not run.
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        let cancelled = |group: &Group| group.word.fetch_add(RUNNING, Ordering::AcqRel) & CANCELLED != 0;
        self.line().filter(|group| cancelled(group)).count() == 0
    }

    /// A task that began has ended, and nothing of it is left to do.
    ///
    /// # Safety
    /// It entered and began, and has not left. The group may be gone afterwards.
    pub(super) unsafe fn leave(group: *const Group, fate: Fate, status: i32) {
        let mut next = group;
        while !next.is_null() {
            // SAFETY: while this task is open in it, a group is there (G3), and the one above as well.
            unsafe {
                let leaving = next;
                next = (*leaving).above;
                (*leaving).fates.count(fate, status);
                Group::leave_one(leaving, OPEN | RUNNING);
            }
        }
    }

    /// A pointer, not a reference: the group may go during the call.
    ///
    /// # Safety
    /// The share is the caller's.
    unsafe fn leave_one(group: *const Group, share: u64) {
        let leave = |word: u64| {
            let left = word - share;
            Some(if left & COUNT == 0 { left & !WAITED } else { left })
        };
        // SAFETY: the group is the caller's until this step, and no more after it if others are open.
        let (Ok(before) | Err(before)) =
            unsafe { (*group).word.fetch_update(Ordering::AcqRel, Ordering::Acquire, leave) };
        if before & COUNT == OPEN {
            // SAFETY: the reference of all open tasks together is the caller's to give back now.
            unsafe {
                if before & WAITED != 0 {
                    (*group).gate.lock().ended += 1;
                    (*group).emptied.notify_all();
                }
                Group::release(group);
            }
        }
    }

    /// Whether no task is open.
    pub fn is_empty(&self) -> bool {
        self.word.load(Ordering::Acquire) & COUNT == 0
    }

    /// Sleeps until the group was empty at some instant after the call began. `refusal` is asked whenever [`Group::rouse`] is called.
    pub(super) fn sleep_until_empty(
        &self,
        deadline: Deadline,
        refusal: impl Fn() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut gate = self.gate.lock();
        let watch = |word: u64| (word & COUNT != 0).then_some(word | WAITED);
        match self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, watch) {
            Ok(before) => gate.begun += u64::from(before & WAITED == 0),
            Err(_) => return Ok(()),
        }
        let watched = gate.begun;
        while gate.ended < watched && !self.is_empty() {
            refusal()?;
            let left = deadline.left();
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::TimedOut);
            }
            gate = self.emptied.wait(gate, left);
        }
        Ok(())
    }

    /// Makes everybody who waits look again.
    pub(super) fn rouse(&self) {
        drop(self.gate.lock());
        self.emptied.notify_all();
    }

    /// Draws the line (G1). False: it was drawn before.
    pub(super) fn cancel(&self, why: Stop) -> bool {
        let flag = if why == Stop::Failed { FAILED } else { CALLED };
        let mark = |word| (word & CANCELLED == 0).then_some(word | flag);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, mark).is_ok()
    }

    /// Why its tasks should stop, at this time of the pool's clock.
    pub fn stop(&self, now: impl FnOnce() -> u64) -> Option<Stop> {
        let cancelled = self.line().find_map(|group| match group.word.load(Ordering::Acquire) {
            word if word & CALLED != 0 => Some(Stop::Cancelled),
            word if word & FAILED != 0 => Some(Stop::Failed),
            _ => None,
        });
        cancelled.or_else(|| (self.deadline != u64::MAX && self.deadline <= now()).then_some(Stop::Deadline))
    }

    /// A task has failed; called before its `end`, so that its label is still there.
    pub(super) fn note_failure(&self, status: i32, label: Option<&CStr>) {
        for group in self.line() {
            group.failure.lock().get_or_insert_with(|| Failure::new(status, label));
        }
    }

    /// Those of the line that a failure cancels.
    pub(super) fn cancelled_by_failure(&self) -> impl Iterator<Item = &Group> {
        self.line().filter(|group| group.on_failure == OnFailure::Cancel)
    }

    /// The figures, read one after the other: a task that ends meanwhile may be missing or appear twice.
    pub fn status(&self) -> Status {
        let word = self.word.load(Ordering::Acquire);
        let (open, running) = (word & COUNT, (word / RUNNING) & COUNT);
        let read = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        Status {
            queued: open.saturating_sub(running),
            running,
            ran: read(&self.fates.ran),
            failed: read(&self.fates.failed),
            cancelled: read(&self.fates.cancelled),
            expired: read(&self.fates.expired),
            discarded: read(&self.fates.discarded),
            failure: *self.failure.lock(),
        }
    }

    /// One reference more, for who has one.
    pub fn retain(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a reference back; with the last one the group is freed, and the reference on the group above given back in turn.
    ///
    /// # Safety
    /// The reference is the caller's.
    pub unsafe fn release(group: *const Group) {
        let mut next = group;
        // SAFETY: there by the reference that is given back here; after that only if it was the last.
        unsafe {
            while !next.is_null() && (*next).references.fetch_sub(1, Ordering::AcqRel) == 1 {
                let freed = next;
                next = (*freed).above;
                ((*freed).free)(freed);
            }
        }
    }
}

impl Fates {
    fn count(&self, fate: Fate, status: i32) {
        let counter = match fate {
            Fate::Ran => &self.ran,
            Fate::Cancelled => &self.cancelled,
            Fate::Expired => &self.expired,
            Fate::Discarded => &self.discarded,
        };
        counter.fetch_add(1, Ordering::Release);
        if status != 0 {
            self.failed.fetch_add(1, Ordering::Release);
        }
    }
}

impl Failure {
    fn new(status: i32, label: Option<&CStr>) -> Failure {
        let mut kept = [0; LABEL_BYTES];
        let bytes = label.map_or(&[][..], CStr::to_bytes);
        let length = bytes.len().min(LABEL_BYTES - 1);
        kept[..length].copy_from_slice(&bytes[..length]);
        Failure { status, label: kept }
    }
}
