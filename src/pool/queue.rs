//! The bounded queue: a ring of slots, lock-free, first in first out, exact in its capacity.
//!
//! # States
//!
//! `tail` and `head` are positions: a lap number and an index below the capacity, `lap * one_lap + index`, where
//! `one_lap` is a power of two above the capacity. Above the position `tail` carries seven flags and `head` three, so that a
//! submit or a take and the news that travel with it are one atomic step:
//!
//! - `CLOSED` (tail): no push succeeds any more. Never unset once set.
//! - `ASLEEP` (tail): some worker sleeps. `LOOKING` (tail): some worker has found the queue empty and looks on: the next push is
//!   its, and unsets the flag. `WAKING` (tail): a wake-up is on its way to a worker, or the worker it came to has not found a task
//!   yet. A push that finds `ASLEEP` alone sets `WAKING` and owes the wake-up. `OWED` (tail): it has not paid it yet; set in the
//!   same step, so that nobody takes the pool away from under it (`callers`).
//! - `SHARED` (tail): tasks in lanes have places too, so who pushes has to count (`sharing`). `READY` (tail): a lane has a task to run.
//! - `WAITING` (head): a submitter waits for room, and none that was let go is on its way. A take that finds it, and
//!   enough room, unsets it and owes one release.
//! - `WANTED` (head): somebody wants to be told of any room at all. The next take unsets it, and owes the word.
//! - `HALTED` (head): what is queued is for the discarder; workers get nothing any more. Never unset once set.
//!
//! Each slot has a stamp. For the position `p` of the slot in some lap: `p` means free for that lap, `p + 1` means
//! filled in that lap, and taking it makes it `p + one_lap`.
//!
//! # Transitions
//!
//! - push: read tail `p`, see the stamp `p`, compare-and-swap tail to the next position (the push is now accepted),
//!   write the item, store the stamp `p + 1` (Release).
//! - take: read head `p`, see the stamp `p + 1` (Acquire), compare-and-swap head to the next position, read the item, store
//!   the stamp `p + one_lap` (Release).
//! - close: set `CLOSED` on tail. It is one atomic step: each push is before it or after it (law L4).
//! - halt: set `HALTED` on head. Likewise, each take of a worker is before it or finds nothing.
//!
//! # Invariants
//!
//! - Q1: `head <= tail <= head + capacity`. A push moves tail only over a slot whose stamp says free; that stamp was stored
//!   by the take of the lap before, after head had passed it.
//! - Q2: between a compare-and-swap and the stamp store that completes it, the slot belongs to that thread alone.
//! - Q3: what is pushed is taken exactly once, in the order of the pushes' compare-and-swaps.
//! - Q4: flags change only by read-modify-writes of the word that they ride on; so whoever sets a flag and reads the position
//!   beside it knows on which side of every push (or take) it stands, and no fence is needed.

#![allow(unsafe_code, reason = "a slot is written and read outside any lock")]

mod batch;
mod claims;
mod sharing;
mod waiting;

pub use waiting::{Duty, Owes, Seen};

use std::mem::MaybeUninit;

use super::group::Group;
use super::job::Detail;
use super::lanes::Lanes;
use super::{Error, Job};
use crate::sync::{AtomicU64, IS_MODEL, Ordering, UnsafeCell, spin_loop, yield_now};
use claims::Annex;

const CLOSED: u64 = 1 << 63;
const ASLEEP: u64 = 1 << 62;
const LOOKING: u64 = 1 << 61;
const WAKING: u64 = 1 << 60;
const SHARED: u64 = 1 << 59;
const READY: u64 = 1 << 58;
const HALTED: u64 = 1 << 63;
const WAITING: u64 = 1 << 62;
const WANTED: u64 = 1 << 61;
const OWED: u64 = 1 << 57;
const POSITION: u64 = OWED - 1;

/// Producers and consumers each have their own word: apart by two lines, since processors fetch lines in pairs.
#[repr(align(128))]
struct Apart<T>(T);

