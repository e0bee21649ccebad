//! Lanes: where the tasks of limited groups wait, those of which only so many may run at once.
//!
//! A task whose group has a limit, or stands below one that has, never enters the ring: it waits in the lane of the nearest limited
//! group, in the order in which it was submitted, and a worker takes it when it may run. So such a task occupies no worker and
//! stands in nobody's way, and the lanes are served in turn, one task each.
//!
//! # States
//!
//! All under one lock. A limited group counts how many of its tasks *run* and how many lanes below it (itself included) are
//! *candidates*: on the list of lanes that are ready. A lane with tasks is *ready*, or *blocked* at a limited group: its own or one above.
//!
//! # Transitions
//!
//! - place (a lane that got a task, or whose turn has passed): ready, behind all others, if no limited group of its line is full; else
//!   blocked at the outermost that is, so that lanes take turns there, whoever else is full below.
//! - take: the first ready lane gives its first task, which runs from here on; the lane is placed anew, if it has more.
//! - end: one fewer runs, in each limited group of the line.
//! - remove: a task leaves its lane without having run; a lane without tasks leaves its list.
//! - settle (a group that has become less full): the lanes that are blocked at it are placed anew, the one that waits longest first, until
//!   it is full.
//!
//! # Invariants
//!
//! - N1: run + candidates <= limit, for every limited group. So a ready lane's task may always run.
//! - N2: a lane with tasks is on exactly one list; a lane that is blocked at a group: that one is full, by N1's sum. So whenever a task
//!   may run its lane is ready, or one that goes first is.
//! - N3: the groups on the lists have tasks, so they are there, and so are the groups above them (`group`, G3).

#![allow(unsafe_code, reason = "the lists name groups, which are there as long as they have tasks")]

use std::cell::Cell;
use std::ptr;

use super::group::Group;
use super::job::Detail;
use super::{Error, Job};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};

const NONE: u32 = u32::MAX;

/// A group's part in this. Written and read under the lanes' lock, but for the limit, which stays.
pub struct Lane {
    limit: Option<u32>,
    first: Cell<u32>,
    last: Cell<u32>,
    running: Cell<u32>,
    candidates: Cell<u32>,
    list: Cell<Where>,
    before: Cell<*const Group>,
    behind: Cell<*const Group>,
    /// The lanes that are blocked here.
    blocked: List,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Nowhere,
    Ready,
    Blocked(*const Group),
}

/// Lanes, the one that came first at its head.
struct List {
    first: Cell<*const Group>,
    last: Cell<*const Group>,
}

pub struct Lanes<J: Job> {
    state: Mutex<State<J>>,
    /// Tasks in lanes. Written under the lock; exact there.
    places: AtomicU64,
    /// A hint that a lane is ready.
    ready: AtomicBool,
    turn: AtomicU32,
    /// Since the beginning; written under the lock.
    accepted: AtomicU64,
    taken: AtomicU64,
}

pub struct State<J: Job> {
    /// Those that were ever used; there is memory for as many as the capacity, which nobody touches before.
    blocks: Vec<Block<J>>,
    /// The free blocks, by `behind`.
    free: u32,
    ready: List,
}

/// A task in a lane, between its neighbours there.
struct Block<J: Job> {
    task: Option<(J, J::Detail)>,
    before: u32,
    behind: u32,
}

// SAFETY: the lists are used under the lock only, and what is on them is there (N3).
unsafe impl<J: Job> Send for State<J> {}

impl Lane {
    pub fn new(limit: Option<u32>) -> Self {
        Lane {
            limit,
            first: Cell::new(NONE),
            last: Cell::new(NONE),
            running: Cell::new(0),
            candidates: Cell::new(0),
            list: Cell::new(Where::Nowhere),
            before: Cell::new(ptr::null()),
            behind: Cell::new(ptr::null()),
            blocked: List::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.running.get() + self.candidates.get() >= limit)
    }
}

impl Group {
    /// The group in whose lane the tasks of this one wait.
    pub(super) fn lane(&self) -> Option<&Group> {
        self.limited().next()
    }

