//! `wp_pool`: the handle and its threads; `wp_create`.

use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;

use super::guard::{callback, guard, guard_pool, guard_worker, hush};
use super::options::{self, Settings, wp_options, wp_thread_fn};
use super::status::{WP_EFORKED, WP_EINVAL, WP_EPANIC, WP_OK};
use super::task::Task;
use crate::faults::{self, Stage};
use crate::pool::{Config, Error, Mode, Pool, ThreadHooks, Wait};
use crate::sync::{AtomicU64, Ordering};
use crate::sys::{fork, thread};

/// A pool: a fixed number of threads and a queue of fixed size. Opaque; used through pointers only.
pub struct wp_pool {
    pub(super) core: Pool<Task>,
    threads: Box<[thread::Seat]>,
    hooks: Hooks,
    pub(super) family: fork::Family,
    /// The caller's, and one for each group.
    references: AtomicU64,
}

struct Hooks {
    on_start: wp_thread_fn,
    on_stop: wp_thread_fn,
    arg: *mut c_void,
}

// SAFETY: the argument is the caller's, who by the header's contract lets every worker use it.
unsafe impl Sync for Hooks {}
// SAFETY: as above.
unsafe impl Send for Hooks {}

impl ThreadHooks for Hooks {
    fn started(&self, worker: u32) {
        if let Some(call) = self.on_start {
            // SAFETY: the caller gave this function to be called on each worker with this argument.
            callback(|| unsafe { call(worker, self.arg) });
        }
    }

    fn stopping(&self, worker: u32) {
        if let Some(call) = self.on_stop {
            // SAFETY: as above.
            callback(|| unsafe { call(worker, self.arg) });
        }
    }
}

/// What wp_create() asks the system for: this struct, the core's parts, and each thread's records.
pub(super) fn footprint(config: &Config) -> u64 {
    let threads = u64::from(config.threads()) * (size_of::<thread::Seat>() + thread::SYSTEM_RECORD) as u64;
    size_of::<wp_pool>() as u64 + Pool::<Task>::footprint(config) + threads
}

impl wp_pool {
    fn new(settings: &Settings) -> Result<Box<[wp_pool]>, Error> {
        let family = fork::family().ok_or(Error::Memory)?;
        // A slice of one: the stable way to a box whose allocation may fail.
        let mut place = Vec::new();
        place.try_reserve_exact(1).map_err(|_| Error::Memory)?;
        let mut threads = Vec::new();
        threads.try_reserve_exact(settings.config.threads() as usize).map_err(|_| Error::Memory)?;
        threads.resize_with(settings.config.threads() as usize, thread::Seat::default);
        let hooks =
            Hooks { on_start: settings.on_start, on_stop: settings.on_stop, arg: settings.thread_arg };
        place.push(wp_pool {
            core: Pool::new(&settings.config)?,
            threads: threads.into(),
            hooks,
            family,
            references: AtomicU64::new(1),
        });
        Ok(place.into())
    }

    /// All threads, or none: what was begun is undone when one does not start. After any other error threads may be there.
    fn start(&self, settings: &Settings) -> Result<(), Error> {
        for (index, seat) in self.threads.iter().enumerate() {
            let is_worker = index < self.core.config().workers() as usize;
            if is_worker {
                self.core.expect_worker();
            }
            let how =
                thread::How { name: &settings.name, index: index as u32, stack_size: settings.stack_size };
            // SAFETY: the pool stays where it is until join() has returned, see wp_create() and wp_destroy().
            if unsafe { seat.start(&how, enter, (&raw const *self).cast()) }.is_err() {
                if is_worker {
                    self.core.unexpect_worker();
                }
                self.shutdown(Mode::Drain, Wait::Forever)?;
                return Err(Error::Thread);
            }
            faults::point(Stage::Start);
        }
        Ok(())
    }

    pub(super) fn shutdown(&self, mode: Mode, wait: Wait) -> Result<(), Error> {
        self.core.shutdown(mode, wait, || self.threads.iter().for_each(thread::Seat::join))
    }

    /// One reference more on the pool's memory, for who has one.
    pub(super) fn retain(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a reference back; the last one frees the memory.
    ///
    /// # Safety
    /// The reference is the caller's, and no thread of the pool runs if it is the last.
    pub(super) unsafe fn release(pool: *const wp_pool) {
        // SAFETY: the caller's promise; the pool was made by wp_create() as a slice of one.
        unsafe {
            if (*pool).references.fetch_sub(1, Ordering::AcqRel) == 1 {
                drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(pool.cast_mut(), 1)));
            }
        }
    }
}

pub(super) fn code(result: Result<(), Error>) -> c_int {
    result.map_or_else(c_int::from, |()| WP_OK)
}

/// The body of every thread: the workers', then the timer's.
fn enter(pool: *const (), index: u32) {
    // SAFETY: start() handed its own pool, which outlives the thread.
    let pool = unsafe { &*pool.cast::<wp_pool>() };
    if index < pool.core.config().workers() {
        guard_worker(pool, || pool.core.work(index, &pool.hooks));
    } else {
        guard_pool(pool, || {
            pool.core.keep_time();
            WP_OK
        });
    }
}

/// The pool behind a handle, for every call but create and destroy.
///
/// # Safety
/// `pool` is NULL or a pool that was created and not yet destroyed.
pub(super) unsafe fn on_pool(pool: *const wp_pool, body: impl FnOnce(&wp_pool) -> c_int) -> c_int {
    let body = |pool: &wp_pool| if pool.core.has_failed() { WP_EPANIC } else { body(pool) };
    // SAFETY: the caller's promise.
    unsafe { on_any_pool(pool, body) }
}

/// The same for a call that has something to do on a pool with a fault, too.
///
/// # Safety
/// As [`on_pool`].
pub(super) unsafe fn on_any_pool(pool: *const wp_pool, body: impl FnOnce(&wp_pool) -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { pool.as_ref() } {
        None => WP_EINVAL,
        Some(pool) if !pool.family.is_ours() => WP_EFORKED,
        Some(pool) => guard_pool(pool, || body(pool)),
    }
}

/// Makes a pool and starts its threads: all of them, or none and an error.
///
/// `options`: NULL means all defaults. Everything in it is copied. `pool`: receives the new pool; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `pool` is NULL, a number is out of its range, `mode` is unknown, `struct_size` is wrong;
/// WP_ENOTSUP: a reserved field is set, or a field that this version does not know;
/// WP_ENOMEM: there is no memory for the queue and the workers' records; WP_ETHREAD: a thread could not be started,
/// also when what lacks is memory for its stack or for the C library's record of it (those that were are stopped again,
/// with their hooks). No allocation that fails ends the process.
/// Thread safety: any thread, also inside a callback. Blocks: only as the system's own thread start does; with
/// WP_ETHREAD also until the threads that were started have ended. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_create(options: *const wp_options, pool: *mut *mut wp_pool) -> c_int {
    guard(|| {
        if pool.is_null() {
            return WP_EINVAL;
        }
        hush();
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        let made = unsafe { options::read(options) }.and_then(|settings| {
            // Not freed by a panic, which may find workers there.
            let made = ManuallyDrop::new(wp_pool::new(&settings)?);
            match made[0].start(&settings) {
                // One of the threads may be there: it has met a fault.
                Err(Error::Panicked) => Err(Error::Panicked),
                started => {
                    let made = ManuallyDrop::into_inner(made);
                    started.map(|()| made)
                }
            }
        });
        match made {
            Ok(made) => {
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *pool = Box::into_raw(made).cast() };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<wp_pool>();
};
