//! The life of a worker: take, run, count; look for a while; sleep.

#![forbid(unsafe_code)]

use super::lost::InHand;
use super::queue::{Duty, Taken, Taker};
use super::{Fate, Job, Outcome, Pool, ThreadHooks};
use crate::faults::{self, Stage};
use crate::sync::{Ordering, spin_loop, this_thread};

impl<J: Job> Pool<J> {
    /// The whole life of the worker `me`. Called once for each worker, each on a thread of its own.
    pub fn work(&self, me: u32, hooks: &impl ThreadHooks) {
        let worker = &self.crew.workers[me as usize];
        worker.thread.store(this_thread(), Ordering::Relaxed);
        hooks.started(me);
        let mut detail = None;
        while let Some(job) = self.next_task(me, &mut detail) {
            self.perform(me, &job, &mut detail);
        }
        hooks.stopping(me);
        worker.thread.store(0, Ordering::Relaxed);
        self.crew.leave();
    }

    /// The next task, when there is one, and its detail; `None` when there will be none.
    #[inline]
    pub fn next_task(&self, me: u32, detail: &mut Option<J::Detail>) -> Option<J> {
        let mut duty = Duty::None;
        let mut has_lingered = false;
        loop {
            match self.queue.take(Taker::Worker, detail) {
                Taken::Task(task) => {
                    let hand = InHand::new(&task.job, detail);
                    faults::point(Stage::Take);
                    if duty == Duty::Waking && self.queue.pass_waking_on() {
                        self.crew.wake_one(&self.queue);
                    }
                    if task.owes_release {
                        self.room.release_one();
                    }
                    hand.let_go();
                    return Some(task.job);
                }
                Taken::Drained => return None,
                Taken::Empty(seen) => {
                    // One that looks is enough.
                    if has_lingered || seen.has_looker() || !self.may_linger() {
                        duty = self.crew.sleep(me, &self.queue, duty, || self.is_quiet());
                        has_lingered = false;
                    } else if let Some(looking) = self.queue.begin_looking(seen, duty) {
                        duty = looking;
                        self.linger();
                        has_lingered = true;
                    }
                }
            }
        }
    }

    fn may_linger(&self) -> bool {
        self.spins > 0 && !self.crew.idle_wanted.load(Ordering::Relaxed)
    }

    /// Looks at the queue until something is there, or about as long as a wake-up would take.
    fn linger(&self) {
        for _ in 0..self.spins {
            if !self.queue.looks_empty() || !self.may_linger() {
                break;
            }
            spin_loop();
        }
    }

    #[inline(always)]
    pub(super) fn perform(&self, me: u32, job: &J, detail: &mut Option<J::Detail>) {
        let hand = InHand::new(job, detail);
        let status = job.run(hand.detail.as_mut(), me);
        faults::point(Stage::Ran);
        if job.is_detailed() {
            job.end(hand.detail.as_ref(), Outcome { fate: Fate::Ran, status, worker: me });
            *hand.detail = None;
        }
        hand.let_go();
        faults::point(Stage::Count);
        let worker = &self.crew.workers[me as usize];
        if status != 0 {
            // Before `ran`, so that a snapshot never shows more failures than ends.
            worker.failed.store(worker.failed.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
        worker.ran.store(worker.ran.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}
