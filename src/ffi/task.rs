//! `wp_task`, `wp_outcome`: what a task is in C, and how the core runs one.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::context::wp_context;
use super::group::{self, wp_group};
use super::guard::{callback, guard};
use super::limits::{WP_FATE_LOST, WP_NO_WORKER};
use super::results::{self, wp_record, wp_results};
use super::sized::{self, Sized as SizedStruct};
use crate::pool::results::Place;
use crate::pool::{self, Error, Fate, Group, Job, NO_DEADLINE, Outcome, Pool};
use crate::sys::clock;

/// What a simple task does, with the `arg` of its submit. It must return (not exit the thread, not longjmp out); a C++
/// exception that leaves it ends the process.
pub type wp_run_fn = Option<unsafe extern "C-unwind" fn(arg: *mut c_void)>;

/// What a full task does: it may ask its context, and returns a status: 0 for success, anything else is the
/// task's own error. It must return as a wp_run_fn must.
pub type wp_task_fn =
    Option<unsafe extern "C-unwind" fn(context: *mut wp_context, arg: *mut c_void) -> c_int>;

/// Told once, and only once, how an accepted task ended; after that the library never touches `arg` again. It runs on
/// the worker that ran the task or found it cancelled or too late, on the thread whose wp_group_cancel(), shutdown, wp_group_wait() or
/// wp_clock_advance() ended it, or on the pool's timer. `outcome` is valid during the call. It must return as a wp_run_fn must.
pub type wp_end_fn = Option<unsafe extern "C-unwind" fn(outcome: *const wp_outcome, arg: *mut c_void)>;

/// How a task ended. The library makes it; fields may be added at its end, so ask `struct_size` before reading
/// one that a later version brought. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_outcome {
    /// The bytes that this library filled in.
    pub struct_size: usize,
    /// The task's label, or NULL.
    pub label: *const c_char,
    /// WP_FATE_…
    pub fate: u32,
    /// What the task returned; 0 unless `fate` is WP_FATE_RAN.
    pub status: i32,
    /// The index of the worker that ran it; WP_NO_WORKER if none did.
    pub worker: u32,
    /// 0.
    pub reserved: u32,
}

/// A task in full. The struct itself is copied by the submit; start from WP_TASK_INIT or wp_task_init(). Sized like
/// wp_options. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_task {
    /// sizeof(wp_task).
    pub struct_size: usize,
    /// What to do; must not be NULL.
    pub run: wp_task_fn,
    /// Handed to `run` and `end`; the library never looks into it.
    pub arg: *mut c_void,
    /// Called exactly once when the accepted task has ended, whatever its fate; NULL: nobody is told.
    pub end: wp_end_fn,
    /// A name for people to read, or NULL. It is not copied: it must live until `end` has returned (without an
    /// `end`: until a wait or a shutdown that covers the task succeeded). A string literal always does.
    pub label: *const c_char,
    /// Where a record of the accepted task goes when it has ended, whatever its fate; NULL: nowhere. It must stay the
    /// caller's during the submit only: the task holds a reference of its own.
    pub results: *mut wp_results,
    /// The group that the task joins, of the same pool; NULL: none. It must stay the caller's during the submit only: an open
    /// task keeps its group.
    pub group: *mut wp_group,
    /// Must be NULL (else WP_ENOTSUP).
    pub reserved_pointer: *mut c_void,
    /// Comes back in the record; the library never looks at it.
    pub user_data: u64,
    /// An instant on the pool's own clock (wp_now()): a task that has not started by then never runs, its fate is WP_FATE_EXPIRED.
    /// One that runs sees it through its context. 0: none of its own. Its group's deadline counts too, whichever is first.
    pub deadline: u64,
}

// SAFETY: made of integers, pointers and nullable function pointers: all zeros is a value of each.
unsafe impl SizedStruct for wp_task {}

/// Fills a wp_task with zeros and its size: what WP_TASK_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `task` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_task_init(task: *mut wp_task, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(task, struct_size) })
}

/// A task as the core holds it. `Plain` is the whole of a wp_submit(); the rest of a full task is its `Detail`.
#[derive(Clone, Copy)]
pub(super) struct Task {
    code: Code,
    arg: *mut c_void,
}

#[derive(Clone, Copy)]
enum Code {
    Plain(unsafe extern "C-unwind" fn(*mut c_void)),
    /// A full task that has nothing but its code and its argument needs no detail.
    Bare(unsafe extern "C-unwind" fn(*mut wp_context, *mut c_void) -> c_int),
    Full(unsafe extern "C-unwind" fn(*mut wp_context, *mut c_void) -> c_int),
}

/// The part of a full task that a plain one lacks.
#[derive(Clone, Copy)]
pub(super) struct Detail {
    end: wp_end_fn,
    pub label: *const c_char,
    /// A reference and a reserved place, or NULL.
    results: *const wp_results,
    place: Place,
    user_data: u64,
    pub group: *const Group,
    pub deadline: u64,
}

// SAFETY: the pointers are the caller's, who by the header's contract lets any thread of the pool use them.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Send for Detail {}

impl Task {
    pub fn plain(run: unsafe extern "C-unwind" fn(*mut c_void), arg: *mut c_void) -> Task {
        Task { code: Code::Plain(run), arg }
    }

