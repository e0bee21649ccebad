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
//! - a call that would wait (for room, for idle, for the end) steps instead. A shutdown has the seat from before the closing on, so
//!   that it is refused before it has done anything.
//! - a submitter that has stepped and found its place taken again, by whom the step told of it or by what ran, pushes the next time between
//!   the take and what that brings about. So it gets on, and every other place is theirs.
//!
//! # Invariants
//!
//! - M1: only the seat's holder takes tasks as a worker. So they run one at a time, in the order in which they were accepted, and
//!   the worker's counters are written by one thread at a time.
//! - M2: the holder's number stands where law L6 looks for it; so a task that waits for its own pool is refused as ever.
//! - M3: nobody sleeps here: what can't be had by stepping is answered with `Deadlock` at once. But what was accepted before the
//!   answer, by whomever, can be had by stepping. Only a shutdown that has closed the pool, and whoever forgets a waiter, wait for the
//!   calls of other threads that are ending a task or telling of room just then.

#![forbid(unsafe_code)]

use super::lost::InHand;
use super::queue::{Duty, Pushed, Taken, Taker};
use super::{Error, Job, Pool, Wait};

/// The seat's index among the workers.
const SEAT: u32 = 0;

impl<J: Job> Pool<J> {
    /// Runs up to `max` queued tasks on the calling thread. `ran` tells at any time how many; what is found cancelled or too late on
    /// the way ends without counting. Returns whether anything was there.
    pub fn step(&self, max: u64, ran: &mut u64) -> Result<bool, Error> {
        self.take_seat()?;
        let was_there = self.step_seated(max, ran, || true);
        self.leave_seat();
        Ok(was_there)
    }

    /// Nobody else steps from here on.
    pub(super) fn take_seat(&self) -> Result<(), Error> {
        self.refuse_failed()?;
        self.refuse_inside()?;
        let mut state = self.crew.lock();
        if state.is_stepped {
            return Err(Error::Deadlock);
        }
        state.is_stepped = true;
        Ok(())
    }

    pub(super) fn leave_seat(&self) {
        let mut state = self.crew.lock();
        state.is_stepped = false;
        // Under the lock, behind which the pool may be gone.
        self.crew.changed.notify_all();
    }

    /// As [`Pool::step`], by who has the seat. `taken` is called when a task was taken, before anything else comes of it, and says whether
    /// another may follow.
    fn step_seated(&self, max: u64, ran: &mut u64, mut taken: impl FnMut() -> bool) -> bool {
        let worker = &self.crew.workers[SEAT as usize];
        let _inside = worker.enter();
        let mut detail = None;
        let mut was_there = false;
        let mut goes_on = true;
        while goes_on && *ran < max {
            match self.queue.take(Taker::Worker(Duty::None), &mut detail) {
                Taken::Task(task) => {
                    was_there = true;
                    let hand = InHand::new(&task.job, detail.as_ref());
                    goes_on = taken();
                    if task.owes.any() {
                        self.pay(task.owes);
                    }
                    hand.let_go();
                    *ran += u64::from(self.perform(SEAT, worker, &task.job, &mut detail));
                }
                Taken::Empty(_) | Taken::Drained => break,
            }
        }
        was_there
    }

    /// Runs everything that is queued, and what that submits, by who has the seat.
    pub(super) fn step_all(&self) {
        self.step_seated(u64::MAX, &mut 0, || true);
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
        let mut is_hurried = false;
        loop {
            let mut pushed = Err(Error::Full);
            self.take_seat()?;
            self.step_seated(1, &mut 0, || {
                if is_hurried {
                    pushed = self.push(job, detail);
                }
                // What was pushed is not run by its own submit.
                pushed == Err(Error::Full)
            });
            self.leave_seat();
            if pushed == Err(Error::Full) {
                pushed = self.push(job, detail);
            }
            if pushed != Err(Error::Full) {
                return pushed;
            }
            is_hurried = true;
        }
    }
}
