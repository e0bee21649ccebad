//! Closing, discarding, and waiting for the end (laws L4 and L5).

#![forbid(unsafe_code)]

use super::crew::{self, State};
use super::lost::InHand;
use super::queue::{Taken, Taker};
use super::{Error, Fate, Job, Pool, Report, Wait, inside};
use crate::faults::{self, Stage};
use crate::sync::{Ordering, this_thread};

/// What becomes of the tasks that are queued when a shutdown begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Drain,
    Cancel,
}

impl<J: Job> Pool<J> {
    /// Closes the pool and waits until every task has ended and every worker has left; then one of the callers that wait runs
    /// `join`, which waits for the threads themselves.
    pub fn shutdown(&self, mode: Mode, wait: Wait, join: impl FnOnce()) -> Result<(), Error> {
        self.refuse_failed()?;
        self.refuse_inside()?;
        let deadline = wait.begin();
        // One that may wait runs what is left of a manual pool, or is refused before it has closed it.
        let steps = self.config.is_manual() && self.stage() != crew::Stage::Over;
        if steps && wait != Wait::Never {
            self.take_seat()?;
        }
        self.close();
        if mode == Mode::Cancel {
            self.discard_queued();
        }
        if steps {
            if wait == Wait::Never && !(self.is_quiet(&self.crew.lock()) && self.take_seat().is_ok()) {
                return Err(Error::TimedOut);
            }
            self.step_all();
            self.leave_seat();
        }
        let mut state = self.crew.lock();
        loop {
            self.refuse_failed()?;
            match state.stage {
                crew::Stage::Over => return Ok(()),
                crew::Stage::Manned if self.is_deserted(&state) => break,
                crew::Stage::Manned | crew::Stage::Joining => {}
            }
            let left = deadline.left();
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::TimedOut);
            }
            state = self.crew.changed.wait(state, left);
        }
        state.stage = crew::Stage::Joining;
        drop(state);
        self.timer.stop();
        faults::point(Stage::Join);
        join();
        let mut state = self.crew.lock();
        state.stage = crew::Stage::Over;
        self.crew.changed.notify_all();
        Ok(())
    }

    /// Nobody is left who runs or ends a task, or tells of room, or is about to touch the pool once more (`callers`).
    fn is_deserted(&self, state: &State) -> bool {
        state.live == 0
            && state.visitors == 0
            && state.callers == 0
            && !self.queue.owes_wake()
            && !state.is_stepped
            && self.crew.discarder.load(Ordering::Relaxed) == 0
            && self.notify.is_quiet()
    }

    fn stage(&self) -> crew::Stage {
        self.crew.lock().stage
    }

    /// Draws the line (law L4) and wakes everybody who would wait beyond it.
    fn close(&self) {
        if self.queue.close() {
            faults::point(Stage::Close);
            self.crew.wake_all(&self.queue);
            self.room.release_all();
            self.elsewhere.rouse_all();
            self.tell_room();
        }
    }

    /// Ends every queued task, in order, unless another thread is at it already. The queue is closed, so nothing comes behind.
    fn discard_queued(&self) {
        {
            let _state = self.crew.lock();
            if self.crew.discarder.load(Ordering::Relaxed) != 0 {
                return;
            }
            self.crew.discarder.store(this_thread(), Ordering::Relaxed);
        }
        // From here on workers may leave though tasks are queued; a shutdown waits for the discarder as well.
        self.queue.halt();
        let mut detail = None;
        while let Taken::Task(task) = self.queue.take(Taker::Discarder, &mut detail) {
            let hand = InHand::new(&task.job, detail.as_ref());
            faults::point(Stage::Discard);
            hand.let_go();
            // Else it has left out of turn.
            if detail.is_some() || !task.job.is_detailed() {
                self.end_unrun(Fate::Discarded, &task.job, detail.as_ref());
            }
            detail = None;
        }
        self.discard_lanes();
        let mut state = self.crew.lock();
        self.crew.discarder.store(0, Ordering::Relaxed);
        self.note_quiet(&mut state);
        self.crew.changed.notify_all();
    }

    /// Somebody has ended tasks.
    pub(super) fn note_quiet(&self, state: &mut State) {
        if state.idle_waiters > 0 && self.is_quiet(state) {
            state.idle_seen += 1;
        }
    }

    /// Waits until, at some instant after the call began, no task was queued, running or in its `end`.
    pub fn wait_idle(&self, wait: Wait) -> Result<(), Error> {
        self.refuse_failed()?;
        self.refuse_inside()?;
        if self.is_quiet(&self.crew.lock()) {
            return Ok(());
        }
        if self.config.is_manual() && wait != Wait::Never {
            return self.step_until(u64::MAX, || self.is_quiet(&self.crew.lock()));
        }
        let deadline = wait.begin();
        let mut state = self.crew.lock();
        let seen_before = state.idle_seen;
        state.idle_waiters += 1;
        self.crew.idle_wanted.store(true, Ordering::Relaxed);
        let result = loop {
            if state.idle_seen != seen_before || self.is_quiet(&state) {
                break Ok(());
            }
            if let Err(failed) = self.refuse_failed() {
                break Err(failed);
            }
            faults::point(Stage::WaitIdle);
            let left = deadline.left();
            if left.is_some_and(|left| left.is_zero()) {
                break Err(Error::TimedOut);
            }
            state = self.crew.changed.wait(state, left);
        };
        state.idle_waiters -= 1;
        if state.idle_waiters == 0 {
            self.crew.idle_wanted.store(false, Ordering::Relaxed);
        }
        result
    }

    /// What is left to do, and what was discarded.
    pub fn report(&self) -> Report {
        let snapshot = self.snapshot();
        Report { queued: snapshot.queued(), running: snapshot.running(), discarded: snapshot.discarded }
    }

    pub(super) fn refuse_failed(&self) -> Result<(), Error> {
        if self.has_failed() { Err(Error::Panicked) } else { Ok(()) }
    }

    /// Whether the calling thread is inside a callback of this pool.
    pub fn is_inside(&self) -> bool {
        self.crew.has_inside(this_thread())
            || inside::is_inside(self.id())
            || self.notify.has_inside(this_thread())
    }

    /// Law L6.
    pub(super) fn refuse_inside(&self) -> Result<(), Error> {
        if self.is_inside() { Err(Error::Deadlock) } else { Ok(()) }
    }
}
