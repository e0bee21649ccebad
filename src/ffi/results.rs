//! `wp_results`: the handle, its records, and the submits that need a place in one.

use std::ffi::{c_int, c_void};

use super::guard::{guard, guard_results, hush};
use super::limits::{WP_CAPACITY_DEFAULT, WP_CAPACITY_MAX, WP_RESULTS_ORDERED, WP_RESULTS_WAIT};
use super::pool::code;
use super::sized::{self, Sized as SizedStruct};
use super::status::{WP_EFORKED, WP_EINVAL, WP_EPANIC, WP_OK};
use crate::pool::results::{Order, Place, Results, WhenFull};
use crate::pool::{Error, Wait};
use crate::sys::fork;

/// A bounded queue of records: each accepted task that names it (`wp_task.results`) puts one in when it has ended. Opaque;
/// used through pointers only. It belongs to no pool: tasks of several may name it, and it may outlive them. Since 0.1.
pub struct wp_results {
    pub(super) core: Results<wp_record>,
    family: fork::Family,
}

/// How to make results. Start from WP_RESULTS_OPTIONS_INIT or wp_results_options_init(); 0 means "the default" in
/// every field. Sized like wp_options. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_results_options {
    /// sizeof(wp_results_options).
    pub struct_size: usize,
    /// Must be NULL (else WP_ENOTSUP).
    pub reserved_pointer: *mut c_void,
    /// How many places there are, exactly: each belongs to one accepted task from its submit until its record is read.
    /// 0: WP_CAPACITY_DEFAULT. At most WP_CAPACITY_MAX.
    pub capacity: u32,
    /// WP_RESULTS_… flags; any other bit: WP_ENOTSUP.
    pub flags: u32,
}

// SAFETY: made of integers and a pointer: all zeros is a value of each.
unsafe impl SizedStruct for wp_results_options {}

/// What became of one task. `struct_size` is as for wp_stats. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_record {
    /// sizeof(wp_record).
    pub struct_size: usize,
    /// The task's `arg`. Its `end`, if it had one, has returned: what that freed is gone.
    pub arg: *mut c_void,
    /// The task's `user_data`.
    pub user_data: u64,
    /// Nanoseconds from the submit (from when it had its place here; a wait for room in the pool's queue is included) until
    /// the task began, or was discarded.
    pub queued_ns: u64,
    /// Nanoseconds that the task ran, without its `end`; 0 unless `fate` is WP_FATE_RAN.
    pub running_ns: u64,
    /// WP_FATE_…, or WP_FATE_LOST.
    pub fate: u32,
    /// What the task returned; 0 unless `fate` is WP_FATE_RAN.
    pub status: i32,
    /// The index of the worker that ran it; WP_NO_WORKER if none did.
    pub worker: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: made of integers and a pointer: all zeros is a value of each.
unsafe impl SizedStruct for wp_record {}
// SAFETY: the argument is the caller's, who by the header's contract lets any thread use it.
unsafe impl Send for wp_record {}

/// Checked options.
struct Settings {
    capacity: u32,
    when_full: WhenFull,
    order: Order,
}

/// # Safety
/// `options` is NULL or points to a struct of `struct_size` readable bytes.
unsafe fn read(options: *const wp_results_options) -> Result<Settings, Error> {
    // SAFETY: all zeros is a value of wp_results_options (see SizedStruct).
    let mut given: wp_results_options = unsafe { std::mem::zeroed() };
    if !options.is_null() {
        // SAFETY: the caller's promise.
        given = unsafe { sized::read(options)? };
    }
    if given.capacity > WP_CAPACITY_MAX {
        return Err(Error::Invalid);
    }
    if given.flags & !(WP_RESULTS_WAIT | WP_RESULTS_ORDERED) != 0 || !given.reserved_pointer.is_null() {
        return Err(Error::Unsupported);
    }
    let has = |flag| given.flags & flag != 0;
    Ok(Settings {
        capacity: if given.capacity == 0 { WP_CAPACITY_DEFAULT } else { given.capacity },
        when_full: if has(WP_RESULTS_WAIT) { WhenFull::Wait } else { WhenFull::Refuse },
        order: if has(WP_RESULTS_ORDERED) { Order::Reservations } else { Order::Ends },
    })
}

fn make(settings: &Settings) -> Result<*mut wp_results, Error> {
    let family = fork::family().ok_or(Error::Memory)?;
    // A slice of one: the stable way to a box whose allocation may fail.
    let mut place = Vec::new();
    place.try_reserve_exact(1).map_err(|_| Error::Memory)?;
    let core = Results::new(settings.capacity, settings.when_full, settings.order)?;
    place.push(wp_results { core, family });
    Ok(Box::into_raw(place.into_boxed_slice()).cast())
}

