//! What becomes of tasks when a fault of the library has ended who would have run them.
//!
//! Such a task meets no fate (law L7): nobody knows how far it came, so its `end` is not called, and what it owns stays allocated. But who
//! waits for it elsewhere must not wait for ever: [`Job::lose`] tells them.
//!
//! # Invariants
//!
//! - L1: a task is in somebody's hand from its take until its end was told. A panic meanwhile loses it, once.
//! - L2: after a fault, what is queued is run by the workers that are left. When none is, or they may not (a halt), it is lost by who
//!   notices: the last worker that leaves, by a fault or after one, the discarder, who steps a manual pool.

#![forbid(unsafe_code)]

use super::queue::{Taken, Taker};
use super::{Job, Pool};
use crate::sync::{Ordering, this_thread};

/// A task that was taken and has not ended. Dropped by a panic only.
pub(super) struct InHand<'a, J: Job> {
    job: &'a J,
    detail: Option<&'a J::Detail>,
}

impl<'a, J: Job> InHand<'a, J> {
    #[inline(always)]
    pub fn new(job: &'a J, detail: Option<&'a J::Detail>) -> Self {
        InHand { job, detail }
    }

    /// It has ended, or is in somebody else's hand.
    #[inline(always)]
    pub fn let_go(self) {
        std::mem::forget(self);
    }
}

impl<J: Job> Drop for InHand<'_, J> {
    #[cold]
    fn drop(&mut self) {
        if let Some(detail) = self.detail {
            self.job.lose(detail);
        }
    }
}

impl<J: Job> Pool<J> {
    /// The library has found a fault of its own in this pool, on the calling thread: everybody is woken, and told so from now on.
    pub fn fail(&self) {
        self.note_fault();
        self.crew.wake_all(&self.queue);
        self.room.release_all();
        self.elsewhere.rouse_all();
        self.tell_room();
        if self.crew.lock().live == 0 || self.crew.discarder.load(Ordering::Relaxed) == this_thread() {
            self.lose_queued();
        }
    }

    /// The same on a worker, whose thread ends by it. It leaves only after the fault is known: a shutdown that finds nobody there must
    /// not believe that all is well.
    pub fn fail_worker(&self) {
        self.note_fault();
        self.leave_crew();
        self.fail();
    }

    /// Of several workers, after a fault of one, the last leaves what waits in lanes for the end of a task that was lost.
    pub(super) fn leave_crew(&self) {
        // Under the crew's lock, so that either this thread or who meets the fault sees the other.
        if self.crew.leave(|| self.has_failed()) {
            self.lose_queued();
        }
    }

    /// The queue is closed first: nothing is accepted any more once somebody was told of the fault.
    fn note_fault(&self) {
        self.queue.close();
        self.failed.store(true, Ordering::Release);
    }

    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn lose_queued(&self) {
        self.queue.halt();
        let mut detail = None;
        while let Taken::Task(task) = self.queue.take(Taker::Discarder, &mut detail) {
            if let Some(detail) = detail.take() {
                task.job.lose(&detail);
            }
        }
        let mut block = 0;
        while let Some((job, detail, _)) = self.queue.remove_from_lanes(&mut block, |_| true) {
            job.lose(&detail);
        }
    }
}
