//! A bounded queue of results: tasks put records in, readers take them out, and a place is reserved before the task is accepted.
//!
//! # States
//!
//! **A place**: free → reserved (an accepted task, or one that is being submitted, will put its record there) → filled → free.
//! There are as many as the capacity. They stand in a `line`, which tells what may be read, and in which order: that of the ends, or
//! that of the reservations. A record is *readable* when nothing has to be read before it.
//!
//! **The queue**: open → closed (nothing more is reserved) → finished: closed, and no place is reserved or filled.
//!
//! **The memory** is counted: each handle of the owner and each reserved place is a reference. Who gives the last one back frees it.
//!
//! **The bell**: a descriptor that is readable (rung) or not; made on demand.
//!
//! # Transitions
//!
//! All under one lock, whose holder does nothing that waits:
//!
//! - reserve: free → reserved. Closed: refused. No free place: refused, or, if its maker wanted it so, the submitter sleeps on
//!   `freed` until a place is free, the queue is closed, or its pool refuses it.
//! - give back: reserved → free, when the submit was refused after all.
//! - put: reserved → filled. In the order of reservations one put (or one give back) may make many records readable, or none. It can't fail and never waits: so no worker, shutdown or cancel ever waits for a reader.
//! - take: filled → free, the first of the line. A reader that finds nothing readable sleeps on `ready`, or learns that all is finished.
//! - close: open → closed; wakes everybody.
//!
//! The sleepers are woken after the lock was let go, so that they don't run into it.
//!
//! # Invariants
//!
//! - E1: free + reserved + filled = capacity; the line has memory for all of them, so a put allocates nothing.
//! - E2: while a record is readable, no reader sleeps without a wake-up on its way; and none sleeps once all is finished.
//! - E3: while a place is free, no submitter sleeps without a wake-up on its way, and none sleeps once the queue is closed. A
//!   submitter that was woken and leaves without the place passes the wake-up on.
//! - E4: `Sleepers::woken` is never more than the sleepers that will wake without another's help. (Which of them a condition
//!   variable wakes is not known, so each that wakes, for whatever reason, counts as one of these.)
//! - E5: the bell is rung iff a record is readable or all is finished. It is only touched when that changes, under the lock.
//! - E6: who puts a record holds a reference until it has paid its wake-up; so nothing is touched after it was freed.

#![forbid(unsafe_code)]

use super::line::Line;
pub use super::line::{Order, Place};
use super::wait::Deadline;
use super::{Error, Wait};
use crate::faults::{self, Stage};
use crate::sync::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering};
use crate::sys::clock;
use crate::sys::eventfd::{EventFd, Refusal};

/// What a submit does that finds no free place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    Refuse,
    /// Waits as long as it would for room in the pool's queue.
    Wait,
}

pub struct Results<R> {
    state: Mutex<State<R>>,
    /// Readers sleep here.
    ready: Condvar,
    /// Submitters sleep here.
    freed: Condvar,
    references: AtomicU64,
    when_full: WhenFull,
}

struct State<R> {
    line: Line<R>,
    is_closed: bool,
    /// A panic has passed through here: nothing about the rest is sure.
    is_failed: bool,
    readers: Sleepers,
    submitters: Sleepers,
    bell: Option<Bell>,
}

/// How many threads sleep on a condition variable, and how many of them have been woken but have not come back yet. So who brings
/// a hundred records before the reader is awake asks the kernel once.
#[derive(Default)]
struct Sleepers {
    asleep: usize,
    woken: usize,
}

impl Sleepers {
    /// Up to `count` more are to be woken: how many there are to wake.
    fn wake(&mut self, count: usize) -> usize {
        let more = count.min(self.asleep - self.woken);
        self.woken += more;
        more
    }

    fn come_back(&mut self) {
        self.asleep -= 1;
        self.woken = self.woken.saturating_sub(1);
    }
}

struct Bell {
    fd: EventFd,
    is_rung: bool,
}

impl<R: Copy> State<R> {
    fn is_finished(&self) -> bool {
        self.is_closed && self.line.is_empty()
    }

    /// Invariant E5, after any change.
    fn settle_bell(&mut self) {
        let shall_ring = self.line.readable() > 0 || self.is_finished();
        if let Some(bell) = self.bell.as_mut().filter(|bell| bell.is_rung != shall_ring) {
            bell.is_rung = shall_ring;
            if shall_ring { bell.fd.raise() } else { bell.fd.lower() }
        }
    }
}

/// Who is to be woken once the lock is let go.
struct Wakes {
    readers: usize,
    submitters: usize,
}

impl<R: Copy + Send> Results<R> {
    /// The heap bytes behind a queue of results, besides the struct itself.
    pub fn bytes(capacity: u32) -> u64 {
        Line::<R>::bytes(capacity)
    }

    /// With one reference, its maker's.
    pub fn new(capacity: u32, when_full: WhenFull, order: Order) -> Result<Self, Error> {
        Ok(Results {
            state: Mutex::new(State {
                line: Line::new(capacity, order)?,
                is_closed: false,
                is_failed: false,
                readers: Sleepers::default(),
                submitters: Sleepers::default(),
                bell: None,
            }),
            ready: Condvar::new(),
            freed: Condvar::new(),
            references: AtomicU64::new(1),
            when_full,
        })
    }