/// Frees what [`make`] made.
///
/// # Safety
/// The last reference has been given back.
unsafe fn free(results: *const wp_results) {
    // SAFETY: made as a slice of one, and nobody uses it any more.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(results.cast_mut(), 1)) });
}

/// What an accepted task does at its very end.
///
/// # Safety
/// `results` is alive by the task's own reference, which this call uses up with the place.
pub(super) unsafe fn record(results: *const wp_results, place: Place, record: impl FnOnce(u64) -> wp_record) {
    // SAFETY: the caller's promise.
    let core = unsafe { &(*results).core };
    core.put(place, record);
    if core.release() {
        // SAFETY: that was the last reference.
        unsafe { free(results) };
    }
}

/// What is left to do for an accepted task that a fault of the library has lost. The panic may have come in the middle of
/// [`record`]: then the results are lost as well. The task's reference is kept for ever.
///
/// # Safety
/// `results` is alive by the task's own reference.
pub(super) unsafe fn lose(results: *const wp_results, place: Place, record: impl FnOnce(u64) -> wp_record) {
    // SAFETY: the caller's promise.
    let results = unsafe { &*results };
    guard_results(results, || {
        results.core.put(place, record);
        WP_OK
    });
}

/// What a submit needs of the results that a task names, if it names any.
///
/// # Safety
/// NULL, or the caller has a reference.
pub(super) unsafe fn core<'a>(results: *const wp_results) -> Result<Option<&'a Results<wp_record>>, Error> {
    // SAFETY: the caller's promise.
    match unsafe { results.as_ref() } {
        Some(results) if !results.family.is_ours() => Err(Error::Forked),
        results => Ok(results.map(|results| &results.core)),
    }
}

/// Results that are the caller's, for every call but release.
///
/// # Safety
/// `results` is NULL, or the caller has a reference.
unsafe fn on_results(results: *const wp_results, body: impl FnOnce(&wp_results) -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { results.as_ref() } {
        None => WP_EINVAL,
        Some(results) if !results.family.is_ours() => WP_EFORKED,
        Some(results) => guard_results(results, || body(results)),
    }
}

/// Fills a wp_results_options with the defaults and its size: what WP_RESULTS_OPTIONS_INIT does, for languages without
/// C macros.
///
/// Returns WP_OK; WP_EINVAL: `options` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_options_init(
    options: *mut wp_results_options,
    struct_size: usize,
) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(options, struct_size) })
}

/// Tells how many bytes of memory wp_results_create() will ask for with these options, before anything is made. Nothing
/// is allocated later.
///
/// `options`: NULL means all defaults. `bytes`: receives the number; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `bytes` is NULL, or the options are what wp_results_create() refuses; WP_ENOTSUP: as there.
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_footprint(options: *const wp_results_options, bytes: *mut u64) -> c_int {
    guard(|| {
        if bytes.is_null() {
            return WP_EINVAL;
        }
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        match unsafe { read(options) } {
            Ok(settings) => {
                let size = size_of::<wp_results>() as u64 + Results::<wp_record>::bytes(settings.capacity);
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *bytes = size };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

/// Makes results, and gives the caller the first reference on them.
///
/// `options`: NULL means all defaults. `results`: receives them; left alone on failure.
///
/// Returns WP_OK; WP_EINVAL: `results` is NULL, the capacity is out of its range, `struct_size` is wrong; WP_ENOTSUP: an
/// unknown flag or a reserved field is set, or a field that this version does not know; WP_ENOMEM.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_create(
    options: *const wp_results_options,
    results: *mut *mut wp_results,
) -> c_int {
    guard(|| {
        if results.is_null() {
            return WP_EINVAL;
        }
        hush();
        // SAFETY: NULL or a struct of `struct_size` readable bytes, as documented.
        match unsafe { read(options) }.and_then(|settings| make(&settings)) {
            Ok(made) => {
                // SAFETY: not NULL, and the caller's to write, as documented.
                unsafe { *results = made };
                WP_OK
            }
            Err(error) => error.into(),
        }
    })
}

/// One reference more: the results live until each has been given back by wp_results_release(). Whoever makes a call on
/// results has a reference during that call, his own or one that somebody keeps for him.
///
/// Returns WP_OK; WP_EINVAL: `results` is NULL; WP_EFORKED.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_retain(results: *mut wp_results) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_results(results, |results| {
            results.core.retain();
            WP_OK
        })
    }
}

/// Gives a reference back; with the last one the memory is freed, and the descriptor closed. Tasks that were accepted hold
/// references of their own, so this is safe before they have ended: their records are then lost with the rest.
///
/// Returns WP_OK, also for NULL, which does nothing, and in the child of a fork (where the references of the parent's tasks
/// are never given back).
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_release(results: *mut wp_results) -> c_int {
    guard(|| {
        // SAFETY: NULL, or the caller's reference, as documented.
        if unsafe { results.as_ref() }.is_some_and(|results| results.core.release()) {
            // SAFETY: that was the last reference.
            unsafe { free(results) };
        }
        WP_OK
    })
}

