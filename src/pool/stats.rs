//! The figures (law L2).
//!
//! A snapshot reads what ended, then what left the queue, then what was accepted. Each task raises these in the opposite order, so the
//! differences are never negative. What is not queued any more and has not ended is running.
//!
//! A task may leave the queue out of turn (`queue::claims`): then its place stays behind, passed over later, and is not counted as
//! queued meanwhile. While such things move, `queued` may be off by what moved; it is kept within what is open, so that the
//! identity of law L2 holds whatever the reads interleave with.

#![forbid(unsafe_code)]

use super::crew::{State, Worker};
use super::{Job, Pool};
use crate::sync::{AtomicU64, Ordering};

/// How often a snapshot is read again in the hope of an instant in which nothing moves.
const TRIES: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub workers: u32,
    pub capacity: u32,
    /// Nothing moved while this was read.
    pub exact: bool,
    pub closed: bool,
    pub accepted: u64,
    /// Places in use: of queued tasks, and of those that left out of turn.
    pub places: u64,
    /// Of these, of tasks that left out of turn.
    pub gone: u64,
    pub ran: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub expired: u64,
    pub discarded: u64,
    pub refused: u64,
    pub waits: u64,
    pub wait_ns: u64,
    pub waiting: u64,
}

/// What a shutdown left to do.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    pub queued: u64,
    pub running: u64,
    pub discarded: u64,
}

impl Snapshot {
    fn open(&self) -> u64 {
        self.accepted - self.ran - self.cancelled - self.expired - self.discarded
    }

    pub fn queued(&self) -> u64 {
        self.places.saturating_sub(self.gone).min(self.open())
    }

    pub fn running(&self) -> u64 {
        self.open() - self.queued()
    }

    /// Places whose tasks left out of turn.
    pub fn passed_over(&self) -> u64 {
        self.gone.min(self.places)
    }
}

impl<J: Job> Pool<J> {
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.glance();
        for _ in 0..TRIES {
            let again = self.glance();
            let counts = |of: &Snapshot| {
                let fates = (of.ran, of.cancelled, of.expired, of.discarded);
                (of.accepted, of.places, of.gone, fates, of.closed)
            };
            // Equal at both ends, and counters only grow: they stood still in between.
            snapshot.exact = counts(&snapshot) == counts(&again) && self.queue.is_gone_exact(snapshot.gone);
            if snapshot.exact {
                break;
            }
            snapshot = again;
        }
        snapshot
    }

    /// One reading of every figure. They add up, yet things may have moved between the first and the last.
    pub fn glance(&self) -> Snapshot {
        let (mut ran, mut failed) = (0, 0);
        for worker in &self.crew.workers {
            let ran_here = worker.ran.load(Ordering::Acquire);
            ran += ran_here;
            // Read after `ran`, so it may run ahead of it.
            failed += worker.failed.load(Ordering::Acquire).min(ran_here);
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let (cancelled, expired, discarded) =
            (read(&self.cancelled), read(&self.expired), read(&self.discarded));
        let gone = self.queue.gone();
        let taken = self.queue.taken() + self.queue.lanes().taken();
        let accepted = self.queue.accepted();
        let (room, elsewhere) = (self.room.figures(), self.elsewhere.figures());
        Snapshot {
            workers: self.config.workers(),
            capacity: self.config.capacity(),
            exact: false,
            closed: self.queue.is_closed(),
            accepted,
            places: accepted - taken,
            gone,
            ran,
            failed,
            cancelled,
            expired,
            discarded,
            refused: self.refused.load(Ordering::Relaxed),
            waits: room.0 + elsewhere.0,
            wait_ns: room.1 + elsewhere.1,
            waiting: room.2 + elsewhere.2,
        }
    }

    /// Whether nothing is queued, running, in its `end` or leaving its group, at the instant when what was accepted is read: what had
    /// ended before it is all that was accepted until then.
    pub(super) fn is_quiet(&self, state: &State) -> bool {
        let ran: u64 = self.crew.workers.iter().map(|worker| worker.ran.load(Ordering::Acquire)).sum();
        let unrun = [&self.cancelled, &self.expired, &self.discarded].map(|of| of.load(Ordering::Acquire));
        let ended = ran + unrun.iter().sum::<u64>();
        // What is counted may have yet to leave its group: on a worker, or on a thread that ends tasks out of turn. Each of these
        // looks again afterwards, with the lock.
        let is_leaving = |worker: &Worker| worker.is_leaving.load(Ordering::Acquire);
        ended == self.queue.accepted()
            && state.visitors == 0
            && self.crew.discarder.load(Ordering::Relaxed) == 0
            && !self.crew.workers.iter().any(is_leaving)
    }
}
