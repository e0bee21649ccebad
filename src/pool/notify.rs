//! Telling those who must not wait that there is room: a descriptor, and waiters that are called.
//!
//! Unlike the submitters in `room` they want word of any room, be it a single place.
//!
//! # States
//!
//! **A waiter**, in its owner's memory: free → waiting (on the list, in the order of coming) → free, and being told. It is told
//! once, by a call of its notice, which a *teller* makes: some thread, which is on a list of its own meanwhile.
//!
//! **The bell**: a descriptor that is readable (rung) or not; made on demand.
//!
//! The queue's head word carries `WANTED` when the next take shall bring word (`queue`).
//!
//! # Transitions
//!
//! All under one lock, which is never held in a notice:
//!
//! - wait: free → waiting, unless the queue is closed; if there is room, the caller becomes a teller and tells this one first.
//! - ask: somebody finds no room, and sets `WANTED` in the same step.
//! - tell: a take found `WANTED`, or a place came back otherwise, or the queue was closed. While there is room (or the queue is closed)
//!   the teller rings the bell, and tells the first waiter, then the next. If there is none it asks.
//! - inside a notice nobody is told by the same thread, which looks again when the notice has returned. So notices don't nest. Until then the
//!   next take on another thread is asked.
//! - hand over: a teller that has told `TURN` waiters asks though there is room, and leaves the rest to the next take, if there is a
//!   task to take. So no worker is kept from its own task by waiters that come back again and again.
//! - forget: waiting → free, or the caller waits until the notice that is being called has returned.
//! - muffle: a submit was refused for want of room. Word is asked for, then the bell is lowered; or rung anew, if there is room again.
//!
//! # Invariants
//!
//! - V1: while a waiter is on the list, `WANTED` is set since a moment at which a task was queued (so its take, or an earlier one, is
//!   still to come), or some teller will look at the list again, or will come (a take has unset `WANTED`; a close is on its way).
//! - V2: while the bell is not rung, the same holds with "the queue was full".
//! - V3: once the queue is closed nobody begins to wait, and whoever waited is told by who closed it. The bell is rung, for good.
//! - V4: a waiter's memory is touched under the lock while it waits, and never after it was taken off the list. So it is its
//!   owner's again before its notice is called.
//! - V5: a shutdown succeeds only when nobody waits and nobody tells; so no notice is called afterwards (law L5). Who tells need not
//!   rouse it: a worker, a visitor and a caller do so when they leave, and the shutdown that closed the queue goes on to look for itself.
//! - V6: a teller's thread is on its list while it is in a notice, where law L6 looks for it.

#![allow(unsafe_code, reason = "waiters lie in their owners' memory (law L1)")]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;

use super::list::{Links, List, Node};
use super::queue::{Owes, Queue};
use super::wait::Deadline;
use super::{Error, Job, Pool, Wait};
use crate::faults;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, this_thread};
use crate::sys::eventfd::{EventFd, Refusal};

/// How many waiters one take tells, if there will be another take.
const TURN: u32 = if crate::sync::IS_MODEL { 1 } else { 16 };

/// What a waiter is told by. It is called once, on any thread, after the waiter's memory was given back.
#[derive(Clone, Copy)]
pub struct Notice {
    pub call: unsafe fn(function: *const (), arg: *mut ()),
    pub function: *const (),
    pub arg: *mut (),
}

/// The pool's part of a waiter, in its owner's memory; all zeros is a free one.
#[repr(C)]
pub struct Waiter {
    /// The list that it is on, or NULL.
    owner: AtomicPtr<()>,
    links: Links<Waiter>,
    /// Set while it waits.
    notice: Cell<MaybeUninit<Notice>>,
}

impl Node for Waiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waiter {
    pub fn new() -> Self {
        Waiter {
            owner: AtomicPtr::new(ptr::null_mut()),
            links: Links::new(),
            notice: Cell::new(MaybeUninit::uninit()),
        }
    }
}

impl Default for Waiter {
    fn default() -> Self {
        Waiter::new()
    }
}

/// A thread that tells, on its own stack.
struct Teller {
    links: Links<Teller>,
    thread: u64,
    /// Whom it is telling, or NULL; only compared, since that memory is not the pool's any more.
    waiter: Cell<*const Waiter>,
}

impl Node for Teller {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

struct Bell {
    fd: EventFd,
    is_rung: bool,
}

struct State {
    waiters: List<Waiter>,
    tellers: List<Teller>,
    bell: Option<Bell>,
    /// Callers that wait for a notice to return.
    forgetters: u32,
}

pub(super) struct Notify {
    state: Mutex<State>,
    /// Signalled when a notice has returned and somebody waits for that.
    told: Condvar,
    /// Whether there is a bell; never unset. Who does not see it yet leaves a new bell rung that nobody has waited for.
    has_bell: AtomicBool,
    /// Tellers; written under the lock. Exact for a thread that is one.
    telling: AtomicU64,
}

/// A teller that is linked; unlinked when dropped, also by a panic.
struct Linked<'a> {
    notify: &'a Notify,
    teller: &'a Teller,
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        let mut state = self.notify.state.lock();
        // SAFETY: linked by who made this.
        unsafe { state.tellers.unlink(self.teller) };
        if state.forgetters > 0 {
            self.notify.told.notify_all();
        }
        self.notify.telling.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    fn is_telling(&self, thread: u64) -> bool {
        self.tellers.iter().any(|teller| teller.thread == thread)
    }

