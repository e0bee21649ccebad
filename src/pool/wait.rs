//! How long a call may wait.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sys::clock;

/// The patience of one call (law L10), as the caller gave it. The clock is not read before there is a need to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all; a submit then says `Full`, and never `TimedOut`.
    Never,
    /// For so many nanoseconds, at least one.
    For(u64),
    Forever,
}

/// The end of a wait that has begun: an instant of the monotonic clock, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<u64>);

impl Wait {
    /// A relative timeout; the largest number is forever.
    pub fn for_ns(timeout: u64) -> Wait {
        match timeout {
            0 => Wait::Never,
            u64::MAX => Wait::Forever,
            _ => Wait::For(timeout),
        }
    }

    /// Starts the wait. What reaches past the clock's end is forever.
    pub fn begin(self) -> Deadline {
        match self {
            Wait::Never => Deadline(Some(0)),
            Wait::For(timeout) => Deadline(clock::now_ns().checked_add(timeout)),
            Wait::Forever => Deadline(None),
        }
    }
}

impl Deadline {
    /// What is left: `None` is forever, `Some(0)` is over.
    pub fn left(self) -> Option<Duration> {
        self.0.map(|instant| Duration::from_nanos(instant.saturating_sub(clock::now_ns())))
    }

    /// What is left, as a wait of its own: never none, since who does not wait at all is answered otherwise.
    pub fn rest(self) -> Wait {
        self.left().map_or(Wait::Forever, |left| {
            Wait::For(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX - 1).max(1))
        })
    }

    pub fn is_over(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_saturate() {
        assert_eq!(Wait::for_ns(u64::MAX), Wait::Forever);
        assert_eq!(Wait::for_ns(u64::MAX - 1).begin(), Wait::Forever.begin());
        assert!(Wait::for_ns(0).begin().is_over());
        assert!(!Wait::for_ns(1 << 62).begin().is_over());
    }
}
