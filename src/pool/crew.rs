//! The workers as a crew: who sleeps, who is woken, who is still there.
//!
//! Everything here happens under one lock, and only when a worker falls asleep, is woken or leaves, or somebody waits for the
//! crew: never on the way of a task through a busy pool. The module documentation of [`super`] has the protocol.

#![forbid(unsafe_code)]

use super::queue::{Duty, Queue};
use super::{Error, Job, parker::Parker};
use crate::faults;
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, Wake, this_thread};

/// One worker's record, on cache lines of its own.
#[repr(align(128))]
pub(super) struct Worker {
    parker: Parker,
    /// The worker's thread while it may be inside a callback, else 0. Exact for that thread itself.
    pub thread: AtomicU64,
    /// Tasks that ran to their end here, `end` included; written by this worker alone. Stale for others at most by the
    /// task that is ending.
    pub ran: AtomicU64,
    /// Of these, those with a status other than 0.
    pub failed: AtomicU64,
    /// A task that is counted in these has yet to leave its group.
    pub is_leaving: AtomicBool,
}

/// A thread that may be inside a callback on this worker's behalf, until dropped; also by a panic, for the number may come again.
pub(super) struct Inside<'a>(&'a AtomicU64);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Worker {
    pub fn enter(&self) -> Inside<'_> {
        self.thread.store(this_thread(), Ordering::Relaxed);
        Inside(&self.thread)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Workers are there, or were never joined.
    Manned,
    /// One shutdown joins the threads.
    Joining,
    /// All threads are gone, all tasks have ended.
    Over,
}

pub(super) struct State {
    /// The sleeping workers; the one that slept last is woken first, since its caches are the warmest. Room for all.
    asleep: Vec<u32>,
    /// Workers that were started, or are about to be, and have not left.
    pub live: u32,
    /// Callers of wait_idle.
    pub idle_waiters: u32,
    /// How often the pool was seen idle while somebody waited for it.
    pub idle_seen: u64,
    pub stage: Stage,
    /// A thread steps the pool (`manual`).
    pub is_stepped: bool,
    /// Threads that end queued tasks out of turn (`scope`).
    pub visitors: u32,
    /// Those who are counted in `callers`.
    pub callers: u32,
}

pub(super) struct Crew {
    state: Mutex<State>,
    /// Signalled when `live`, `idle_seen`, `stage`, the discarder or the visitors change; once closed, also when a caller is on its way back.
    pub changed: Condvar,
    pub workers: Box<[Worker]>,
    /// The thread that discards what is queued, else 0; set and unset under the lock. Exact for that thread itself.
    pub discarder: AtomicU64,
    /// A hint that somebody waits for the pool to be idle, so that workers don't linger.
    pub idle_wanted: AtomicBool,
}

impl Crew {
    /// The heap bytes of a crew.
    pub fn bytes(workers: u32) -> u64 {
        u64::from(workers) * (size_of::<Worker>() + size_of::<u32>()) as u64
    }

    pub fn new(workers: u32) -> Result<Self, Error> {
        let (mut records, mut asleep) = (Vec::new(), Vec::new());
        records.try_reserve_exact(workers as usize).map_err(|_| Error::Memory)?;
        asleep.try_reserve_exact(workers as usize).map_err(|_| Error::Memory)?;
        records.resize_with(workers as usize, || Worker {
            parker: Parker::new(),
            thread: AtomicU64::new(0),
            ran: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
        });
        Ok(Crew {
            state: Mutex::new(State {
                asleep,
                live: 0,
                idle_waiters: 0,
                idle_seen: 0,
                stage: Stage::Manned,
                is_stepped: false,
                visitors: 0,
                callers: 0,
            }),
            changed: Condvar::new(),
            workers: records.into(),
            discarder: AtomicU64::new(0),
            idle_wanted: AtomicBool::new(false),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.state.bury();
    }

    /// Whether this thread, a number of [`crate::sync::this_thread`], is a worker or the discarder.
    pub fn has_inside(&self, thread: u64) -> bool {
        let is_it = |place: &AtomicU64| place.load(Ordering::Relaxed) == thread;
        is_it(&self.discarder) || self.workers.iter().any(|worker| is_it(&worker.thread))
    }

    /// The worker that the calling thread is.
    pub fn worker_on(&self, thread: u64) -> Option<u32> {
        let is_it = |worker: &Worker| worker.thread.load(Ordering::Relaxed) == thread;
        self.workers.iter().position(is_it).map(|index| index as u32)
    }

    /// Puts a worker to sleep until it is woken, unless there is something to do: then it returns at once, with the duty that the
    /// worker had.
    pub fn sleep<J: Job>(
        &self,
        me: u32,
        queue: &Queue<J>,
        duty: Duty,
        is_quiet: impl Fn(&State) -> bool,
    ) -> Duty {
        let mut state = self.lock();
        if !queue.fall_asleep(duty) {
            return duty;
        }
        state.asleep.push(me);
        faults::point(faults::Stage::Sleep);
        if state.idle_waiters > 0 && is_quiet(&state) {
            state.idle_seen += 1;
            self.changed.notify_all();
        }
        drop(state);
        while !self.workers[me as usize].parker.park(None) {}
        Duty::Waking
    }

    /// Wakes the worker that slept last, which has the duty `Waking` from now on; the caller has it until then.
    #[cold]
    pub fn wake_one<J: Job>(&self, queue: &Queue<J>) {
        let mut state = self.lock();
        // If nobody sleeps any more, the queue has been closed meanwhile: everybody is awake, and no push comes.
        let woken = state.asleep.pop();
        if queue.pay_wake(state.asleep.is_empty()) {
            self.changed.notify_all();
        }
        // Behind that, so that the woken one does not find a sleeper to wake who is none; with the lock, for it may leave at once.
        let wake = woken.map_or_else(Wake::default, |worker| self.workers[worker as usize].parker.unpark());
        drop(state);
        // The pool may be gone (`callers`).
        wake.pay();
    }

    /// The queue is closed.
    pub fn wake_all<J: Job>(&self, queue: &Queue<J>) {
        let mut state = self.lock();
        // First, so that nobody who is woken finds others to wake: that is left to who owes it, and to nobody else (`callers`).
        queue.all_awake();
        while let Some(worker) = state.asleep.pop() {
            self.workers[worker as usize].parker.unpark().pay();
        }
        self.changed.notify_all();
    }

    /// A worker's last act, unless it is the last of a pool with a fault, which is never freed: then this is true.
    pub fn leave(&self, has_failed: impl FnOnce() -> bool) -> bool {
        let mut state = self.lock();
        state.live -= 1;
        self.changed.notify_all();
        state.live == 0 && has_failed()
    }
}
