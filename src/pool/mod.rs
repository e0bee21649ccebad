//! The core: a bounded pool of workers. It knows nothing of C.
//!
//! # States
//!
//! **A task**: the submitter's → queued → taken → ended. *Accepted* is the instant of the push's compare-and-swap in
//! [`queue`]; *taken* that of the take's; *ended* is counted after `end` has returned, by the worker that ran it or the thread that
//! discarded it.
//!
//! **A worker**: *busy* (has a task), *looking* (awake without a task), *asleep* (on the crew's list, parked), *gone*. The flags
//! beside the queue's tail tell pushes whom they can count on: `LOOKING`, one that looks; `WAKING`, one that is being woken; else,
//! with `ASLEEP`, the push has to wake one.
//!
//! **The pool**: open → closed (one bit, set by one atomic step) → joining → over. A fault of the library: failed, beside any.
//!
//! **A submitter**: see `room`, and `place` for one whose task needs a place in a queue of results, which is [`results`]; `notify` for
//! one that does not wait, but is told when there is room.
//!
//! # Transitions of a worker
//!
//! - busy → looking: its task has ended and the queue is empty. Unless another looks already it sets `LOOKING`, and looks a little
//!   while only: about what a wake-up costs.
//! - looking → busy: it takes a task. The push that it looked for has unset `LOOKING` in its own step; if the task is of a lane, the
//!   worker does, in the step that takes it. If it was woken it wakes the next, if there is more work and somebody sleeps, or unsets
//!   `WAKING`: so wake-ups come one after the other, each only when there is work for it.
//! - looking → asleep: under the crew's lock, in one step that succeeds only while the queue is empty and open, it sets `ASLEEP` and
//!   unsets what it had set; then it goes on the list.
//! - asleep → looking: a push that finds `ASLEEP` alone sets `WAKING` and wakes the one that slept last; a close wakes all.
//! - looking → gone: the queue is closed and empty, or halted by a shutdown that cancels.
//!
//! # Invariants
//!
//! - P1 (no lost wake-up): each queued task has been pushed when nobody slept, or to one that looked, or to one that was being
//!   woken, or has woken one itself. Who looks or is woken takes a task, or finds none queued, before it sleeps again; and one
//!   that was woken wakes the next. So no task is left queued while a worker sleeps.
//! - P2 (law L4): a push succeeds iff it is before `CLOSED` in the order of the tail's changes. No worker leaves before it saw
//!   the queue empty with `CLOSED` set, or `HALTED`, after which the discarder sees that instead; so everything before the line is taken.
//! - P3 (law L5): a shutdown succeeds only after every worker has left and no thread discards; a worker leaves, and a discarder
//!   stops, only between tasks. So nothing runs afterwards. Nor does a submit touch the pool that is still on its way back (`callers`).
//! - P4 (law L2): in every snapshot `accepted = ended + queued + running` (`stats`).
//! - P5 (law L6): the threads that can be inside a callback are the workers, the discarder and those that tell of room, and each has
//!   its number written where `Pool::is_inside` looks before it enters one.
//! - No callback is called under a lock.

// `forbid` would reach into the three files below that say why they need it; every other file forbids for itself.
#![deny(unsafe_code)]

mod callers;
pub mod config;
mod crew;
mod elsewhere;
mod error;
pub mod group;
mod inside;
mod job;
mod lanes;
mod line;
mod list;
mod lost;
mod manual;
pub mod notify;
mod parker;
mod place;
pub mod queue;
pub mod results;
pub mod room;
mod scope;
mod shutdown;
mod stats;
mod timer;
mod wait;
mod worker;

pub use config::Config;
pub use error::Error;
pub use group::Group;
pub use job::{Detail, Fate, Job, NO_DEADLINE, NO_WORKER, Outcome, ThreadHooks};
pub use shutdown::Mode;
pub use stats::{Report, Snapshot};
pub use wait::Wait;

use crate::faults::{self, Stage};
use crate::sync::{self, AtomicBool, AtomicU64, Ordering};
use crate::sys::clock;

/// How often a worker that finds nothing looks again before it sleeps, and only where another thread can run meanwhile. Long
/// enough for who submits the next task as soon as it has the answer to the last; a longer look gained nothing and made the next
/// wake-up slower (docs/design.md has the figures).
const SPINS: u32 = if sync::IS_MODEL { 1 } else { 16 };

pub struct Pool<J: Job> {
    queue: queue::Queue<J>,
    crew: crew::Crew,
    room: room::Room<J>,
    notify: notify::Notify,
    elsewhere: elsewhere::Elsewhere,
    timer: timer::Timer,
    /// Tasks that met these fates.
    cancelled: AtomicU64,
    expired: AtomicU64,
    discarded: AtomicU64,
    /// Submits refused for want of room.
    refused: AtomicU64,
    failed: AtomicBool,
    /// Of a manual pool.
    clock: Option<clock::Manual>,
    config: Config,
    spins: u32,
}

impl<J: Job> Pool<J> {
    /// The heap bytes behind a pool, besides the struct itself.
    pub fn footprint(config: &Config) -> u64 {
        queue::Queue::<J>::bytes(config.capacity()) + crew::Crew::bytes(config.workers())
    }

