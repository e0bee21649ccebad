//! What the queue's words tell and are told about those who wait: workers without a task (worker.rs, crew.rs), and submitters
//! without room (room.rs). The flags, their transitions and invariants are in [`super`] and [`crate::pool`].

#![forbid(unsafe_code)]

use super::{ASLEEP, CLOSED, LOOKING, OWED, POSITION, Queue, READY, WAITING, WAKING, WANTED};
use crate::pool::Job;
use crate::sync::Ordering;

/// The tail as a take found it that found nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen(pub(super) u64);

impl Seen {
    pub fn has_looker(self) -> bool {
        self.0 & LOOKING != 0
    }
}

/// What a worker without a task owes to pushes that woke nobody because of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    None,
    /// It set `LOOKING` at this position: who pushed there relies on it to look once more before it sleeps.
    Looking(u64),
    /// It was woken: all who pushed since rely on it to take a task and wake the next if there are more.
    Waking,
}

impl Duty {
    /// Its flag in this tail.
    pub(super) fn flag(self, tail: u64) -> u64 {
        match self {
            Duty::None => 0,
            // A push has unset it already; if it is set, then by another worker.
            Duty::Looking(at) if at != tail & POSITION => 0,
            Duty::Looking(_) => LOOKING,
            Duty::Waking => WAKING,
        }
    }
}

/// What a take owes: the flags of those who wait for room, which it has unset.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Owes(u64);

impl Owes {
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// To the submitter at the door: its release.
    pub fn release(self) -> bool {
        self.0 & WAITING != 0
    }

    /// To those who want to know of any room: the word that there is some.
    pub fn word(self) -> bool {
        self.0 & WANTED != 0
    }

    pub(super) fn flags(self) -> u64 {
        self.0
    }

    pub(super) fn and(self, more: Owes) -> Owes {
        Owes(self.0 | more.0)
    }
}

/// How full the queue was when somebody asked for word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// A push may find room; or it is refused for good, which nobody need wait for either.
    pub has_room: bool,
    /// A task was queued: its take, or an earlier one, brings the word.
    pub has_task: bool,
}

/// A worker sleeps, and no push can count on another one.
pub(super) fn owes_wake(tail: u64) -> bool {
    tail & (ASLEEP | LOOKING | WAKING) == ASLEEP
}

impl<J: Job> Queue<J> {
    /// Whether the next task is not there yet. Stale for those who have not synchronised with its push.
    pub fn looks_empty(&self) -> bool {
        if self.lanes.looks_ready() {
            return false;
        }
        let position = self.head.0.load(Ordering::Relaxed) & POSITION;
        self.slot(position).stamp.load(Ordering::Relaxed) <= position
    }

    /// A worker that found the queue empty looks on, so that the next push need not wake another. Its wake-up, if it was
    /// woken, ends here: nothing is left to wake others for. `None`: the tail has changed since, or says that a lane has a task: it may
    /// have come since, though the tail is the same again.
    pub fn begin_looking(&self, seen: Seen, duty: Duty) -> Option<Duty> {
        if seen.0 & READY != 0 {
            return None;
        }
        let looking = (seen.0 & !duty.flag(seen.0)) | LOOKING;
        self.tail
            .0
            .compare_exchange(seen.0, looking, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
            .then_some(Duty::Looking(seen.0 & POSITION))
    }

    /// A worker is about to sleep, and gives its duty up. False if there is work, or the queue is closed: then nothing has changed.
    pub fn fall_asleep(&self, duty: Duty) -> bool {
        let mut tail = self.tail.0.load(Ordering::Acquire);
        loop {
            let position = tail & POSITION;
            if tail & (CLOSED | READY) != 0 || self.head.0.load(Ordering::Acquire) & POSITION != position {
                return false;
            }
            match self.tail.0.compare_exchange_weak(
                tail,
                (tail & !duty.flag(tail)) | ASLEEP,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => tail = now,
            }
        }
    }

    /// A worker that was woken has a task now. If there is more to do and somebody sleeps, that one is to be woken and to have the
    /// duty (true); else it ends here.
    pub fn pass_waking_on(&self) -> bool {
        let mut tail = self.tail.0.load(Ordering::Acquire);
        loop {
            let is_more =
                tail & READY != 0 || self.head.0.load(Ordering::Acquire) & POSITION != tail & POSITION;
            if tail & ASLEEP != 0 && is_more {
                return true;
            }
            match self.tail.0.compare_exchange_weak(tail, tail & !WAKING, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return false,
                Err(now) => tail = now,
            }
        }
    }

    /// The last sleeper has been woken.
    pub fn all_awake(&self) {
        self.tail.0.fetch_and(!ASLEEP, Ordering::AcqRel);
    }

    /// A wake-up is paid, perhaps to the last sleeper. Returns whether the queue is closed, so that somebody may wait for that.
    pub fn pay_wake(&self, are_all_awake: bool) -> bool {
        let flags = OWED | if are_all_awake { ASLEEP } else { 0 };
        self.tail.0.fetch_and(!flags, Ordering::AcqRel) & CLOSED != 0
    }

    /// Whether a push has yet to wake somebody.
    pub fn owes_wake(&self) -> bool {
        self.tail.0.load(Ordering::Acquire) & OWED != 0
    }

    /// For a submitter that sleeps at the door, or is about to: true if there is room enough for it now; if not, a take will say so.
    pub fn ask_for_room(&self) -> bool {
        self.has_enough_room(self.head.0.load(Ordering::Acquire) & POSITION)
            || self.has_enough_room(self.head.0.fetch_or(WAITING, Ordering::AcqRel) & POSITION)
    }

    /// What a take owes that moves head, as it was read, to `next`.
    #[inline(always)]
    pub(super) fn owes(&self, head: u64, next: u64) -> Owes {
        let asked = head & (WAITING | WANTED);
        if asked == 0 || self.has_enough_room(next) { Owes(asked) } else { Owes(asked & WANTED) }
    }

    /// Whether a push would find room, or be refused for good. Stale for those who have not synchronised with the last take and push.
    pub fn has_room(&self) -> bool {
        self.level(self.head.0.load(Ordering::Acquire)).has_room
    }

    /// Asks the next take for word, in the step that reads where head is: so whatever that step has not seen taken brings it.
    pub fn ask_for_word(&self) -> Level {
        self.level(self.head.0.fetch_or(WANTED, Ordering::AcqRel))
    }

    fn level(&self, head: u64) -> Level {
        let tail = self.tail.0.load(Ordering::Acquire);
        // The tail may be some laps further by now, or may have been read before it got to where head is.
        let in_ring = self.count(tail & POSITION).saturating_sub(self.count(head & POSITION));
        let queued = in_ring + self.lanes.places();
        Level { has_room: tail & CLOSED != 0 || queued < self.slots.len() as u64, has_task: queued > 0 }
    }

    /// Whether a take that leaves head at `head` has made room enough to let a submitter go. A stale tail can only say so too
    /// early, which costs a wake-up and loses nothing.
    pub(super) fn has_enough_room(&self, head: u64) -> bool {
        let tail = self.tail.0.load(Ordering::Acquire) & POSITION;
        if tail <= head && self.lanes.places() == 0 {
            return true;
        }
        let tail = tail.max(head);
        let is_lap_ahead = (tail ^ head) >= self.one_lap;
        let queued = self.index(tail) + if is_lap_ahead { self.slots.len() } else { 0 } - self.index(head);
        queued as u64 + self.lanes.places() + self.enough_room <= self.slots.len() as u64
    }
}