struct Slot<J> {
    stamp: AtomicU64,
    job: UnsafeCell<MaybeUninit<J>>,
}

pub struct Queue<J: Job> {
    tail: Apart<AtomicU64>,
    head: Apart<AtomicU64>,
    slots: Box<[Slot<J>]>,
    /// The details of detailed jobs, each beside the slot of the same index.
    annexes: Box<[Annex<J::Detail>]>,
    /// Tasks that were claimed out of turn, and slots of such that were passed over since.
    gone: AtomicU64,
    passed: AtomicU64,
    lanes: Lanes<J>,
    one_lap: u64,
    /// How much room lets a waiting submitter go: all but a quarter, but four tasks are left to the workers meanwhile, or half
    /// of a small queue.
    enough_room: u64,
}

// SAFETY: a slot's cell and its detail are used only by the thread that its stamp gives them to (Q2).
unsafe impl<J: Job> Sync for Queue<J> {}
// SAFETY: jobs and details are Send.
unsafe impl<J: Job> Send for Queue<J> {}

/// A push went through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    Quietly,
    /// … and its caller owes a sleeping worker a wake-up.
    OwingWake,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taker {
    /// What it owes to pushes until it has a task.
    Worker(Duty),
    /// Of a shutdown that cancels.
    Discarder,
}

pub enum Taken<J: Job> {
    Task(Task<J>),
    /// Nothing is queued.
    Empty(Seen),
    /// Nothing is queued for this taker, nor ever will be.
    Drained,
}

pub struct Task<J: Job> {
    pub job: J,
    /// What the taker owes to those who wait for room.
    pub owes: Owes,
}

impl<J: Job> Queue<J> {
    /// The heap bytes of a queue of this capacity.
    pub fn bytes(capacity: u32) -> u64 {
        u64::from(capacity) * (size_of::<Slot<J>>() + size_of::<Annex<J::Detail>>()) as u64
            + Lanes::<J>::bytes(capacity)
    }

    pub fn new(capacity: u32) -> Result<Self, Error> {
        let one_lap = (u64::from(capacity) + 1).next_power_of_two();
        let (mut slots, mut annexes) = (Vec::new(), Vec::new());
        slots.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        annexes.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        for index in 0..u64::from(capacity) {
            slots.push(Slot { stamp: AtomicU64::new(index), job: UnsafeCell::new(MaybeUninit::uninit()) });
            annexes.push(Annex::new());
        }
        Ok(Queue {
            tail: Apart(AtomicU64::new(0)),
            head: Apart(AtomicU64::new(0)),
            slots: slots.into(),
            annexes: annexes.into(),
            gone: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            lanes: Lanes::new(capacity)?,
            one_lap,
            enough_room: u64::from((capacity - (capacity / 4).max((capacity / 2).min(4))).min(256)),
        })
    }

    fn index(&self, position: u64) -> usize {
        (position & (self.one_lap - 1)) as usize
    }

    fn slot(&self, position: u64) -> &Slot<J> {
        // SAFETY: head and tail begin at 0 and go on by `next` alone, which keeps the index below the capacity. A submit that finds
        // room and has nobody to wake must have no way to panic: the border does not guard it.
        unsafe { self.slots.get_unchecked(self.index(position)) }
    }

    fn annex(&self, position: u64) -> &Annex<J::Detail> {
        // SAFETY: as above; there are as many annexes as slots.
        unsafe { self.annexes.get_unchecked(self.index(position)) }
    }

    fn next(&self, position: u64) -> u64 {
        if self.index(position) + 1 < self.slots.len() {
            position + 1
        } else {
            (position & !(self.one_lap - 1)) + self.one_lap
        }
    }

    /// How many positions lie before this one since the beginning.
    fn count(&self, position: u64) -> u64 {
        (position / self.one_lap) * self.slots.len() as u64 + self.index(position) as u64
    }

