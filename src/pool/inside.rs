//! Which callbacks the calling thread is inside of, for law L6.
//!
//! A worker is inside a callback whenever it could ask, and `crew` knows the workers. What is noted here is the rest: the tasks
//! with a group, which a wait for that group must know, and every callback on a thread that is not the pool's.
//!
//! # Invariants
//!
//! - I1: the notes of a thread are a list through its own stack, the innermost first. A note is taken off when its call returns,
//!   by a panic too. So whoever walks the list touches what is there.
//! - I2: a noted group is that of a task that has not ended, so it is there.

#![allow(unsafe_code, reason = "the notes lie on their thread's stack (law L1)")]

use std::cell::Cell;
use std::ptr;

use super::group::Group;

struct Note {
    pool: *const (),
    group: *const Group,
    below: *const Note,
}

crate::sync::thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "the model checker's macro knows no const")]
    static TOP: Cell<*const Note> = Cell::new(ptr::null());
}

struct Off(*const Note);

impl Drop for Off {
    fn drop(&mut self) {
        TOP.with(|top| top.set(self.0));
    }
}

/// Makes a call that is a callback of `pool`, for a task of `group`.
pub(super) fn call<T>(pool: *const (), group: Option<&Group>, body: impl FnOnce() -> T) -> T {
    let below = TOP.with(Cell::get);
    let note = Note { pool, group: group.map_or(ptr::null(), |group| group), below };
    TOP.with(|top| top.set(&note));
    let _off = Off(below);
    body()
}

fn any(is_it: impl Fn(&Note) -> bool) -> bool {
    let mut next = TOP.with(Cell::get);
    // SAFETY: what is on the list is there (I1).
    while let Some(note) = unsafe { next.as_ref() } {
        if is_it(note) {
            return true;
        }
        next = note.below;
    }
    false
}

pub(super) fn is_inside(pool: *const ()) -> bool {
    any(|note| ptr::eq(note.pool, pool))
}

/// Whether the thread is inside a callback of a task of this group, or of one below it.
pub(super) fn is_inside_group(group: &Group) -> bool {
    // SAFETY: NULL, or there (I2).
    any(|note| unsafe { note.group.as_ref() }.is_some_and(|its| its.is_within(group)))
}
