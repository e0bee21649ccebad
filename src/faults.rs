//! Planted faults of the library, to see what it does after one: a panic at a named place, where a test asks for it. And a place where a
//! test may hold a thread up, as a busy machine would.
//!
//! Only the feature `faults` brings them; without it a [`point`] is nothing at all, and the shipped library is built without.

#![forbid(unsafe_code)]

/// The places. The numbers are those of tests/faults/faults.h.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    any(wp_loom, wp_shuttle),
    allow(dead_code, reason = "the models have no border, and so not its places")
)]
pub enum Stage {
    /// A create has started a worker, and there are more to start or not.
    Start,
    /// A submit that can't go the quick way, before it has touched anything.
    Submit,
    /// A submitter that stands in line for room.
    InLine,
    /// A worker has taken a task and not begun it.
    Take,
    /// A worker has run a task, whose `end` is yet to be called.
    Ran,
    /// A worker counts what has ended.
    Count,
    /// A worker falls asleep, under the crew's lock.
    Sleep,
    /// A shutdown has closed the queue and woken nobody.
    Close,
    /// A shutdown that cancels has taken a task and not told its end.
    Discard,
    /// A shutdown is about to join the threads.
    Join,
    /// A caller waits for the pool to be idle, under the crew's lock.
    WaitIdle,
    /// A submit reserves a place for a record, under the results' lock.
    Reserve,
    /// A worker puts a record, under the results' lock.
    Put,
    /// A reader looks for a record, under the results' lock.
    Read,
}

#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn point(_: Stage) {}

/// A call has brought about what it was for, and has something left to do (`pool::callers`): here it may be held.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub fn way_back() {}

#[cfg(feature = "faults")]
mod imp {
    use super::Stage;
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    pub const STAGES: usize = Stage::Read as usize + 1;

    /// How often each place is still passed unharmed; below 0: for ever.
    static LEFT: [AtomicI64; STAGES] = [const { AtomicI64::new(-1) }; STAGES];

    pub fn point(stage: Stage) {
        let left = &LEFT[stage as usize];
        if left.load(Ordering::Relaxed) >= 0 && left.fetch_sub(1, Ordering::Relaxed) == 0 {
            // An index that is checked, as a mistake of ours would be: nothing that only a fault we meant could be.
            let beyond = STAGES + stage as usize;
            LEFT[beyond].store(0, Ordering::Relaxed);
        }
    }

    /// The next call on its way back is held, or one is; else 0.
    static HOLD: AtomicU32 = AtomicU32::new(0);
    const NEXT: u32 = 1;
    const HELD: u32 = 2;

    pub fn way_back() {
        if HOLD.compare_exchange(NEXT, HELD, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            while HOLD.load(Ordering::Acquire) == HELD {
                std::thread::yield_now();
            }
        }
    }

    /// Holds the next call that comes by, or lets it go.
    pub fn hold(shall_hold: bool) {
        HOLD.store(if shall_hold { NEXT } else { 0 }, Ordering::Release);
    }

    pub fn is_held() -> bool {
        HOLD.load(Ordering::Acquire) == HELD
    }

    /// The stage's place panics after it was passed so many times; false if there is no such stage.
    pub fn plant(stage: u32, after: i64) -> bool {
        LEFT.get(stage as usize).map(|left| left.store(after, Ordering::Relaxed)).is_some()
    }
}

#[cfg(feature = "faults")]
pub use imp::{hold, is_held, plant, point, way_back};
