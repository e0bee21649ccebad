//! A pool without threads: its callers run the tasks, one at a time.
//!
//! # States
//!
//! The pool's one worker is a seat: *free*, or *taken* by the thread that steps.
//!
//! # Transitions
//!
//! - step: free → taken; take and perform so many tasks, in order; taken → free. Whoever finds the seat taken, by itself or by
//!   another, is refused.
//! - a call that would wait (for room, for idle, for the end) steps instead.
//!
//! # Invariants
//!
//! - M1: only the seat's holder takes tasks as a worker. So they run one at a time, in the order in which they were accepted, and
//!   the worker's counters are written by one thread at a time.
//! - M2: the holder's number stands where law L6 looks for it; so a task that waits for its own pool is refused as ever.
//! - M3: nobody ever sleeps here: what can't be had by stepping is answered with `Deadlock` at once. But what was accepted before the
//!   answer, by whomever, can be had by stepping.

#![forbid(unsafe_code)]

use super::queue::{Pushed, Taken, Taker};
use super::{Error, Job, Pool, Wait};
use crate::sync::{Ordering, this_thread};

/// The seat's index among the workers.
const SEAT: u32 = 0;

impl<J: Job> Pool<J> {
    /// Runs up to `max` queued tasks on the calling thread. `ran` tells at any time how many; what is found cancelled or too late on
    /// the way ends without counting. Returns whether anything was there.
    pub fn step(&self, max: u64, ran: &mut u64) -> Result<bool, Error> {
        self.refuse_failed()?;
        self.refuse_inside()?;
        let worker = &self.crew.workers[SEAT as usize];
        {
            let mut state = self.crew.lock();
            if state.is_stepped {
                return Err(Error::Deadlock);
            }
            state.is_stepped = true;
            worker.thread.store(this_thread(), Ordering::Relaxed);
        }
        let mut detail = None;
        let mut was_there = false;
        while *ran < max {
            match self.queue.take(Taker::Worker, &mut detail) {
                Taken::Task(task) => {
                    was_there = true;
                    if task.owes.any() {
                        self.pay(task.owes);
                    }
                    *ran += u64::from(self.perform(SEAT, worker, &task.job, &mut detail));
                }
                Taken::Empty(_) | Taken::Drained => break,
            }
        }
        let mut state = self.crew.lock();
        worker.thread.store(0, Ordering::Relaxed);
        state.is_stepped = false;
        self.crew.changed.notify_all();
        Ok(was_there)
    }

    /// Runs everything that is queued, and what that submits.
    pub(super) fn step_all(&self) -> Result<(), Error> {
        self.step(u64::MAX, &mut 0).map(drop)
    }

    /// Steps, so many tasks at once, until a wait is over. What is open then, though nothing was there to step, is in another thread's hands,
    /// which is submitting it, runs it or ends it; unless a submit came between the step and the look.
    pub fn step_until(&self, at_once: u64, is_over: impl Fn() -> bool) -> Result<(), Error> {
        while !is_over() {
            let accepted = self.queue.accepted();
            let was_there = self.step(at_once, &mut 0)?;
            // What came is looked for last: a task that `is_over` saw open is accepted by now, or its submit is not over.
            if !was_there && !is_over() && self.queue.accepted() == accepted {
                return Err(Error::Deadlock);
            }
        }
        Ok(())
    }

    /// How long a call waits in which time may be up between two tries: on a manual pool no time passes.
    pub(super) fn patience(&self, wait: Wait) -> Wait {
        if self.config.is_manual() && matches!(wait, Wait::For(_)) { Wait::Forever } else { wait }
    }

    /// A push to a full queue: the tasks that are in its way run here and now.
    pub(super) fn push_stepping(&self, job: J, detail: Option<J::Detail>) -> Result<Pushed, Error> {
        loop {
            self.step(1, &mut 0)?;
            match self.push(job, detail) {
                // Another thread was quicker; it, too, has made progress.
                Err(Error::Full) => {}
                pushed => return pushed,
            }
        }
    }
}
