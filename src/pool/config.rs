//! The settings of a pool, checked; the one table of limits.

#![forbid(unsafe_code)]

use super::Error;
use crate::sys::cpus::{self, Reason};

pub const CAPACITY_MAX: u32 = 1 << 24;
pub const CAPACITY_DEFAULT: u32 = 1024;
pub const WORKERS_MAX: u32 = 4096;

#[derive(Clone, Copy, Debug)]
pub struct Config {
    workers: u32,
    reason: Reason,
    capacity: u32,
    is_manual: bool,
    has_timer: bool,
}

impl Config {
    /// 0 means the default: for the workers what affinity and cgroup quota allow at once, at least 1.
    pub fn new(workers: u32, capacity: u32) -> Result<Config, Error> {
        if workers > WORKERS_MAX || capacity > CAPACITY_MAX {
            return Err(Error::Invalid);
        }
        let (workers, reason) = match workers {
            0 => cpus::allowed(),
            asked => (asked, Reason::Asked),
        };
        let workers = workers.min(WORKERS_MAX);
        let capacity = if capacity == 0 { CAPACITY_DEFAULT } else { capacity };
        Ok(Config { workers, reason, capacity, is_manual: false, has_timer: false })
    }

    /// A pool without threads, whose callers are its one worker.
    pub fn manual(workers: u32, capacity: u32) -> Result<Config, Error> {
        if workers > 1 {
            return Err(Error::Invalid);
        }
        Ok(Config { is_manual: true, ..Config::new(1, capacity)? })
    }

    /// The same with a timer, or without.
    pub fn with_timer(self, has_timer: bool) -> Config {
        Config { has_timer, ..self }
    }

    pub fn has_timer(&self) -> bool {
        self.has_timer
    }

    pub fn is_manual(&self) -> bool {
        self.is_manual
    }

    /// The workers' and the timer's.
    pub fn threads(&self) -> u32 {
        if self.is_manual { 0 } else { self.workers + u32::from(self.has_timer) }
    }

    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// Why there are so many workers.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_means_default_and_never_no_workers() {
        let config = Config::new(0, 0).unwrap();
        assert!(config.workers() >= 1);
        assert_eq!(config.capacity(), CAPACITY_DEFAULT);
    }

    #[test]
    fn limits_are_inclusive() {
        assert_eq!(Config::new(WORKERS_MAX, CAPACITY_MAX).unwrap().capacity(), CAPACITY_MAX);
        assert_eq!(Config::new(WORKERS_MAX + 1, 1).unwrap_err(), Error::Invalid);
        assert_eq!(Config::new(1, CAPACITY_MAX + 1).unwrap_err(), Error::Invalid);
    }
}