    /// The task that a [`check`]ed struct describes, with its place in the results that it names, if any.
    pub fn full(given: &wp_task, place: Place) -> (Task, Option<Detail>) {
        // The check has seen a `run`; who takes it away during the call gets a task that does nothing.
        let run = given.run.unwrap_or(nothing);
        let is_bare =
            given.end.is_none() && given.label.is_null() && given.results.is_null() && !is_scoped(given);
        let (code, detail) = if is_bare {
            (Code::Bare(run), None)
        } else {
            // SAFETY: NULL, or during the submit the caller's.
            let group = unsafe { group::core(given.group) };
            // SAFETY: as above.
            let latest = unsafe { group.as_ref() }.map_or(NO_DEADLINE, Group::deadline);
            let detail = Detail {
                end: given.end,
                label: given.label,
                results: given.results,
                place,
                user_data: given.user_data,
                group,
                deadline: if given.deadline == 0 { latest } else { given.deadline.min(latest) },
            };
            (Code::Full(run), Some(detail))
        };
        (Task { code, arg: given.arg }, detail)
    }
}

unsafe extern "C-unwind" fn nothing(_: *mut wp_context, _: *mut c_void) -> c_int {
    0
}

/// Whether the task may end before a worker comes to it.
pub(super) fn is_scoped(given: &wp_task) -> bool {
    !given.group.is_null() || given.deadline != 0
}

pub(super) fn check(given: &wp_task) -> Result<(), Error> {
    match given {
        wp_task { run: None, .. } => Err(Error::Invalid),
        wp_task { reserved_pointer, .. } if !reserved_pointer.is_null() => Err(Error::Unsupported),
        _ => Ok(()),
    }
}

/// # Safety
/// `task` is NULL or points to a struct of `struct_size` readable bytes.
#[inline]
pub(super) unsafe fn read(task: *const wp_task) -> Result<wp_task, Error> {
    if task.is_null() {
        return Err(Error::Invalid);
    }
    // SAFETY: the caller's promise.
    let given: wp_task = unsafe { sized::read(task)? };
    check(&given).map(|()| given)
}

impl pool::Detail for Detail {
    fn group(&self) -> Option<&Group> {
        // SAFETY: NULL, or there: during the submit by the caller's reference, then because the task is open in it.
        unsafe { self.group.as_ref() }
    }

    fn deadline(&self) -> u64 {
        self.deadline
    }

    fn label(&self) -> Option<&CStr> {
        // SAFETY: NULL, or by the contract a string that lives until `end` has returned; nobody asks later.
        (!self.label.is_null()).then(|| unsafe { CStr::from_ptr(self.label) })
    }

    fn is_timed(&self) -> bool {
        !self.results.is_null()
    }

    /// Also asked of a detail whose task has gone out of turn, and its group with it.
    fn is_scoped(&self) -> bool {
        !self.group.is_null() || self.deadline != NO_DEADLINE
    }
}

impl Job for Task {
    type Detail = Detail;

    fn is_detailed(&self) -> bool {
        matches!(self.code, Code::Full(_))
    }

    fn run(&self, detail: Option<&Detail>, pool: &Pool<Task>, worker: u32) -> i32 {
        match self.code {
            // SAFETY: the caller of wp_submit() gave this function to be called with this argument.
            Code::Plain(run) => callback(|| unsafe { run(self.arg) }),
            Code::Bare(run) | Code::Full(run) => {
                let mut context = wp_context::new(pool, worker, detail);
                // SAFETY: as above; the context outlives the call.
                return callback(|| unsafe { run(&mut context, self.arg) });
            }
        }
        0
    }

    fn end(&self, detail: &Detail, outcome: Outcome) {
        // Read before `end`, whose time is not the task's.
        let ended = if detail.results.is_null() { 0 } else { clock::now_ns() };
        if let Some(end) = detail.end {
            let outcome = wp_outcome {
                struct_size: size_of::<wp_outcome>(),
                label: detail.label,
                fate: outcome.fate as u32,
                status: outcome.status,
                worker: outcome.worker,
                reserved: 0,
            };
            // SAFETY: the caller of wp_submit_task() gave this function to be called once with this argument.
            callback(|| unsafe { end(&outcome, self.arg) });
        }
        if !detail.results.is_null() {
            let began = if outcome.fate == Fate::Ran { outcome.began } else { ended };
            let record = |submitted| {
                let record = self.record(detail, outcome.fate as u32, [submitted, began, ended]);
                wp_record { status: outcome.status, worker: outcome.worker, ..record }
            };
            // SAFETY: this task was accepted with a place there and a reference, and ends once.
            unsafe { results::record(detail.results, detail.place, record) };
        }
    }

    fn lose(&self, detail: &Detail) {
        if !detail.results.is_null() {
            let record = |_| self.record(detail, WP_FATE_LOST, [0; 3]);
            // SAFETY: the reference is still there: the task has not ended.
            unsafe { results::lose(detail.results, detail.place, record) };
        }
    }
}

impl Task {
    fn record(&self, detail: &Detail, fate: u32, [submitted, began, ended]: [u64; 3]) -> wp_record {
        wp_record {
            struct_size: size_of::<wp_record>(),
            arg: self.arg,
            user_data: detail.user_data,
            queued_ns: began.saturating_sub(submitted),
            running_ns: ended.saturating_sub(began),
            fate,
            status: 0,
            worker: WP_NO_WORKER,
            reserved: 0,
        }
    }
}