    /// The limited groups of the line, the nearest first.
    fn limited(&self) -> impl Iterator<Item = &Group> {
        self.line().filter(|group| group.lane.limit.is_some())
    }
}

fn add(count: &Cell<u32>, more: i32) {
    count.set(count.get().wrapping_add_signed(more));
}

impl List {
    fn new() -> List {
        List { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    fn first(&self) -> Option<&Group> {
        // SAFETY: what is on a list is there (N3).
        unsafe { self.first.get().as_ref() }
    }

    fn push(&self, group: &Group) {
        let last = self.last.replace(group);
        group.lane.before.set(last);
        group.lane.behind.set(ptr::null());
        // SAFETY: as above.
        match unsafe { last.as_ref() } {
            Some(last) => last.lane.behind.set(group),
            None => self.first.set(group),
        }
    }

    fn remove(&self, group: &Group) {
        let (before, behind) = (group.lane.before.get(), group.lane.behind.get());
        // SAFETY: the neighbours are on the list, so they are there (N3).
        match unsafe { before.as_ref() } {
            Some(before) => before.lane.behind.set(behind),
            None => self.first.set(behind),
        }
        // SAFETY: as above.
        match unsafe { behind.as_ref() } {
            Some(behind) => behind.lane.before.set(before),
            None => self.last.set(before),
        }
    }
}

impl<J: Job> Lanes<J> {
    /// The heap bytes of the lanes of a queue of this capacity.
    pub fn bytes(capacity: u32) -> u64 {
        u64::from(capacity) * size_of::<Block<J>>() as u64
    }

    pub fn new(capacity: u32) -> Result<Self, Error> {
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(capacity as usize).map_err(|_| Error::Memory)?;
        Ok(Lanes {
            state: Mutex::new(State { blocks, free: NONE, ready: List::new() }),
            places: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            turn: AtomicU32::new(0),
            accepted: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock()
    }

    pub fn places(&self) -> u64 {
        self.places.load(Ordering::Relaxed)
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    pub fn looks_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub fn is_their_turn(&self) -> bool {
        self.turn.fetch_xor(1, Ordering::Relaxed) == 0
    }

    /// These three under the lock.
    pub fn note_pushed(&self) {
        self.places.store(self.places() + 1, Ordering::Relaxed);
        self.accepted.store(self.accepted.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub fn note_taken(&self) {
        self.places.store(self.places() - 1, Ordering::Relaxed);
        self.taken.store(self.taken.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub fn note_ready(&self, is_ready: bool) {
        self.ready.store(is_ready, Ordering::Relaxed);
    }
}

impl<J: Job> State<J> {
    pub fn is_ready(&self) -> bool {
        self.ready.first().is_some()
    }

    /// Puts a task behind the others of its lane, and says whether the lane is ready. There is a free block: who pushes has counted.
    pub fn push(&mut self, group: &Group, job: J, detail: J::Detail) -> bool {
        let lane = &group.lane;
        let index = self.allocate();
        let last = lane.last.replace(index);
        self.blocks[index as usize] = Block { task: Some((job, detail)), before: last, behind: NONE };
        match last {
            NONE => lane.first.set(index),
            last => self.blocks[last as usize].behind = index,
        }
        match lane.list.get() {
            Where::Nowhere => self.place(group),
            list => list == Where::Ready,
        }
    }

    /// Takes the first task of the first ready lane that has one which is wanted there. It counts as running.
    pub fn take(&mut self, is_wanted: impl Fn(&Group) -> bool) -> Option<(J, J::Detail)> {
        let is_it = |group: &&Group| {
            let first = self.blocks[group.lane.first.get() as usize].task.as_ref();
            first.and_then(|(_, detail)| detail.group()).is_some_and(&is_wanted)
        };
        let next = |group: &Group| group.lane.behind.get();
        // SAFETY: what is on a list is there (N3).
        let group = std::iter::successors(self.ready.first(), |group| unsafe { next(group).as_ref() })
            .find(is_it)
            .map(ptr::from_ref)?;
        // SAFETY: as above, and the task that is taken has not ended before the caller is done with it.
        let group = unsafe { &*group };
        self.unlist(group);
        let task = self.unlink(group, group.lane.first.get());
        group.limited().for_each(|above| add(&above.lane.running, 1));
        if group.lane.first.get() != NONE {
            self.place(group);
        }
        task
    }

    /// A task that was taken of this group's lane has ended. Returns how many lanes have become ready.
    pub fn end(&mut self, group: &Group) -> u32 {
        group.limited().for_each(|above| add(&above.lane.running, -1));
        self.settle(group)
    }

    /// Takes a task that is wanted out of its lane, if there is one in the blocks from `from` on. Returns also how many lanes have become ready.
    pub fn remove(
        &mut self,
        from: &mut usize,
        is_wanted: impl Fn(&J::Detail) -> bool,
    ) -> Option<(J, J::Detail, u32)> {
        let wanted = |blocks: &[Block<J>], index: u32| {
            blocks[index as usize].task.as_ref().filter(|(_, its)| is_wanted(its)).copied()
        };
        while *from < self.blocks.len() {
            let found = *from as u32;
            let Some(group) = wanted(&self.blocks, found).map(|(_, its)| its) else {
                *from += 1;
                continue;
            };
            let Some(group) = group.group().and_then(Group::lane) else { break };
            // The first of that lane goes first.
            let mut index = group.lane.first.get();
            while index != found && wanted(&self.blocks, index).is_none() {
                index = self.blocks[index as usize].behind;
            }
            let (job, detail) = self.unlink(group, index)?;
            let mut ready = 0;
            if group.lane.first.get() == NONE {
                self.unlist(group);
                ready = self.settle(group);
            }
            return Some((job, detail, ready));
        }
        None
    }

    /// True: the lane is ready.
    fn place(&mut self, group: &Group) -> bool {
        match group.limited().filter(|above| above.lane.is_full()).last() {
            Some(full) => {
                group.lane.list.set(Where::Blocked(full));
                full.lane.blocked.push(group);
                false
            }
            None => {
                group.lane.list.set(Where::Ready);
                self.ready.push(group);
                group.limited().for_each(|above| add(&above.lane.candidates, 1));
                true
            }
        }
    }

    fn unlist(&mut self, group: &Group) {
        match group.lane.list.replace(Where::Nowhere) {
            Where::Nowhere => {}
            Where::Ready => {
                self.ready.remove(group);
                group.limited().for_each(|above| add(&above.lane.candidates, -1));
            }
            // SAFETY: it is of the lane's own line, so it is there (N3).
            Where::Blocked(at) => unsafe { (*at).lane.blocked.remove(group) },
        }
    }

    fn settle(&mut self, group: &Group) -> u32 {
        let mut ready = 0;
        for above in group.limited() {
            while !above.lane.is_full()
                && let Some(blocked) = above.lane.blocked.first()
            {
                self.unlist(blocked);
                ready += u32::from(self.place(blocked));
            }
        }
        ready
    }

    fn unlink(&mut self, group: &Group, index: u32) -> Option<(J, J::Detail)> {
        let (before, behind) = (self.blocks[index as usize].before, self.blocks[index as usize].behind);
        match before {
            NONE => group.lane.first.set(behind),
            before => self.blocks[before as usize].behind = behind,
        }
        match behind {
            NONE => group.lane.last.set(before),
            behind => self.blocks[behind as usize].before = before,
        }
        self.blocks[index as usize].behind = self.free;
        self.free = index;
        self.blocks[index as usize].task.take()
    }

    fn allocate(&mut self) -> u32 {
        match self.free {
            NONE => {
                self.blocks.push(Block { task: None, before: NONE, behind: NONE });
                self.blocks.len() as u32 - 1
            }
            index => {
                self.free = self.blocks[index as usize].behind;
                index
            }
        }
    }
}
