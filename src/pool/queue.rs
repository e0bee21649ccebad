//! The bounded queue: a ring of slots, lock-free, first in first out, exact in its capacity.
//!
//! # States
//!
//! `tail` and `head` are positions: a lap number and an index below the capacity, `lap * one_lap + index`, where
//! `one_lap` is a power of two above the capacity. Above the position `tail` carries three flags and `head` two, so that a
//! submit or a take and the news that travel with it are one atomic step:
//!
//! - `CLOSED` (tail): no push succeeds any more. Never unset once set.
//! - `ASLEEP` (tail): some worker sleeps. `LOOKING` (tail): some worker is awake without a task and will see what is pushed,
//!   or a wake-up is on its way to one. A push that finds `ASLEEP` without `LOOKING` sets `LOOKING` and owes one wake-up.
//! - `WAITING` (head): a submitter waits for room, and none that was let go is on its way. A take that finds it, and
//!   enough room, unsets it and owes one release.
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

use std::mem::MaybeUninit;

use super::{Error, Job};
use crate::sync::{AtomicU64, Ordering, UnsafeCell, spin_loop, yield_now};

const CLOSED: u64 = 1 << 63;
const ASLEEP: u64 = 1 << 62;
const LOOKING: u64 = 1 << 61;
const HALTED: u64 = 1 << 63;
const WAITING: u64 = 1 << 62;
const POSITION: u64 = LOOKING - 1;

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
    /// The details of detailed jobs, beside the slot of the same index, under the same stamp.
    details: Box<[UnsafeCell<MaybeUninit<J::Detail>>]>,
    one_lap: u64,
    /// How much room lets a waiting submitter go (a quarter, at least one).
    enough_room: u64,
}

// SAFETY: a slot's cell and its detail are used only by the thread that its stamp gives them to (Q2).
unsafe impl<J: Job> Sync for Queue<J> {}
// SAFETY: jobs and details are Send.
unsafe impl<J: Job> Send for Queue<J> {}

/// A push went through.
pub enum Pushed {
    Quietly,
    /// … and its caller owes a sleeping worker a wake-up.
    OwingWake,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Taker {
    Worker,
    /// Of a shutdown that cancels.
    Discarder,
}

pub enum Taken<J: Job> {
    Task(Task<J>),
    /// Nothing is queued.
    Empty,
    /// Nothing is queued for this taker, nor ever will be.
    Drained,
}

pub struct Task<J: Job> {
    pub job: J,
    pub detail: Option<J::Detail>,
    /// The taker owes a waiting submitter its release.
    pub owes_release: bool,
}

/// What a worker that goes to sleep, or stops looking, finds behind it.
#[derive(PartialEq, Eq)]
pub enum Rest {
    Nothing,
    Work,
    Closed,
}

impl<J: Job> Queue<J> {
    /// The heap bytes of a queue of this capacity.
    pub fn bytes(capacity: u32) -> u64 {
        u64::from(capacity) * (size_of::<Slot<J>>() + size_of::<UnsafeCell<MaybeUninit<J::Detail>>>()) as u64
    }

    pub fn new(capacity: u32) -> Result<Self, Error> {
        let one_lap = (u64::from(capacity) + 1).next_power_of_two();
        let (mut slots, mut details) = (Vec::new(), Vec::new());
        slots.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        details.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        for index in 0..u64::from(capacity) {
            slots.push(Slot { stamp: AtomicU64::new(index), job: UnsafeCell::new(MaybeUninit::uninit()) });
            details.push(UnsafeCell::new(MaybeUninit::uninit()));
        }
        Ok(Queue {
            tail: Apart(AtomicU64::new(0)),
            head: Apart(AtomicU64::new(0)),
            slots: slots.into(),
            details: details.into(),
            one_lap,
            enough_room: u64::from(capacity).div_ceil(4),
        })
    }