    /// Puts a job behind all others, or into its lane, or says why not and touches nothing. `detail` is given exactly when the job
    /// is detailed.
    pub fn push(&self, job: J, detail: Option<J::Detail>) -> Result<Pushed, Error> {
        if let Some(detail) = detail
            && let Some(lane) = detail.group().and_then(Group::lane)
        {
            return self.push_to_lane(lane, job, detail);
        }
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        let mut pause = Pause::new();
        loop {
            if tail & CLOSED != 0 {
                return Err(Error::Closed);
            }
            if tail & SHARED != 0 {
                return self.push_counted(job, detail);
            }
            let stamp = self.slot(tail & POSITION).stamp.load(Ordering::Acquire);
            if stamp != tail & POSITION {
                tail = self.look_again(tail & POSITION, stamp, &mut pause)?;
                continue;
            }
            match self.claim(tail) {
                Ok(()) => {
                    self.fill(tail & POSITION, job, detail);
                    return Ok(if waiting::owes_wake(tail) { Pushed::OwingWake } else { Pushed::Quietly });
                }
                Err(now) => tail = now,
            }
        }
    }

    /// The same where that takes nothing but a free slot, without a way to panic; else false.
    #[inline(always)]
    pub fn push_quickly(&self, job: J, detail: Option<J::Detail>) -> bool {
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        while tail & (CLOSED | SHARED) == 0
            && !waiting::owes_wake(tail)
            && self.slot(tail & POSITION).stamp.load(Ordering::Acquire) == tail & POSITION
        {
            match self.claim(tail) {
                Ok(()) => {
                    self.fill(tail & POSITION, job, detail);
                    return true;
                }
                Err(now) => tail = now,
            }
        }
        false
    }

    /// Moves the tail, as it was read, over a slot that is free; or returns the tail as it is now.
    #[inline(always)]
    fn claim(&self, tail: u64) -> Result<(), u64> {
        self.claim_to(tail, self.next(tail & POSITION), waiting::owes_wake(tail))
    }

    #[inline(always)]
    fn claim_to(&self, tail: u64, end: u64, owes_wake: bool) -> Result<(), u64> {
        let waking = if owes_wake { WAKING | OWED } else { 0 };
        let next = end | (tail & !(POSITION | LOOKING)) | waking;
        self.tail.0.compare_exchange_weak(tail, next, Ordering::AcqRel, Ordering::Relaxed).map(drop)
    }

    #[inline(always)]
    fn fill(&self, position: u64, job: J, detail: Option<J::Detail>) {
        let slot = self.slot(position);
        // SAFETY: the slot is this thread's between the claim and the stamp (Q2).
        slot.job.with_mut(|place| unsafe { (*place).write(job) });
        if let Some(detail) = detail {
            let annex = self.annex(position);
            // SAFETY: as above.
            annex.detail.with_mut(|place| unsafe { (*place).write(detail) });
            if detail.is_scoped() {
                if let Some(group) = detail.group() {
                    group.reach(position);
                }
                annex.offer(position);
            }
        }
        slot.stamp.store(position + 1, Ordering::Release);
    }

    /// The tail's slot is not free, by a stamp that was read: full, or the tail as it is now.
    #[cold]
    fn look_again(&self, position: u64, stamp: u64, pause: &mut Pause) -> Result<u64, Error> {
        if stamp < position {
            // Filled in the lap before: full, unless its taker is just about to free it.
            if (self.head.0.load(Ordering::Acquire) & POSITION) + self.one_lap == position {
                return Err(Error::Full);
            }
            pause.wait();
        }
        // Else another push has taken this position, and who sees its stamp sees its tail too.
        Ok(self.tail.0.load(Ordering::Relaxed))
    }

