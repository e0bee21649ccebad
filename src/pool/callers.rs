//! Callers on their way back.
//!
//! A submit brings a task about. When that has ended, whoever learns of it may shut the pool down and destroy it, though the submit has
//! not returned yet: nobody but the pool could wait for that. The same for a wait for room whose waiter was told. So a shutdown waits
//! for those who still have something to do here.
//!
//! # States
//!
//! **A call**: nobody can have learnt what it brought about → it has something left to do here → it is on its way back and touches the
//! pool no more.
//!
//! # Transitions
//!
//! What may be left to do, and how a shutdown knows of it:
//!
//! - a push, by itself: the last step is the slot's stamp, or the lock of the lanes, and no worker leaves before that.
//! - to wake a worker: the push has set `OWED` in the very step that accepted the task; paying it unsets that.
//! - all else (leaving the line of those who wait for room, telling other waiters, giving the timer a deadline): the caller is counted,
//!   from before its push on. So only calls are counted that do such a thing.
//!
//! # Invariants
//!
//! - B1: a shutdown succeeds only when `OWED` is unset and nobody is counted. Both change last under the crew's lock, and whoever changes
//!   them there rouses the shutdown before letting go of it, and has no more to do with the pool.
//! - B2: at most one thread owes a wake-up, and only its paying unsets `OWED`. For a wake-up is owed by who set `WAKING`, which stays set
//!   until the woken worker unsets it or wakes the next one; and a closing, which wakes workers without having set it, first says that
//!   nobody sleeps, so that they wake nobody.
//! - B3: no caller waits for a shutdown: it is refused inside callbacks, and a closing wakes those who wait for room.

#![forbid(unsafe_code)]

use super::{Job, Pool};

/// A caller that is counted, until dropped, which is the last that it has to do with the pool.
pub(super) struct Caller<'a, J: Job>(&'a Pool<J>);

impl<J: Job> Drop for Caller<'_, J> {
    fn drop(&mut self) {
        let mut state = self.0.crew.lock();
        state.callers -= 1;
        if self.0.queue.is_closed() {
            self.0.crew.changed.notify_all();
        }
    }
}

impl<J: Job> Pool<J> {
    pub(super) fn count_caller(&self) -> Caller<'_, J> {
        self.crew.lock().callers += 1;
        Caller(self)
    }
}

/// For the models.
impl<J: Job> Pool<J> {
    /// So they need not look at all of the figures.
    pub fn accepted(&self) -> u64 {
        self.queue.accepted()
    }

    /// The pool will be freed.
    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.crew.bury();
        self.room.bury();
        self.notify.bury();
        self.timer.bury();
    }
}
