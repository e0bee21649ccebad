//! `wp_executor`: what code depends on that only hands tasks over.

use std::ffi::{c_int, c_void};

use super::guard::guard;
use super::pool::{on_pool, wp_pool};
use super::sized::{self, Sized as SizedStruct};
use super::status::WP_OK;
use super::submit::wp_submit_task;
use super::task::wp_task;

/// How an executor takes a task: what wp_submit_task() does, with the executor's own `self`.
pub type wp_submit_task_fn =
    Option<unsafe extern "C-unwind" fn(self_: *mut c_void, task: *const wp_task, timeout_ns: u64) -> c_int>;

/// Something that takes tasks. Code that only submits should ask for a `const wp_executor *` instead of a pool: then it works
/// with a pool, with a manual pool, and in its tests with a few lines of C that record what they are given.
///
///     executor->submit_task(executor->self, &task, WP_FOREVER);
///
/// Whoever makes one of their own keeps what wp_submit_task() promises: a return of WP_OK means that the task's `end` will be
/// called exactly once, any other that it never will. Sized like wp_options. Since 0.1.
///
/// cbindgen:field-names=[struct_size, self, submit_task, reserved_pointer]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wp_executor {
    /// sizeof(wp_executor).
    pub struct_size: usize,
    /// Handed to `submit_task`.
    pub self_: *mut c_void,
    /// Takes a task, or refuses it with one of the codes of wp_submit_task().
    pub submit_task: wp_submit_task_fn,
    /// NULL.
    pub reserved_pointer: *mut c_void,
}

// SAFETY: made of integers, pointers and nullable function pointers: all zeros is a value of each.
unsafe impl SizedStruct for wp_executor {}

/// Fills a wp_executor with zeros and its size: what WP_EXECUTOR_INIT does, for languages without C macros.
///
/// Returns WP_OK; WP_EINVAL: `executor` is NULL or `struct_size` can't be right (as for wp_options_init()).
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_executor_init(executor: *mut wp_executor, struct_size: usize) -> c_int {
    // SAFETY: the caller hands `struct_size` writable bytes, as documented.
    guard(|| unsafe { sized::init(executor, struct_size) })
}

unsafe extern "C-unwind" fn submit_to_pool(
    self_: *mut c_void,
    task: *const wp_task,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: `self` is the pool that wp_pool_executor() was given.
    unsafe { wp_submit_task(self_.cast(), task, timeout_ns) }
}

/// Fills an executor that stands for this pool. It is valid as long as the pool, and may be copied.
///
/// Returns WP_OK; WP_EINVAL: `pool` or `executor` is NULL, or its `struct_size` can't be right (as for wp_options_init());
/// WP_EFORKED; WP_EPANIC. Thread safety: any thread, also inside a callback. Blocks: never. Since 0.1.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wp_pool_executor(pool: *mut wp_pool, executor: *mut wp_executor) -> c_int {
    // SAFETY: as documented.
    unsafe {
        if let Err(error) = sized::check_output(executor) {
            return error.into();
        }
        on_pool(pool, |_| {
            let filled = wp_executor {
                struct_size: 0,
                self_: pool.cast(),
                submit_task: Some(submit_to_pool),
                reserved_pointer: std::ptr::null_mut(),
            };
            sized::write(executor, &filled);
            WP_OK
        })
    }
}