    /// Takes the job that waited longest, and its detail, if it has one, into `detail`, which is `None` before: so a job without one does
    /// not pay for its size. A detailed job without one has left out of turn, and only its place came back. A worker gets one of a lane and one of the ring in turn, while there are both.
    #[inline(always)]
    pub fn take(&self, by: Taker, detail: &mut Option<J::Detail>) -> Taken<J> {
        if let Taker::Worker(duty) = by
            && self.lanes.looks_ready()
            && self.lanes.is_their_turn()
            && let Some(task) = self.take_from_lane(duty, detail)
        {
            return Taken::Task(task);
        }
        let mut head = self.head.0.load(Ordering::Relaxed);
        let mut pause = Pause::new();
        loop {
            if head & HALTED != 0 && by != Taker::Discarder {
                return Taken::Drained;
            }
            let position = head & POSITION;
            let slot = self.slot(position);
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp == position + 1 {
                let next = self.next(position);
                let owes = self.owes(head, next);
                let flags = head ^ position ^ owes.flags();
                match self.head.0.compare_exchange_weak(
                    head,
                    next | flags,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: the slot is this thread's between the swap and the stamp (Q2), and the stamp said that
                        // it is filled.
                        let job = slot.job.with(|place| unsafe { (*place).assume_init() });
                        if job.is_detailed() {
                            *detail = self.take_detail(position);
                        }
                        slot.stamp.store(position + self.one_lap, Ordering::Release);
                        let owes = if flags & WAITING == 0 { owes } else { self.owes_beside_lanes(owes) };
                        return Taken::Task(Task { job, owes });
                    }
                    Err(now) => head = now,
                }
            } else if stamp <= position {
                // Free, or its taker of the lap before is just about to free it.
                let tail = self.tail.0.load(Ordering::Acquire);
                if tail & POSITION == position {
                    // Behind the line, a push to a lane that stands before it may be under way: its lock tells.
                    let may_be_in_lane = tail & READY != 0 || tail & (CLOSED | SHARED) == CLOSED | SHARED;
                    if let Taker::Worker(duty) = by
                        && may_be_in_lane
                        && let Some(task) = self.take_from_lane(duty, detail)
                    {
                        return Taken::Task(task);
                    }
                    return if tail & CLOSED != 0 { Taken::Drained } else { Taken::Empty(Seen(tail)) };
                }
                // Accepted but not written yet, or head has moved on.
                pause.wait();
                head = self.head.0.load(Ordering::Relaxed);
            } else {
                // Another take has passed this position; who sees its stamp sees its head too.
                head = self.head.0.load(Ordering::Relaxed);
            }
        }
    }

    /// Refuses every push from now on. Returns false if that was so before.
    pub fn close(&self) -> bool {
        self.tail.0.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    /// Leaves what is queued, and all that a push before the closing still brings, to the discarder.
    pub fn halt(&self) {
        self.head.0.fetch_or(HALTED, Ordering::AcqRel);
    }

    pub fn is_halted(&self) -> bool {
        self.head.0.load(Ordering::Acquire) & HALTED != 0
    }

    pub fn is_closed(&self) -> bool {
        self.tail.0.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Jobs accepted since the beginning, those in lanes too.
    pub fn accepted(&self) -> u64 {
        self.pushed() + self.lanes.accepted()
    }

    /// Positions that a push has passed since the beginning. Exact when read.
    pub fn pushed(&self) -> u64 {
        self.count(self.tail.0.load(Ordering::Acquire) & POSITION)
    }

    /// Positions that a take has passed since the beginning. Exact when read.
    pub fn taken(&self) -> u64 {
        self.count(self.head.0.load(Ordering::Acquire) & POSITION)
    }
}

/// Waiting for another thread's next instruction: it spins, then lets others run, since that thread may have lost its
/// processor between its two steps.
struct Pause(u32);

const SPINS: u32 = if IS_MODEL { 3 } else { 64 };

impl Pause {
    fn new() -> Self {
        Pause(0)
    }

    fn wait(&mut self) {
        self.0 += 1;
        if self.0 < SPINS { spin_loop() } else { yield_now() }
    }
}
