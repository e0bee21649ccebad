//! Why a call did not do what it was asked.

#![forbid(unsafe_code)]

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    Invalid,
    Memory,
    Thread,
    Full,
    /// No free place in a queue of results.
    ResultsFull,
    TimedOut,
    /// The task's group has been cancelled.
    Cancelled,
    Closed,
    /// What was to be taken back has happened already, or was never begun.
    TooLate,
    Deadlock,
    Forked,
    Panicked,
    Unsupported,
}
