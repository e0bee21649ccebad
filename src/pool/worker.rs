//! The life of a worker: take, run, count; look for a while; sleep.

#![forbid(unsafe_code)]

use super::crew::Worker;
use super::job::Detail;
use super::lost::InHand;
use super::queue::{Duty, Seen, Taken, Taker};
use super::{Fate, Job, Outcome, Pool, ThreadHooks};
use crate::faults::{self, Stage};
use crate::sync::{Ordering, spin_loop};
use crate::sys::clock;

impl<J: Job> Pool<J> {
    /// The whole life of the worker `me`. Called once for each worker, each on a thread of its own.
    pub fn work(&self, me: u32, hooks: &impl ThreadHooks) {
        let worker = &self.crew.workers[me as usize];
        let inside = worker.enter();
        hooks.started(me);
        let mut detail = None;
        while let Some(job) = self.next_task(me, &mut detail) {
            let _ = self.perform(me, worker, &job, &mut detail);
        }
        hooks.stopping(me);
        drop(inside);
        self.leave_crew();
    }

    /// The next task, when there is one, and its detail; `None` when there will be none.
    #[inline]
    pub fn next_task(&self, me: u32, detail: &mut Option<J::Detail>) -> Option<J> {
        let mut duty = Duty::None;
        let mut has_lingered = false;
        loop {
            match self.queue.take(Taker::Worker(duty), detail) {
                Taken::Task(task) => {
                    let hand = InHand::new(&task.job, detail.as_ref());
                    faults::point(Stage::Take);
                    if duty == Duty::Waking {
                        self.end_waking();
                    }
                    if task.owes.any() {
                        self.pay(task.owes);
                    }
                    hand.let_go();
                    return Some(task.job);
                }
                Taken::Drained => return None,
                Taken::Empty(seen) => (duty, has_lingered) = self.find_nothing(me, seen, duty, has_lingered),
            }
        }
    }

    /// The worker that was woken has a task.
    #[inline(never)]
    fn end_waking(&self) {
        if self.queue.pass_waking_on() {
            self.crew.wake_one(&self.queue);
        }
    }

    /// Looks on for a while, or sleeps. Returns the duty, and whether it has just looked.
    #[inline(never)]
    fn find_nothing(&self, me: u32, seen: Seen, duty: Duty, has_lingered: bool) -> (Duty, bool) {
        // One that looks is enough.
        if has_lingered || seen.has_looker() || !self.may_linger() {
            return (self.crew.sleep(me, &self.queue, duty, |state| self.is_quiet(state)), false);
        }
        match self.queue.begin_looking(seen, duty) {
            Some(looking) => {
                self.linger();
                (looking, true)
            }
            None => (duty, false),
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
    pub(super) fn perform(&self, me: u32, worker: &Worker, job: &J, detail: &mut Option<J::Detail>) -> bool {
        if !job.is_detailed() {
            let status = job.run(None, self, me);
            faults::point(Stage::Ran);
            worker.note(status);
            return true;
        }
        // Without its detail it has left out of turn: nothing is to be done.
        let ran = detail.as_ref().is_some_and(|detail| self.perform_detailed(me, job, detail));
        *detail = None;
        ran
    }

    /// Not inlined, so that a plain task's way stays short.
    #[inline(never)]
    fn perform_detailed(&self, me: u32, job: &J, detail: &J::Detail) -> bool {
        if detail.is_scoped() {
            return self.perform_scoped(me, job, detail, true);
        }
        let hand = InHand::new(job, Some(detail));
        let outcome = self.run(me, job, detail);
        job.end(detail, outcome);
        hand.let_go();
        self.crew.workers[me as usize].note(outcome.status);
        true
    }

    pub(super) fn run(&self, me: u32, job: &J, detail: &J::Detail) -> Outcome {
        let began = if detail.is_timed() { clock::now_ns() } else { 0 };
        let status = job.run(Some(detail), self, me);
        faults::point(Stage::Ran);
        Outcome { fate: Fate::Ran, status, worker: me, began }
    }
}

impl Worker {
    /// A task that ran here has ended, with this status.
    #[inline(always)]
    pub(super) fn note(&self, status: i32) {
        faults::point(Stage::Count);
        if status != 0 {
            // Before `ran`, so that a snapshot never shows more failures than ends.
            self.failed.store(self.failed.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
        self.ran.store(self.ran.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}