    /// Takes a waiter off the list, and returns what it is told by.
    fn take(&mut self, waiter: *const Waiter) -> Notice {
        // SAFETY: it waits, so it is there and linked (V4).
        let waiter = unsafe { &*waiter };
        // SAFETY: as above.
        unsafe { self.waiters.unlink(waiter) };
        // SAFETY: set when it began to wait.
        let notice = unsafe { waiter.notice.get().assume_init() };
        // From here on it is its owner's.
        waiter.owner.store(ptr::null_mut(), Ordering::Release);
        notice
    }

    fn ring(&mut self) {
        if let Some(bell) = self.bell.as_mut().filter(|bell| !bell.is_rung) {
            bell.is_rung = true;
            bell.fd.raise();
        }
    }

    fn has_lowered_bell(&self) -> bool {
        self.bell.as_ref().is_some_and(|bell| !bell.is_rung)
    }
}

impl Notify {
    pub fn new() -> Self {
        let (waiters, tellers) = (List::new(), List::new());
        Notify {
            state: Mutex::new(State { waiters, tellers, bell: None, forgetters: 0 }),
            told: Condvar::new(),
            has_bell: AtomicBool::new(false),
            telling: AtomicU64::new(0),
        }
    }

    #[cfg(any(wp_loom, wp_shuttle))]
    pub fn bury(&self) {
        self.state.bury();
    }

    fn name(&self) -> *mut () {
        (&raw const *self).cast_mut().cast()
    }

    /// Whether the calling thread is inside a notice (law L6).
    pub fn has_inside(&self, thread: u64) -> bool {
        self.telling.load(Ordering::Relaxed) != 0 && self.state.lock().is_telling(thread)
    }

    /// Whether nobody waits and nobody tells.
    pub fn is_quiet(&self) -> bool {
        let state = self.state.lock();
        state.waiters.is_empty() && state.tellers.is_empty()
    }

    /// # Safety
    /// The waiter is free or waits here, and stays where it is until it was told or forgotten.
    unsafe fn wait<J: Job>(
        &self,
        queue: &Queue<J>,
        waiter: *const Waiter,
        notice: Notice,
    ) -> Result<(), Error> {
        let mut state = self.state.lock();
        // SAFETY: the caller's promise.
        let theirs = unsafe { &*waiter };
        if !theirs.owner.load(Ordering::Acquire).is_null() {
            return Err(Error::Invalid);
        }
        if queue.is_closed() {
            return Err(Error::Closed);
        }
        theirs.notice.set(MaybeUninit::new(notice));
        theirs.owner.store(self.name(), Ordering::Relaxed);
        // SAFETY: free until now, and the caller's promise.
        unsafe { state.waiters.link(waiter) };
        if state.is_telling(this_thread()) {
            queue.ask_for_word();
        } else if queue.has_room() || queue.ask_for_word().has_room {
            self.tell_from(state, queue, Some(waiter));
        }
        Ok(())
    }

    /// There may be room.
    fn tell<J: Job>(&self, queue: &Queue<J>) {
        let mut state = self.state.lock();
        if state.has_lowered_bell() && (queue.has_room() || queue.ask_for_word().has_room) {
            state.ring();
        }
        if state.waiters.is_empty() {
            return;
        }
        if state.is_telling(this_thread()) {
            queue.ask_for_word();
        } else {
            self.tell_from(state, queue, None);
        }
    }