    /// A pool whose workers are yet to come: each is announced by [`Pool::expect_worker`] and then runs [`Pool::work`].
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Pool {
            queue: queue::Queue::new(config.capacity())?,
            crew: crew::Crew::new(config.workers())?,
            room: room::Room::new(),
            notify: notify::Notify::new(),
            elsewhere: elsewhere::Elsewhere::new(),
            timer: timer::Timer::new(config.has_timer()),
            cancelled: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            clock: config.is_manual().then(clock::Manual::default),
            config: *config,
            spins: if sync::IS_MODEL || crate::sys::cpus::usable() > 1 { SPINS } else { 0 },
        })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The pool's own clock, which deadlines are on.
    pub fn now_ns(&self) -> u64 {
        self.clock.as_ref().map_or_else(clock::now_ns, clock::Manual::now_ns)
    }

    fn id(&self) -> *const () {
        (&raw const *self).cast()
    }

    pub fn expect_worker(&self) {
        self.crew.lock().live += 1;
    }

    /// The announced worker does not come.
    pub fn unexpect_worker(&self) {
        self.leave_crew();
    }

    /// Accepts a task, or refuses it and has touched nothing (law L3). `detail` is given exactly when the job is detailed.
    pub fn submit(&self, job: J, detail: Option<J::Detail>, wait: Wait) -> Result<(), Error> {
        let is_scoped = detail.as_ref().is_some_and(Detail::is_scoped);
        if !is_scoped && self.submit_quickly(job, detail) {
            return Ok(());
        }
        self.submit_slowly(job, detail, wait)
    }

    /// The same where there is room and nobody has to be woken; else false, and nothing has happened. It can't panic. Not for tasks
    /// with a group or a deadline.
    #[inline(always)]
    pub fn submit_quickly(&self, job: J, detail: Option<J::Detail>) -> bool {
        self.queue.push_quickly(job, detail)
    }

    /// The same in every other case.
    #[cold]
    pub fn submit_slowly(&self, job: J, detail: Option<J::Detail>, wait: Wait) -> Result<(), Error> {
        let pushed = self.push_slowly(job, detail, wait);
        self.finish_submit(pushed)
    }

    /// Up to the acceptance.
    fn push_slowly(&self, job: J, detail: Option<J::Detail>, wait: Wait) -> Result<queue::Pushed, Error> {
        faults::point(Stage::Submit);
        match self.push(job, detail) {
            Err(Error::Full) => self.push_to_full(job, detail, wait, || wait.begin()),
            pushed => pushed,
        }
    }

    /// Accepts `count` tasks in order, or as many of them as it can before one is refused, and why. `accepted` tells at any
    /// time how many. Not for tasks with a group or a deadline.
    pub fn submit_batch(
        &self,
        count: usize,
        job: impl Fn(usize) -> (J, Option<J::Detail>),
        wait: Wait,
        accepted: &mut usize,
    ) -> Result<(), Error> {
        // One time for all of them; it begins when there is need to wait.
        let mut deadline = None;
        while *accepted < count {
            faults::point(Stage::Submit);
            let pushed = match self.queue.push_batch(count - *accepted, |index| job(*accepted + index)) {
                Err(Error::Full) => {
                    let (job, detail) = job(*accepted);
                    let begin = || *deadline.get_or_insert_with(|| wait.begin());
                    self.push_to_full(job, detail, wait, begin).map(|pushed| (1, pushed))
                }
                pushed => pushed,
            };
            let (more, pushed) = match pushed {
                Ok((more, pushed)) => (more, Ok(pushed)),
                Err(error) => (0, Err(error)),
            };
            *accepted += more;
            self.finish_submit(pushed)?;
        }
        Ok(())
    }

    fn push_to_full(
        &self,
        job: J,
        detail: Option<J::Detail>,
        wait: Wait,
        begin: impl FnOnce() -> wait::Deadline,
    ) -> Result<queue::Pushed, Error> {
        match wait {
            Wait::Never => Err(Error::Full),
            _ if self.is_inside() => Err(Error::Deadlock),
            _ if self.config.is_manual() => self.push_stepping(job, detail),
            _ => {
                let group = detail.as_ref().and_then(Detail::group);
                let is_refused = || group.is_some_and(|group| group.refuse_cancelled().is_err());
                let push = |job, detail| self.push(job, detail);
                let _caller = self.count_caller();
                self.room.push(&self.queue, job, detail, push, is_refused, begin())
            }
        }
    }

    fn finish_submit(&self, pushed: Result<queue::Pushed, Error>) -> Result<(), Error> {
        match pushed {
            Ok(queue::Pushed::Quietly) => Ok(()),
            Ok(queue::Pushed::OwingWake) => {
                faults::way_back();
                self.crew.wake_one(&self.queue);
                Ok(())
            }
            // A pool with a fault closes its queue.
            Err(Error::Closed) => Err(if self.has_failed() { Error::Panicked } else { Error::Closed }),
            // No want of room.
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.notify.muffle(&self.queue);
                Err(error)
            }
        }
    }
}
