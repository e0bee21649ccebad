//! Tasks with a group or a deadline: how they are submitted, run, or ended without having run, and how a group is waited for.
//!
//! Whoever ends queued tasks out of turn (a cancel, the timer) is a *visitor* of the pool for that time: a shutdown waits until there
//! is none (law L5). Each task is claimed alone, and its `end` called outside every lock.
//!
//! A wait for a group inside a callback can't sleep (law L6): it runs the tasks of that group that are queued, and no others, since
//! those might wait for what is below them on this very stack.

#![allow(unsafe_code, reason = "who lets a task leave its group vouches for it")]

use super::group::{self, Group, Stop};
use super::job::{Detail, NO_DEADLINE};
use super::lost::InHand;
use super::queue::Pushed;
use super::{Error, Fate, Job, Outcome, Pool, Wait, inside};
use crate::faults;
use crate::sync::{Ordering, this_thread};
use crate::sys::clock;

/// What somebody who looks for a task out of turn has not looked at yet.
struct Search {
    from: u64,
    to: u64,
    block: usize,
}

/// What it found.
struct Claimed<J: Job> {
    job: J,
    detail: J::Detail,
    /// That of a lane is at once; that of the ring when a taker gets there.
    is_place_back: bool,
}

/// A visitor, until dropped.
struct Visit<'a, J: Job>(&'a Pool<J>);

impl<J: Job> Drop for Visit<'_, J> {
    fn drop(&mut self) {
        let mut state = self.0.crew.lock();
        state.visitors -= 1;
        self.0.note_quiet(&mut state);
        self.0.crew.changed.notify_all();
    }
}

impl<J: Job> Pool<J> {
    pub fn new_group(&self, settings: &group::Settings<'_>) -> Group {
        Group::new(settings, self.queue.end())
    }

    /// A push, counted in the task's group.
    pub(super) fn push(&self, job: J, detail: Option<J::Detail>) -> Result<Pushed, Error> {
        let Some(scoped) = detail.as_ref().filter(|detail| detail.is_scoped()) else {
            return self.queue.push(job, detail);
        };
        if let Some(group) = scoped.group() {
            group.enter()?;
        }
        let is_timed = self.timer.watches(scoped.deadline());
        let _caller = is_timed.then(|| self.count_caller());
        let pushed = self.queue.push(job, detail);
        if pushed.is_ok() {
            // The group may be gone by now.
            if is_timed {
                faults::way_back();
                self.timer.note(scoped.deadline());
            }
        } else if let Some(group) = scoped.group() {
            group.give_back();
        }
        pushed
    }

    /// A worker has this task now: it runs, or is too late. Says whether it ran.
    pub(super) fn perform_scoped(&self, me: u32, job: &J, detail: &J::Detail, comes_back: bool) -> bool {
        let hand = InHand::new(job, Some(detail));
        let is_cancelled = detail.group().is_some_and(|group| !group.begin());
        let fate = match detail.deadline() {
            _ if is_cancelled => Fate::Cancelled,
            NO_DEADLINE => Fate::Ran,
            deadline if deadline <= self.now_ns() => Fate::Expired,
            _ => Fate::Ran,
        };
        let outcome = inside::call(self.id(), detail.group(), || {
            let mut outcome = Outcome::unrun(fate);
            if fate == Fate::Ran {
                outcome = self.run(me, job, detail);
            }
            if let Some(group) = detail.group().filter(|_| outcome.status != 0) {
                group.note_failure(outcome.status, detail.label());
            }
            job.end(detail, outcome);
            hand.let_go();
            if let Some(group) = detail.group().filter(|_| outcome.status != 0) {
                group.cancelled_by_failure().for_each(|group| self.cancel(group, Stop::Failed));
            }
            outcome
        });
        let worker = &self.crew.workers[me as usize];
        worker.is_leaving.store(true, Ordering::Relaxed);
        match fate {
            Fate::Ran => worker.note(outcome.status),
            unrun => self.count(unrun),
        }
        self.leave(detail, outcome, comes_back);
        worker.is_leaving.store(false, Ordering::Release);
        fate == Fate::Ran
    }

