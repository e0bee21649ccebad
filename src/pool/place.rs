//! Submits that need a place in a queue of results (`results`) before one in the pool's own.
//!
//! A submitter that waits for such a place sleeps there; that this pool finds it all the same is the business of `elsewhere`.

#![forbid(unsafe_code)]

use std::cell::Cell;

use super::group::Group;
use super::job::Detail;
use super::queue::Pushed;
use super::results::{Place, Results, WhenFull};
use super::wait::Deadline;
use super::{Error, Job, Pool, Wait};

/// How many tasks of a batch have their places reserved at a time: these are kept on the stack.
const STRETCH: usize = 64;

/// Places reserved for so many tasks, of which the first few are accepted; the others are given back when this is dropped, by a panic
/// too.
struct Reserved<F: Fn(usize)> {
    accepted: usize,
    count: usize,
    give_back: F,
}

impl<F: Fn(usize)> Drop for Reserved<F> {
    fn drop(&mut self) {
        (self.accepted..self.count).for_each(&self.give_back);
    }
}

impl<J: Job> Pool<J> {
    /// As [`Pool::submit`], for a task that will put a record into `results`: it has its place there before it is accepted. `job` makes
    /// it then. The submitter has a reference on `results`.
    pub fn submit_recorded<R: Copy + Send + 'static>(
        &self,
        results: &Results<R>,
        group: Option<&Group>,
        job: impl FnOnce(Place) -> (J, Option<J::Detail>),
        wait: Wait,
    ) -> Result<(), Error> {
        let mut deadline = None;
        let place = match self.reserve(results, group, wait, || *deadline.insert(wait.begin())) {
            Ok(place) => place,
            Err(error) => return self.finish_submit(Err(error)),
        };
        let mut reserved = Reserved { accepted: 0, count: 1, give_back: |_| results.give_back(place) };
        let (job, detail) = job(place);
        let is_scoped = detail.as_ref().is_some_and(Detail::is_scoped);
        let pushed = if !is_scoped && self.submit_quickly(job, detail) {
            Ok(Pushed::Quietly)
        } else {
            // One time for both waits.
            self.push_slowly(job, detail, deadline.map_or(wait, Deadline::rest))
        };
        reserved.accepted = pushed.is_ok().into();
        drop(reserved);
        self.finish_submit(pushed)
    }

    /// As [`Pool::submit_batch`], where some tasks have a queue of results, by `results`. Each has its own place before it is accepted.
    pub fn submit_recorded_batch<'a, R: Copy + Send + 'static>(
        &self,
        count: usize,
        job: impl Fn(usize, Place) -> (J, Option<J::Detail>),
        results: impl Fn(usize) -> Option<&'a Results<R>>,
        wait: Wait,
        accepted: &mut usize,
    ) -> Result<(), Error> {
        let deadline = wait.begin();
        let places = [const { Cell::new(Place::NONE) }; STRETCH];
        while *accepted < count {
            let first = *accepted;
            let most = STRETCH.min(count - first);
            let mut stretch = 0;
            // Only the first waits for its place, with nothing reserved behind it; the others get what there is.
            while stretch < most {
                let place = match results(first + stretch) {
                    None => Ok(Place::NONE),
                    Some(results) if stretch == 0 => self.reserve(results, None, wait, || deadline),
                    Some(results) => results.reserve(),
                };
                match place {
                    Ok(place) => places[stretch].set(place),
                    Err(error) if stretch == 0 => return self.finish_submit(Err(error)),
                    Err(_) => break,
                }
                stretch += 1;
            }
            let rest = if matches!(wait, Wait::For(_)) { deadline.rest() } else { wait };
            let give_back = |index: usize| {
                if let Some(results) = results(first + index) {
                    results.give_back(places[index].get());
                }
            };
            let mut reserved = Reserved { accepted: 0, count: stretch, give_back };
            let job = |index: usize| job(first + index, places[index].get());
            let submitted = self.submit_batch(stretch, job, rest, &mut reserved.accepted);
            *accepted += reserved.accepted;
            drop(reserved);
            submitted?;
        }
        Ok(())
    }

    /// The same, one by one: for tasks that have a group or a deadline.
    pub fn submit_each<'a, R: Copy + Send + 'static>(
        &self,
        count: usize,
        job: impl Fn(usize, Place) -> (J, Option<J::Detail>),
        results: impl Fn(usize) -> Option<&'a Results<R>>,
        wait: Wait,
        accepted: &mut usize,
    ) -> Result<(), Error> {
        let deadline = wait.begin();
        while *accepted < count {
            let index = *accepted;
            let rest = if matches!(wait, Wait::For(_)) { deadline.rest() } else { wait };
            let (made, detail) = job(index, Place::NONE);
            match results(index) {
                None => self.submit(made, detail, rest)?,
                Some(results) => {
                    let group = detail.as_ref().and_then(Detail::group);
                    self.submit_recorded(results, group, |place| job(index, place), rest)?;
                }
            }
            *accepted += 1;
        }
        Ok(())
    }

    fn reserve<R: Copy + Send + 'static>(
        &self,
        results: &Results<R>,
        group: Option<&Group>,
        wait: Wait,
        begin: impl FnOnce() -> Deadline,
    ) -> Result<Place, Error> {
        match results.reserve() {
            Err(Error::ResultsFull) => {}
            result => return result,
        }
        let refusal = || match group {
            _ if self.queue.is_closed() => Err(Error::Closed),
            Some(group) => group.refuse_cancelled(),
            None => Ok(()),
        };
        refusal()?;
        match (wait, results.when_full()) {
            (Wait::Never, _) | (_, WhenFull::Refuse) => Err(Error::ResultsFull),
            // The tasks of a manual pool free no place here, and nobody sleeps in it.
            _ if self.config.is_manual() || self.is_inside() => Err(Error::Deadlock),
            _ => {
                let deadline = begin();
                self.elsewhere.stay_counted(results, || results.reserve_until(deadline, refusal))
            }
        }
    }
}
