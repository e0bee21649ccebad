//! What a pool runs, as the core sees it.

#![forbid(unsafe_code)]

/// "No worker": an outcome met on a thread that is not the pool's own.
pub const NO_WORKER: u32 = u32::MAX;

/// A task. It is copied into the queue and out of it, so it is small; what only some tasks need is their detail, kept
/// apart from the queue's hot lines.
pub trait Job: Copy + Send {
    type Detail: Copy + Send;

    /// Whether this task comes with a detail.
    fn is_detailed(&self) -> bool;

    /// Does the work and returns the task's status. What it notes in the detail reaches `end`.
    fn run(&self, detail: Option<&mut Self::Detail>, worker: u32) -> i32;

    /// A fault of the library has ended who would have run this task or told its end: `end` will not be called, or not to its end.
    /// Who waits for the task elsewhere is to be told.
    fn lose(&self, detail: &Self::Detail);

    /// Tells the task's owner how it ended; called exactly once for each accepted task that has a detail.
    fn end(&self, detail: Option<&Self::Detail>, outcome: Outcome);
}

/// How a task ended (law L2). The numbers are the C interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Ran = 1,
    Discarded = 4,
}

#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub fate: Fate,
    pub status: i32,
    pub worker: u32,
}

/// Told when a worker thread begins and ends.
pub trait ThreadHooks {
    fn started(&self, worker: u32);
    fn stopping(&self, worker: u32);
}