    fn index(&self, position: u64) -> usize {
        (position & (self.one_lap - 1)) as usize
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

    /// Puts a job behind all others, or says why not and touches nothing. `detail` is given exactly when the job is detailed.
    #[inline]
    pub fn push(&self, job: J, detail: Option<J::Detail>) -> Result<Pushed, Error> {
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        let mut pause = Pause::new();
        loop {
            if tail & CLOSED != 0 {
                return Err(Error::Closed);
            }
            let position = tail & POSITION;
            let slot = &self.slots[self.index(position)];
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp == position {
                let owes_wake = tail & (ASLEEP | LOOKING) == ASLEEP;
                let flags = if owes_wake { ASLEEP | LOOKING } else { tail & (ASLEEP | LOOKING) };
                let next = self.next(position) | flags;
                match self.tail.0.compare_exchange_weak(tail, next, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => {
                        // SAFETY: the slot is this thread's between the swap and the stamp (Q2).
                        slot.job.with_mut(|place| unsafe { (*place).write(job) });
                        if let Some(detail) = detail {
                            // SAFETY: as above.
                            self.details[self.index(position)]
                                .with_mut(|place| unsafe { (*place).write(detail) });
                        }
                        slot.stamp.store(position + 1, Ordering::Release);
                        return Ok(if owes_wake { Pushed::OwingWake } else { Pushed::Quietly });
                    }
                    Err(now) => tail = now,
                }
            } else if stamp + self.one_lap == position + 1 {
                // Filled in the lap before: full, unless its taker is just about to free it.
                if (self.head.0.load(Ordering::Acquire) & POSITION) + self.one_lap == position {
                    return Err(Error::Full);
                }
                pause.wait();
                tail = self.tail.0.load(Ordering::Relaxed);
            } else {
                // Another push has taken this position already.
                pause.wait();
                tail = self.tail.0.load(Ordering::Relaxed);
            }
        }
    }

    /// Takes the job that waited longest.
    #[inline]
    pub fn take(&self, by: Taker) -> Taken<J> {
        let mut head = self.head.0.load(Ordering::Relaxed);
        let mut pause = Pause::new();
        loop {
            if head & HALTED != 0 && by == Taker::Worker {
                return Taken::Drained;
            }
            let position = head & POSITION;
            let slot = &self.slots[self.index(position)];
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp == position + 1 {
                let next = self.next(position);
                let owes_release = head & WAITING != 0 && self.has_enough_room(next);
                let flags = head & if owes_release { HALTED } else { HALTED | WAITING };
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
                        let detail = job.is_detailed().then(|| {
                            // SAFETY: as above; a detailed job was pushed with its detail.
                            self.details[self.index(position)].with(|place| unsafe { (*place).assume_init() })
                        });
                        slot.stamp.store(position + self.one_lap, Ordering::Release);
                        return Taken::Task(Task { job, detail, owes_release });
                    }
                    Err(now) => head = now,
                }
            } else if stamp == position {
                let tail = self.tail.0.load(Ordering::Acquire);
                if tail & POSITION == position {
                    return if tail & CLOSED != 0 { Taken::Drained } else { Taken::Empty };
                }
                // Accepted but not written yet, or head has moved on.
                pause.wait();
                head = self.head.0.load(Ordering::Relaxed);
            } else {
                // Another take has passed this position already.
                pause.wait();
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

    pub fn is_closed(&self) -> bool {
        self.tail.0.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Jobs accepted since the beginning. Exact when read.
    pub fn accepted(&self) -> u64 {
        self.count(self.tail.0.load(Ordering::Acquire) & POSITION)
    }

    /// Jobs taken since the beginning. Exact when read.
    pub fn taken(&self) -> u64 {
        self.count(self.head.0.load(Ordering::Acquire) & POSITION)
    }

    /// Whether a take that leaves head at `head` has made room enough to let a submitter go. A stale tail can only say so too
    /// early, which costs a wake-up and loses nothing.
    fn has_enough_room(&self, head: u64) -> bool {
        let tail = self.tail.0.load(Ordering::Acquire) & POSITION;
        let queued = self.count(tail).saturating_sub(self.count(head));
        self.slots.len() as u64 - queued.min(self.slots.len() as u64) >= self.enough_room
    }

    // The words of the sleeping workers (crew.rs).

    /// Whether a worker sleeps. Exact under the crew's lock.
    pub fn has_sleepers(&self) -> bool {
        self.tail.0.load(Ordering::Relaxed) & ASLEEP != 0
    }

    /// Becomes the worker that looks, so that pushes need not wake another; false if there is one already.
    pub fn begin_looking(&self) -> bool {
        self.tail.0.fetch_or(LOOKING, Ordering::AcqRel) & LOOKING == 0
    }

    /// Gives the looking up. What was pushed meanwhile woke nobody: the caller must see to it.
    pub fn stop_looking(&self) -> Rest {
        let tail = self.tail.0.fetch_and(!LOOKING, Ordering::AcqRel);
        self.rest(tail)
    }

    /// A worker is about to sleep (it is on the crew's list already), and gives up looking if it was.
    pub fn fall_asleep(&self, was_looking: bool) -> Rest {
        let mut tail = self.tail.0.fetch_or(ASLEEP, Ordering::AcqRel);
        if was_looking {
            tail = self.tail.0.fetch_and(!LOOKING, Ordering::AcqRel);
        }
        self.rest(tail)
    }

    /// The last sleeper has been woken.
    pub fn all_awake(&self) {
        self.tail.0.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    fn rest(&self, tail: u64) -> Rest {
        if tail & CLOSED != 0 {
            Rest::Closed
        } else if self.head.0.load(Ordering::Acquire) & POSITION == tail & POSITION {
            Rest::Nothing
        } else {
            Rest::Work
        }
    }

    // The words of the waiting submitters (room.rs).

    /// The submitter at the door is about to sleep: from now on a take that makes room will wake it. Returns whether there is
    /// room already.
    pub fn ask_for_room(&self) -> bool {
        let head = self.head.0.fetch_or(WAITING, Ordering::AcqRel) & POSITION;
        let tail = self.tail.0.load(Ordering::Acquire) & POSITION;
        tail != head + self.one_lap
    }

    /// For the next at the door, which sleeps: true if there is room enough for it to be woken now; if not, a take will say so.
    pub fn ask_for_enough_room(&self) -> bool {
        self.has_enough_room(self.head.0.load(Ordering::Acquire) & POSITION)
            || self.has_enough_room(self.head.0.fetch_or(WAITING, Ordering::AcqRel) & POSITION)
    }
}

/// Waiting for another thread's next instruction: it spins, then lets others run, since that thread may have lost its
/// processor between its two steps.
struct Pause(u32);

impl Pause {
    fn new() -> Self {
        Pause(0)
    }

    fn wait(&mut self) {
        self.0 += 1;
        if self.0 < 64 { spin_loop() } else { yield_now() }
    }
}