    /// The task is counted already: who sees the group empty finds it in the pool's figures.
    fn leave(&self, detail: &J::Detail, outcome: Outcome, comes_back: bool) {
        let Some(group) = detail.group() else { return };
        if let Some(lane) = group.lane()
            && self.queue.end_in_lane(lane, comes_back) == Pushed::OwingWake
        {
            self.crew.wake_one(&self.queue);
        }
        // SAFETY: it entered at its submit, has begun, and is done.
        unsafe { Group::leave(group, outcome.fate, outcome.status) };
    }

    /// Ends a task that was claimed out of turn, or that a shutdown discards.
    pub(super) fn end_unrun(&self, fate: Fate, job: &J, detail: Option<&J::Detail>) {
        let Some(detail) = detail else { return self.count(fate) };
        let hand = InHand::new(job, Some(detail));
        let group = detail.group();
        let _ = group.map(Group::begin);
        inside::call(self.id(), group, || job.end(detail, Outcome::unrun(fate)));
        hand.let_go();
        self.count(fate);
        if let Some(group) = group {
            // SAFETY: it entered at its submit, has begun, and is done.
            unsafe { Group::leave(group, fate, 0) };
        }
    }

    fn count(&self, fate: Fate) {
        let counter = match fate {
            Fate::Ran => return,
            Fate::Cancelled => &self.cancelled,
            Fate::Expired => &self.expired,
            Fate::Discarded => &self.discarded,
        };
        counter.fetch_add(1, Ordering::Release);
    }

