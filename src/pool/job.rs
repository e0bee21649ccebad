//! What a pool runs, as the core sees it.

#![forbid(unsafe_code)]

use std::ffi::CStr;

use super::Pool;
use super::group::Group;

/// "No worker": an outcome met on a thread that is not the pool's own.
pub const NO_WORKER: u32 = u32::MAX;

/// "No deadline": the end of the clock.
pub const NO_DEADLINE: u64 = u64::MAX;

/// A task. It is copied into the queue and out of it, so it is small; what only some tasks need is their detail, kept
/// apart from the queue's hot lines.
pub trait Job: Copy + Send {
    type Detail: Detail;

    /// Whether this task comes with a detail.
    fn is_detailed(&self) -> bool;

    /// Does the work and returns the task's status.
    fn run(&self, detail: Option<&Self::Detail>, pool: &Pool<Self>, worker: u32) -> i32;

    /// A fault of the library has ended who would have run this task or told its end: `end` will not be called, or not to its end.
    /// Who waits for the task elsewhere is to be told.
    fn lose(&self, detail: &Self::Detail);

    /// Tells the task's owner how it ended; called exactly once for each accepted task that has a detail.
    fn end(&self, detail: &Self::Detail, outcome: Outcome);
}

/// What the core must know of a task that is more than code and an argument.
pub trait Detail: Copy + Send {
    /// The group that it joins. A submit has a reference on it; the accepted task needs none, since an open task keeps its group.
    fn group(&self) -> Option<&Group> {
        None
    }

    /// When it is too late to start: its own time or its group's, whichever is first.
    fn deadline(&self) -> u64 {
        NO_DEADLINE
    }

    fn label(&self) -> Option<&CStr> {
        None
    }

    /// Whether its outcome shall say when it began.
    fn is_timed(&self) -> bool {
        false
    }

    /// Whether it may end before a worker comes to it.
    fn is_scoped(&self) -> bool {
        self.group().is_some() || self.deadline() != NO_DEADLINE
    }
}

impl Detail for () {}

/// How a task ended (law L2). The numbers are the C interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Ran = 1,
    Cancelled = 2,
    Expired = 3,
    Discarded = 4,
}

#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub fate: Fate,
    pub status: i32,
    pub worker: u32,
    /// When it began to run, on the system's clock, if it ran and wanted to know; else 0.
    pub began: u64,
}

impl Outcome {
    /// Of a task that was never run.
    pub fn unrun(fate: Fate) -> Outcome {
        Outcome { fate, status: 0, worker: NO_WORKER, began: 0 }
    }
}

/// Told when a worker thread begins and ends.
pub trait ThreadHooks {
    fn started(&self, worker: u32);
    fn stopping(&self, worker: u32);
}
