//! `wp_options`: reading, checking, and what a pool made from it will take.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::guard::guard;
use super::limits::*;
use super::sized::{self, Sized as SizedStruct};
use super::status::{WP_EINVAL, WP_OK};
use crate::pool::{Config, Error};

/// A callback for the start or the end of a worker thread, a thread hook: the worker's index (0 to workers-1) and the
/// options' `thread_arg`. It runs on that worker, outside every lock of the library; those of several workers may run at
/// the same time. It must return as a wp_run_fn must.
pub type wp_thread_fn = Option<unsafe extern "C-unwind" fn(worker: u32, arg: *mut c_void)>;

/// How to make a pool. Start from WP_OPTIONS_INIT or wp_options_init(), then set what you need; 0 means "the default"
/// in every field.
///
/// `struct_size` says which version of this struct the caller was compiled with: a shorter one is extended with
/// zeros; in a longer one everything beyond this library's own must be zero (else WP_ENOTSUP). Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_options {
    /// sizeof(wp_options).
    pub struct_size: usize,
    /// The threads' name; a thread is called "name-0", "name-1" … and cut to the system's limit (15 bytes on Linux,
    /// the number is always kept). Copied at create. NULL: "wp".
    pub name: *const c_char,
    /// How many threads run tasks: exactly this many from create to shutdown. 0: as many as the process may use at
    /// once (CPU affinity and cgroup quota, rounded down), at least 1; `wp_stats.workers_reason` tells what decided. At most
    /// WP_WORKERS_MAX.
    pub workers: u32,
    /// How many tasks may be queued, besides those that run: exactly this many, not rounded; 1 is allowed.
    /// 0: WP_CAPACITY_DEFAULT. At most WP_CAPACITY_MAX.
    pub capacity: u32,
    /// WP_MODE_THREADS or WP_MODE_MANUAL. Any other number: WP_EINVAL. A manual pool starts no thread: `workers` must be 0 or 1,
    /// and what is said about threads below does not apply.
    pub mode: u32,
    /// 1: one more thread, the timer (named like a worker behind the last). With it a task whose deadline has passed ends as
    /// WP_FATE_EXPIRED at once, on that thread, though all workers are busy. 0: its `end` is called when a worker comes to it, but
    /// it never runs either way. More: WP_EINVAL. In a manual pool there is no thread: wp_clock_advance() does what the timer does.
    pub timers: u32,
    /// The stack of each worker in bytes, WP_STACK_MIN or more. Each gets at least this much: it is rounded up to whole
    /// pages, and the C library may round further or hand out a bigger one that it has kept from an ended thread;
    /// the thread-local variables may lie in it. 0: WP_STACK_DEFAULT.
    pub stack_size: u64,
    /// Called on each worker before its first task, once; NULL: nothing. wp_create() does not wait for it, so it may
    /// run before the caller of wp_create() has the pool.
    pub on_thread_start: wp_thread_fn,
    /// Called on each worker after its last task, once, before a shutdown returns WP_OK; NULL: nothing.
    pub on_thread_stop: wp_thread_fn,
    /// Handed to both hooks; the library never looks into it.
    pub thread_arg: *mut c_void,
    /// Must be NULL (else WP_ENOTSUP).
    pub reserved_pointer: *mut c_void,
}

// SAFETY: made of integers, pointers and nullable function pointers: all zeros is a value of each.
unsafe impl SizedStruct for wp_options {}

/// Fills a wp_options with the defaults and its size: what WP_OPTIONS_INIT does, for languages without C macros.
///
/// `struct_size` is the caller's sizeof(wp_options); that many bytes are written.
///
/// Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (below 8, above 4,096 or not a multiple
/// of 8). Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_options_init(options: *mut wp_options, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(options, struct_size) })
}

/// Tells how many bytes of memory wp_create() will ask for with these options, before anything is made: the queue,
/// the workers' records and the system's own record of each thread. Nothing else is allocated later, whatever the
/// pool does. The workers' stacks come on top (workers times stack size, of address space: the system commits what
/// is used).
///
/// `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_create() refuses; WP_ENOTSUP: as wp_create().
/// Thread safety: any thread. Blocks: never (with `workers` 0 it reads the system's figures). Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_footprint(options: *const wp_options, bytes: *mut u64) -> c_int {
    guard(|| {
        if bytes.is_null() {
            return WP_EINVAL;
        }
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        match unsafe { read(options) } {
            Ok(settings) => {
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *bytes = super::pool::footprint(&settings.config) };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

/// Checked options.
pub(super) struct Settings {
    pub config: Config,
    pub stack_size: usize,
    pub name: [u8; crate::sys::thread::NAME_BYTES],
    pub on_start: wp_thread_fn,
    pub on_stop: wp_thread_fn,
    pub thread_arg: *mut c_void,
}

/// # Safety
/// `options` is NULL or points to a struct of `struct_size` readable bytes, whose `name` is NULL or a C string.
pub(super) unsafe fn read(options: *const wp_options) -> Result<Settings, Error> {
    // SAFETY: all zeros is a value of wp_options (see SizedStruct).
    let mut given: wp_options = unsafe { std::mem::zeroed() };
    if !options.is_null() {
        // SAFETY: the caller's promise.
        given = unsafe { sized::read(options)? };
    }
    match given.mode {
        WP_MODE_THREADS | WP_MODE_MANUAL => {}
        _ => return Err(Error::Invalid),
    }
    if given.timers > 1 {
        return Err(Error::Invalid);
    }
    if !given.reserved_pointer.is_null() {
        return Err(Error::Unsupported);
    }
    let stack_size = match given.stack_size {
        0 => WP_STACK_DEFAULT,
        small if small < WP_STACK_MIN => return Err(Error::Invalid),
        asked => asked,
    };
    let name = match given.name.is_null() {
        true => c"wp",
        // SAFETY: not NULL, so a C string by the caller's promise.
        false => unsafe { CStr::from_ptr(given.name) },
    };
    Ok(Settings {
        config: match given.mode {
            WP_MODE_MANUAL => Config::manual(given.workers, given.capacity)?,
            _ => Config::new(given.workers, given.capacity)?,
        }
        .with_timer(given.timers != 0),
        stack_size: usize::try_from(stack_size).map_err(|_| Error::Invalid)?,
        name: crate::sys::thread::name_prefix(name),
        on_start: given.on_thread_start,
        on_stop: given.on_thread_stop,
        thread_arg: given.thread_arg,
    })
}