    /// Tells `first`, for whom there is room, if there is such a one, then those that wait, while there is room.
    fn tell_from<'a, J: Job>(
        &'a self,
        mut locked: MutexGuard<'a, State>,
        queue: &Queue<J>,
        first: Option<*const Waiter>,
    ) {
        let teller = Teller { links: Links::new(), thread: this_thread(), waiter: Cell::new(ptr::null()) };
        // SAFETY: on this stack, and unlinked before it leaves it.
        unsafe { locked.tellers.link(&teller) };
        self.telling.fetch_add(1, Ordering::Relaxed);
        let _linked = Linked { notify: self, teller: &teller };
        let mut state = locked; // let go before that
        let mut next = first;
        let mut told = 0;
        while let Some(waiter) = next.take().or_else(|| self.next(&state, queue, told)) {
            let notice = state.take(waiter);
            teller.waiter.set(waiter);
            drop(state);
            // SAFETY: who began to wait gave this to be called so, once.
            unsafe { (notice.call)(notice.function, notice.arg) };
            faults::way_back();
            state = self.state.lock();
            teller.waiter.set(ptr::null());
            if state.forgetters > 0 {
                self.told.notify_all();
            }
            told += 1;
        }
    }

    /// The waiter whose turn it is, if there is room for it; else the next take has been asked for word (V1).
    fn next<J: Job>(&self, state: &State, queue: &Queue<J>, told: u32) -> Option<*const Waiter> {
        let first: *const Waiter = state.waiters.first()?;
        let is_handed_over = told >= TURN && !queue.is_closed() && queue.ask_for_word().has_task;
        (!is_handed_over && (queue.has_room() || queue.ask_for_word().has_room)).then_some(first)
    }

    /// # Safety
    /// The waiter's memory is its owner's.
    unsafe fn forget(&self, waiter: *const Waiter, deadline: Deadline, is_inside: bool) -> Result<(), Error> {
        let me = this_thread();
        let mut state = self.state.lock();
        loop {
            let left = deadline.left();
            let is_theirs = |teller: &Teller| ptr::eq(teller.waiter.get(), waiter) && teller.thread != me;
            if !state.tellers.iter().any(is_theirs) {
                // SAFETY: the caller's promise.
                let owner = unsafe { &(*waiter).owner };
                if !ptr::eq(owner.load(Ordering::Acquire), self.name()) {
                    return Err(Error::TooLate);
                }
                state.take(waiter);
                return Ok(());
            }
            if is_inside {
                return Err(Error::Deadlock);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::TimedOut);
            }
            state.forgetters += 1;
            state = self.told.wait(state, left);
            state.forgetters -= 1;
        }
    }

    /// A submit was refused, perhaps for want of room.
    pub fn muffle<J: Job>(&self, queue: &Queue<J>) {
        if !self.has_bell.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.lock();
        let Some(bell) = state.bell.as_mut().filter(|bell| bell.is_rung) else { return };
        if queue.has_room() || queue.ask_for_word().has_room {
            // Once more, for those who wait for edges: they were refused since they were woken.
            bell.fd.raise();
        } else {
            bell.is_rung = false;
            bell.fd.lower();
        }
    }

    fn fd<J: Job>(&self, queue: &Queue<J>) -> Result<i32, Error> {
        let mut state = self.state.lock();
        if state.bell.is_none() {
            let fd = EventFd::new().map_err(|refusal| match refusal {
                Refusal::Exhausted => Error::Memory,
                Refusal::Unknown => Error::Unsupported,
            })?;
            state.bell = Some(Bell { fd, is_rung: false });
            self.has_bell.store(true, Ordering::Release);
            if queue.has_room() || queue.ask_for_word().has_room {
                state.ring();
            }
        }
        Ok(state.bell.as_ref().map_or(-1, |bell| bell.fd.number()))
    }
}

impl<J: Job> Pool<J> {
    /// A descriptor that is readable unless a submit has found no room, or would find none, since. It lives until [`Pool::close_room_fd`].
    pub fn room_fd(&self) -> Result<i32, Error> {
        self.refuse_failed()?;
        self.notify.fd(&self.queue)
    }

    /// Nobody waits for it any more.
    pub fn close_room_fd(&self) {
        self.notify.state.lock().bell = None;
    }

    /// Has `notice` called once when there is room, or when the pool closes; at once if there is room now. On error it is not called.
    ///
    /// # Safety
    /// The waiter is free, or waits for this pool, and stays where it is until its notice was called or it was forgotten. The
    /// notice may be called on any thread.
    pub unsafe fn when_room(&self, waiter: *const Waiter, notice: Notice) -> Result<(), Error> {
        self.refuse_failed()?;
        let _caller = self.count_caller();
        // SAFETY: the caller's promise.
        unsafe { self.notify.wait(&self.queue, waiter, notice) }
    }

    /// Takes a waiter back that waits (`Ok`), or waits until its notice, which is being called, has returned (`TooLate`: it is
    /// not on the list). After either, no call of its notice that began before is under way, except the caller's own.
    ///
    /// # Safety
    /// The waiter's memory is its owner's.
    pub unsafe fn forget_room(&self, waiter: *const Waiter, wait: Wait) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { self.notify.forget(waiter, wait.begin(), self.is_inside()) }
    }

    /// Pays what a take owes to those who wait for room. Called between the take and the task, so that the task counts as running.
    #[cold]
    #[inline(never)]
    pub(super) fn pay(&self, owes: Owes) {
        if owes.release() {
            self.room.release_one();
        }
        if owes.word() {
            if let Some(pushed) = self.room.let_in(&self.queue, |job, detail| self.push(job, detail)) {
                let _ = self.finish_submit(Ok(pushed));
            }
            self.tell_room();
        }
    }

    /// There may be room, or the queue was closed.
    pub(super) fn tell_room(&self) {
        self.notify.tell(&self.queue);
    }
}
