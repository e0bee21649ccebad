//! The codes: one table makes the constants' texts, so that a code without a text can't exist.

use std::ffi::{c_char, c_int};

/// Success. Every function that returns a status returns this or one of the negative codes below. Codes are never
/// renumbered or reused; new ones may be added, so treat an unknown negative value as a failure.
pub const WP_OK: c_int = 0;
/// An argument is wrong: a NULL that is not allowed, a number out of its range, a `struct_size` that no version of
/// this library ever had. The call did nothing.
pub const WP_EINVAL: c_int = -1;
/// The system has no memory for this. The call did nothing; make the capacity smaller or free something.
pub const WP_ENOMEM: c_int = -2;
/// The system would not start a thread. Everything that was begun has been undone; use fewer workers, a smaller
/// stack, or raise the process's limit on threads.
pub const WP_ETHREAD: c_int = -3;
/// The queue is full, and the call does not wait: wp_try_submit(), or any submit with a timeout of 0. Nothing was accepted: try again
/// later, wait in the call, or ask for a word (wp_when_room(), wp_room_fd()).
pub const WP_EFULL: c_int = -4;
/// The time is up; of a wait or a shutdown with a timeout of 0 that is at once, and they may simply be called again. A submit accepted
/// nothing though it waited.
pub const WP_ETIMEDOUT: c_int = -5;
/// The pool has been shut down (or is being shut down): it accepts nothing any more. A submit says this before all that
/// the queue might say, also inside a callback. Of results: they were closed; a reader is told so when nothing more will
/// come.
pub const WP_ECLOSED: c_int = -6;
/// The calling thread is inside a callback of this pool, and the call would have to wait for that very callback or
/// for the room that it takes up. Nothing was done (wp_group_wait() may have run tasks of that group): use wp_try_submit(), or make
/// the call from another thread. The top of this file has the table of what may be called there.
pub const WP_EDEADLK: c_int = -7;
/// The process forked after this pool was made, and this is the child: the workers live in the parent. Only
/// wp_destroy() does anything to this pool here; make a new one.
pub const WP_EFORKED: c_int = -8;
/// The library found a fault of its own in this pool (or in these results). It can't be used any more and its memory is left
/// alone, tasks that run are left in peace, everybody who waits is told, nothing is printed; other pools are not affected. Every
/// function that returns a code may return this one. Please report it.
pub const WP_EPANIC: c_int = -9;
/// A field that this version of the library does not know was set, or a feature that it lacks was asked for: the
/// header is newer than the library. The call did nothing.
pub const WP_ENOTSUP: c_int = -10;
/// The results queue that the task names is full: each of its places holds a record that nobody has read, or belongs to a
/// task that has not ended. Nothing was accepted: read with wp_results_next() or wp_results_drain(), then submit again.
pub const WP_ERESULTS: c_int = -11;
/// The task's group, or one that this stands in, has been cancelled. Nothing was accepted, and nothing of that group starts any more.
pub const WP_ECANCELLED: c_int = -12;
/// Too late: what the call was to take back has happened already, or was never begun. Nothing was done.
pub const WP_ETOOLATE: c_int = -13;

fn text(code: c_int) -> &'static std::ffi::CStr {
    match code {
        WP_OK => c"success",
        WP_EINVAL => c"invalid argument: NULL, out of range, or a wrong struct_size",
        WP_ENOMEM => c"out of memory: use a smaller capacity or free some memory",
        WP_ETHREAD => c"a thread could not be started: use fewer workers or raise the limit on threads",
        WP_EFULL => c"the queue is full: try later, or submit with a wait",
        WP_ETIMEDOUT => c"the time is up: nothing was lost, the call can be repeated",
        WP_ECLOSED => c"closed: the pool accepts no more tasks, or no more results will come",
        WP_EDEADLK => c"called from inside a callback of this pool, where it would wait for itself",
        WP_EFORKED => c"the pool was made before fork: make a new one in the child",
        WP_EPANIC => c"a fault of the library itself: this pool is lost, please report it",
        WP_ENOTSUP => c"not supported by this version of the library: update it or clear the new fields",
        WP_ERESULTS => c"the results queue is full: read records, then submit again",
        WP_ECANCELLED => c"the group is cancelled: it accepts no more tasks, make a new one",
        WP_ETOOLATE => c"too late: it has happened already, or was never begun",
        _ => c"unknown code: the header is newer than the library, or this is no code of it",
    }
}

/// One line of English text for a code, for logs and messages; also for codes that don't exist.
///
/// The text is constant and never freed; its wording may change between versions.
///
/// Thread safety: any thread, at any time. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn wp_strerror(code: c_int) -> *const c_char {
    text(code).as_ptr()
}

impl From<crate::pool::Error> for c_int {
    fn from(error: crate::pool::Error) -> c_int {
        use crate::pool::Error;
        match error {
            Error::Invalid => WP_EINVAL,
            Error::Memory => WP_ENOMEM,
            Error::Thread => WP_ETHREAD,
            Error::Full => WP_EFULL,
            Error::ResultsFull => WP_ERESULTS,
            Error::TooLate => WP_ETOOLATE,
            Error::TimedOut => WP_ETIMEDOUT,
            Error::Cancelled => WP_ECANCELLED,
            Error::Closed => WP_ECLOSED,
            Error::Deadlock => WP_EDEADLK,
            Error::Panicked => WP_EPANIC,
            Error::Forked => WP_EFORKED,
            Error::Unsupported => WP_ENOTSUP,
        }
    }
}
