//! Groups on the heap, that know how many of their tasks run and which are over.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use workerpool::pool::group::{Group, OnFailure, Settings};

use crate::world::World;

/// A group, and what is known of it from outside. Plain figures: no switch between threads falls into looking at them.
pub struct Held {
    group: Group,
    id: u64,
    limit: Option<u32>,
    running: AtomicU32,
    /// Tasks whose `end` has not been called yet, of those accepted or about to be.
    open: AtomicU64,
    above: Option<Handle>,
    freed: Arc<Mutex<u64>>,
}

/// A reference; whoever has one gives it back once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle(*const Held);

// SAFETY: the scenes hold their references as long as they use them.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// How a group is to be.
pub struct Wish {
    pub above: Option<Handle>,
    pub limit: Option<u32>,
    pub on_failure: OnFailure,
    pub deadline: u64,
}

pub fn make(world: &World, wish: Wish) -> Handle {
    let settings = Settings {
        above: wish.above.as_ref().map(Handle::get),
        deadline: wish.deadline,
        on_failure: wish.on_failure,
        max_running: wish.limit,
        free,
    };
    let id = world.groups_made.fetch_add(1, Relaxed);
    Handle(Box::into_raw(Box::new(Held {
        group: world.pool.new_group(&settings),
        id,
        limit: wish.limit,
        running: AtomicU32::new(0),
        open: AtomicU64::new(0),
        above: wish.above,
        freed: world.groups_freed.clone(),
    })))
}

unsafe fn free(group: *const Group) {
    // SAFETY: made by `make`, and its last reference is gone.
    let held = unsafe { Box::from_raw(group.byte_sub(offset_of!(Held, group)).cast::<Held>().cast_mut()) };
    assert_eq!(held.open.load(Relaxed), 0, "a group was freed before its tasks had ended");
    *held.freed.lock().unwrap() += 1;
}

impl Handle {
    /// Of a task's detail.
    pub fn of(group: *const Group) -> Option<Handle> {
        // SAFETY: made by `make`, and there as long as the task is open.
        (!group.is_null()).then(|| unsafe { Handle(group.byte_sub(offset_of!(Held, group)).cast()) })
    }

    fn held(&self) -> &Held {
        // SAFETY: see Send.
        unsafe { &*self.0 }
    }

    pub fn get(&self) -> &Group {
        &self.held().group
    }

    /// Its number, and those of the groups above it: they outlive it.
    pub fn ids(self) -> Vec<u64> {
        self.line().map(|handle| handle.held().id).collect()
    }

    /// This one and those above it.
    fn line(self) -> impl Iterator<Item = Handle> {
        std::iter::successors(Some(self), |handle| handle.held().above)
    }

    /// A task of this group is about to be submitted, or has ended.
    pub fn count_open(self, change: i64) {
        self.line().for_each(|handle| {
            handle.held().open.fetch_add(change as u64, Relaxed);
        });
    }

    /// A task of this group begins to run, or has run.
    pub fn count_running(self, change: i32) {
        for handle in self.line() {
            let running = handle.held().running.fetch_add(change as u32, Relaxed).wrapping_add(change as u32);
            assert!(
                handle.held().limit.is_none_or(|limit| running <= limit),
                "{running} of a group run at once"
            );
        }
    }

    pub fn release(self) {
        // SAFETY: whoever has a handle gives it back once.
        unsafe { Group::release(self.get()) };
    }
}