    pub fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// One reference more, for who has one.
    pub fn retain(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a reference back. True: it was the last, and the caller frees the memory.
    #[must_use]
    pub fn release(&self) -> bool {
        self.references.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Reserves a place, which is a reference too, or says at once why not: `Closed`, `ResultsFull`.
    pub fn reserve(&self) -> Result<Place, Error> {
        let now = clock::now_ns();
        self.try_reserve(&mut self.state.lock(), now)
    }

    fn try_reserve(&self, state: &mut State<R>, now: u64) -> Result<Place, Error> {
        faults::point(Stage::Reserve);
        if state.is_failed {
            return Err(Error::Panicked);
        }
        if state.is_closed {
            return Err(Error::Closed);
        }
        if state.line.is_full() {
            return Err(Error::ResultsFull);
        }
        self.retain();
        Ok(state.line.reserve(now))
    }

    /// The same, but waits for a free place: until the deadline (`TimedOut`), or until the submitter's pool refuses it, which
    /// then calls [`Results::rouse`].
    pub(super) fn reserve_until(
        &self,
        deadline: Deadline,
        refusal: impl Fn() -> Result<(), Error>,
    ) -> Result<Place, Error> {
        let mut state = self.state.lock();
        let result = loop {
            // Asked before the last try: a place that came free before the deadline is never missed.
            let left = deadline.left();
            if let Err(refused) = refusal() {
                break Err(refused);
            }
            match self.try_reserve(&mut state, clock::now_ns()) {
                Err(Error::ResultsFull) if left.is_some_and(|left| left.is_zero()) => {
                    break Err(Error::TimedOut);
                }
                Err(Error::ResultsFull) => {}
                result => break result,
            }
            state.submitters.asleep += 1;
            state = self.freed.wait(state, left);
            state.submitters.come_back();
        };
        if result.is_err() && !state.line.is_full() {
            // The wake-up may have been meant for a place that this submitter leaves free (E3).
            let submitters = state.submitters.wake(1);
            self.unlock(state, Wakes { readers: 0, submitters });
        }
        result
    }

    /// Makes every submitter that waits look again whether its pool refuses it.
    pub(super) fn rouse(&self) {
        let mut state = self.state.lock();
        state.submitters.woken = state.submitters.asleep;
        drop(state);
        self.freed.notify_all();
    }

    /// The task that a place was reserved for was refused. Its submitter has a reference of its own, so this is never the last.
    pub fn give_back(&self, place: Place) {
        let mut state = self.state.lock();
        let readable = state.line.give_back(place);
        state.settle_bell();
        let submitters = state.submitters.wake(1);
        let woken = if state.is_finished() { usize::MAX } else { readable };
        let readers = state.readers.wake(woken);
        self.unlock(state, Wakes { readers, submitters });
        let _ = self.release();
    }

    /// Fills a reserved place with a record, made of the time since when it was reserved. Its reference stays with the caller, who then
    /// gives it back.
    pub fn put(&self, place: Place, record: impl FnOnce(u64) -> R) {
        let mut state = self.state.lock();
        faults::point(Stage::Put);
        if state.is_failed {
            return;
        }
        let readable = state.line.put(place, record);
        state.settle_bell();
        let readers = state.readers.wake(readable);
        self.unlock(state, Wakes { readers, submitters: 0 });
    }

    /// Hands the next records, up to `most` and at least one, to `each`, and says how many. It waits for the first only: `TimedOut`,
    /// or `Closed` when there will be none.
    pub fn take(&self, wait: Wait, most: usize, each: impl FnMut(R)) -> Result<usize, Error> {
        let mut deadline = None;
        let mut state = self.state.lock();
        loop {
            faults::point(Stage::Read);
            if state.is_failed {
                return Err(Error::Panicked);
            }
            if state.line.readable() > 0 {
                break;
            }
            if state.is_finished() {
                return Err(Error::Closed);
            }
            let left = match wait {
                Wait::Never => return Err(Error::TimedOut),
                _ => deadline.get_or_insert_with(|| wait.begin()).left(),
            };
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::TimedOut);
            }
            state.readers.asleep += 1;
            state = self.ready.wait(state, left);
            state.readers.come_back();
        }
        let count = most.min(state.line.readable());
        (0..count).filter_map(|_| state.line.take()).for_each(each);
        state.settle_bell();
        let submitters = state.submitters.wake(count);
        let readers = if state.is_finished() { state.readers.wake(usize::MAX) } else { 0 };
        self.unlock(state, Wakes { readers, submitters });
        Ok(count)
    }

    pub fn has_failed(&self) -> bool {
        self.state.lock().is_failed
    }

    /// Refuses every reservation from now on; what was reserved still comes.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.settle_bell();
        let submitters = state.submitters.wake(usize::MAX);
        let readers = if state.is_finished() { state.readers.wake(usize::MAX) } else { 0 };
        self.unlock(state, Wakes { readers, submitters });
    }

    /// The library has found a fault of its own in here: everybody is woken, and told so from now on.
    pub fn fail(&self) {
        let mut state = self.state.lock();
        state.is_failed = true;
        if let Some(bell) = &state.bell {
            bell.fd.raise();
        }
        drop(state);
        self.ready.notify_all();
        self.freed.notify_all();
    }

    fn unlock(&self, state: MutexGuard<'_, State<R>>, wakes: Wakes) {
        drop(state);
        (0..wakes.readers).for_each(|_| self.ready.notify_one());
        (0..wakes.submitters).for_each(|_| self.freed.notify_one());
    }

    /// The descriptor's number; it is made by the first call and lives as long as this queue.
    pub fn fd(&self) -> Result<i32, Error> {
        let mut state = self.state.lock();
        if state.is_failed {
            return Err(Error::Panicked);
        }
        if state.bell.is_none() {
            let fd = EventFd::new().map_err(|refusal| match refusal {
                Refusal::Exhausted => Error::Memory,
                Refusal::Unknown => Error::Unsupported,
            })?;
            state.bell = Some(Bell { fd, is_rung: false });
            state.settle_bell();
        }
        Ok(state.bell.as_ref().map_or(-1, |bell| bell.fd.number()))
    }
}