    fn visit(&self) -> Visit<'_, J> {
        self.crew.lock().visitors += 1;
        Visit(self)
    }

    /// No task of the group starts from here on, and those that are queued end before this returns.
    pub fn cancel(&self, group: &Group, why: Stop) {
        let is_first = group.cancel(why);
        {
            let _visit = self.visit();
            let mut search = self.search(group);
            while let Some(claimed) = self.claim(&mut search, |its| is_of(its, group)) {
                self.end_claimed(Fate::Cancelled, &claimed);
            }
        }
        if is_first {
            // Who waits for room, or for a place in results, to submit to this group is refused.
            self.room.release_all();
            self.elsewhere.rouse_all();
        }
    }

    /// Where tasks of this group can be.
    fn search(&self, group: &Group) -> Search {
        let end = self.queue.end();
        let to = if group.has_below() { end } else { group.last().saturating_add(1).min(end) };
        Search { from: group.first, to, block: 0 }
    }

    fn claim(&self, search: &mut Search, is_wanted: impl Fn(&J::Detail) -> bool) -> Option<Claimed<J>> {
        if let Some((job, detail)) = self.queue.claim_ahead(&mut search.from, search.to, &is_wanted) {
            return Some(Claimed { job, detail, is_place_back: false });
        }
        let (job, detail, pushed) = self.queue.remove_from_lanes(&mut search.block, is_wanted)?;
        if pushed == Pushed::OwingWake {
            self.crew.wake_one(&self.queue);
        }
        Some(Claimed { job, detail, is_place_back: true })
    }

    fn end_claimed(&self, fate: Fate, claimed: &Claimed<J>) {
        if claimed.is_place_back {
            self.pay_for_place(&claimed.job, &claimed.detail);
        }
        self.end_unrun(fate, &claimed.job, Some(&claimed.detail));
    }

    /// The place of this task, which the caller has, came back otherwise than by a take.
    fn pay_for_place(&self, job: &J, detail: &J::Detail) {
        let hand = InHand::new(job, Some(detail));
        let owes = self.queue.owes_for_place();
        if owes.any() {
            self.pay(owes);
        }
        hand.let_go();
    }

    /// Ends every queued task whose deadline has passed. Returns the earliest of the others, and how long it looked for them: without what
    /// it called meanwhile.
    pub(super) fn expire(&self, now: u64) -> (u64, u64) {
        let _visit = self.visit();
        let earliest = std::cell::Cell::new(NO_DEADLINE);
        let is_late = |its: &J::Detail| {
            let is_late = its.deadline() <= now;
            if !is_late {
                earliest.set(earliest.get().min(its.deadline()));
            }
            is_late
        };
        let mut search = Search { from: 0, to: self.queue.end(), block: 0 };
        let mut looked = 0;
        loop {
            let began = clock::now_ns();
            let claimed = self.claim(&mut search, is_late);
            looked += clock::now_ns() - began;
            let Some(claimed) = claimed else { break };
            self.end_claimed(Fate::Expired, &claimed);
        }
        (earliest.get(), looked)
    }

    /// A cancelling shutdown: what is left in lanes.
    pub(super) fn discard_lanes(&self) {
        let mut block = 0;
        while let Some((job, detail, pushed)) = self.queue.remove_from_lanes(&mut block, |_| true) {
            if pushed == Pushed::OwingWake {
                self.crew.wake_one(&self.queue);
            }
            self.end_unrun(Fate::Discarded, &job, Some(&detail));
        }
    }

    /// Waits until, at some instant after the call began, no task of the group was open.
    pub fn wait_group(&self, group: &Group, wait: Wait) -> Result<(), Error> {
        if inside::is_inside_group(group) {
            return Err(Error::Deadlock);
        }
        if group.is_empty() {
            return Ok(());
        }
        self.refuse_failed()?;
        if wait == Wait::Never {
            return Err(Error::TimedOut);
        }
        if self.refuse_inside().is_err() {
            return self.help(group, wait);
        }
        if self.config.is_manual() {
            // In their order, so others' tasks too; and no more of those than it takes.
            return self.step_until(1, || group.is_empty());
        }
        let deadline = wait.begin();
        self.elsewhere.stay(group, || group.sleep_until_empty(deadline, || self.refuse_failed()))
    }

    /// Runs tasks of the group on the calling worker until none is open, or none is left to run (`Deadlock`).
    fn help(&self, group: &Group, wait: Wait) -> Result<(), Error> {
        let me = self.crew.worker_on(this_thread()).ok_or(Error::Deadlock)?;
        let deadline = self.patience(wait).begin();
        while !group.is_empty() {
            if deadline.is_over() {
                return Err(Error::TimedOut);
            }
            // Anew each time: the tasks may submit others.
            let mut search = self.search(group);
            let claimed = self.queue.claim_ahead(&mut search.from, search.to, |its| is_of(its, group));
            if let Some((job, detail)) = claimed.filter(|_| self.queue.is_halted()) {
                // A shutdown that cancels has begun: nothing starts any more.
                self.end_unrun(Fate::Discarded, &job, Some(&detail));
                continue;
            }
            let (job, detail) = match claimed.or_else(|| self.queue.take_of_group(group)) {
                Some(found) => found,
                None if group.is_empty() => break,
                None => return Err(Error::Deadlock),
            };
            self.pay_for_place(&job, &detail);
            self.perform_scoped(me, &job, &detail, false);
        }
        Ok(())
    }

    /// Why this task should stop.
    pub fn stop(&self, group: Option<&Group>, deadline: u64) -> Option<Stop> {
        let now = || self.now_ns();
        let by_group = group.and_then(|group| group.stop(now));
        let by_time = || (deadline != NO_DEADLINE && deadline <= self.now_ns()).then_some(Stop::Deadline);
        by_group.or_else(by_time).or_else(|| self.queue.is_halted().then_some(Stop::Shutdown))
    }
}

fn is_of<D: Detail>(detail: &D, group: &Group) -> bool {
    detail.group().is_some_and(|its| its.is_within(group))
}