/// Fills a wp_record with zeros and its size: what WP_RECORD_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `record` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_record_init(record: *mut wp_record, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(record, struct_size) })
}

/// Reads the next record and frees its place. Records come in the order in which their tasks ended, or, of results made with
/// WP_RESULTS_ORDERED, in that of the submits. A task's record is there when its `end` has returned (and, if ordered, those before it
/// are there), and before a wait or a shutdown that covers the task (and those before it) says WP_OK.
///
/// `record`: its `struct_size` must be set (WP_RECORD_INIT); at most that many bytes are written. `timeout_ns`:
/// nanoseconds to wait for a record; 0 only looks, WP_FOREVER waits without limit.
///
/// Returns WP_OK; WP_ETIMEDOUT: no record in time; WP_ECLOSED: nothing more will come: the results were closed, all their
/// tasks have ended, and all records are read; WP_EINVAL: `results` or `record` is NULL, or its `struct_size` is wrong;
/// WP_EFORKED. On failure `*record` is left alone.
/// Thread safety: any thread, several at once too: each record goes to one of them. Inside a callback a wait may be for that
/// very task, which is not detected: use a timeout of 0 there. Blocks: up to the timeout. Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_next(
    results: *mut wp_results,
    record: *mut wp_record,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: as documented.
    unsafe {
        if let Err(error) = sized::check_output(record) {
            return error.into();
        }
        on_results(results, |results| {
            let taken = results.core.take(Wait::for_ns(timeout_ns), 1, |next| sized::write(record, &next));
            code(taken.map(drop))
        })
    }
}

/// Reads up to `count` records at once, in the order of wp_results_next(): it waits for the first only, then takes what is there.
///
/// `records` is an array whose elements are `record_size` bytes apart: sizeof *records. They need no initialiser: each element
/// that is written gets its `struct_size` too. `timeout_ns`: nanoseconds to wait for the first; 0 only looks, WP_FOREVER waits
/// without limit. `*got` is always written: how many records were read, 0 on failure.
///
/// Returns WP_OK: at least one was read (or `count` is 0); WP_ETIMEDOUT, WP_ECLOSED, WP_EFORKED: as wp_results_next();
/// WP_EINVAL: `results` or `got` is NULL, `records` is NULL and `count` is not 0, `record_size` can't be right (as for
/// wp_options_init()) or the array can't be that large.
/// Thread safety: as wp_results_next(). Blocks: up to the timeout. Allocates nothing. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_drain(
    results: *mut wp_results,
    records: *mut wp_record,
    count: usize,
    record_size: usize,
    timeout_ns: u64,
    got: *mut usize,
) -> c_int {
    if got.is_null() {
        return WP_EINVAL;
    }
    // SAFETY: not NULL, and the caller's to write, as documented.
    unsafe { *got = 0 };
    // SAFETY: as documented.
    unsafe {
        on_results(results, |results| {
            if count == 0 {
                return WP_OK;
            }
            if let Err(error) = sized::check_array(records, count, record_size) {
                return error.into();
            }
            let mut next = records.cast::<u8>();
            let taken = results.core.take(Wait::for_ns(timeout_ns), count, |record| {
                sized::write_element(next.cast::<wp_record>(), &record, record_size);
                next = next.add(record_size);
            });
            code(taken.map(|taken| *got = taken))
        })
    }
}

/// Says that nothing will be submitted any more: submits that name these results get WP_ECLOSED, those that wait for a place
/// too. What was accepted still brings its records; when the last is read, readers get WP_ECLOSED.
///
/// Returns WP_OK, also when they were closed before; WP_EINVAL: `results` is NULL; WP_EFORKED.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_close(results: *mut wp_results) -> c_int {
    // SAFETY: as documented.
    unsafe {
        on_results(results, |results| {
            results.core.close();
            if results.core.has_failed() { WP_EPANIC } else { WP_OK }
        })
    }
}

/// A descriptor for poll(), epoll and their kin. It is readable if and only if a read would not wait: the next record is there, or nothing
/// more will come (then it stays readable). It is made by the first call; who never calls pays nothing for it.
///
/// It belongs to the results, and is closed with them: only wait for it; never read, write or close it. Who waits for edges
/// (EPOLLET) must read until WP_ETIMEDOUT before the next wait.
///
/// Returns the descriptor, 0 or more, always the same; or a negative code: WP_EINVAL: `results` is NULL; WP_ENOMEM: the system has
/// no descriptor left, or no memory for it; WP_ENOTSUP: this system has none of that kind (only Linux's eventfd is used);
/// WP_EFORKED.
/// Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_results_fd(results: *mut wp_results) -> c_int {
    // SAFETY: as documented.
    unsafe { on_results(results, |results| results.core.fd().unwrap_or_else(c_int::from)) }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<wp_results>();
};
