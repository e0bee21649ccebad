//! The `struct_size` rule, in one place.
//!
//! Input: a shorter struct (an older caller) is extended with zeros; a longer one (a newer caller) must be zero
//! beyond what this library knows, else the caller relies on something that would be silently ignored. Output: at
//! most `struct_size` bytes are written. A size below 8, above 4,096 or not a multiple of 8 belongs to no version of any
//! struct: it is a forgotten or wild field.

use std::ffi::c_int;

use super::status::{WP_EINVAL, WP_OK};
use crate::pool::Error;

const MAX: usize = 4096;

/// A struct whose first field is `size_t struct_size`.
///
/// # Safety
/// `repr(C)`, `struct_size` first, no padding, and all zeros is a value of it.
pub unsafe trait Sized: Copy {}

fn check(struct_size: usize) -> Result<(), Error> {
    match struct_size {
        8..=MAX if struct_size % 8 == 0 => Ok(()),
        _ => Err(Error::Invalid),
    }
}

/// # Safety
/// `given` points to a `struct_size` and to as many readable bytes as that says.
pub unsafe fn read<T: Sized>(given: *const T) -> Result<T, Error> {
    // SAFETY: struct_size is the first field.
    let struct_size = unsafe { *given.cast::<usize>() };
    check(struct_size)?;
    let known = struct_size.min(size_of::<T>());
    // SAFETY: the caller's promise: struct_size readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(given.cast::<u8>(), struct_size) };
    if bytes[known..].iter().any(|&byte| byte != 0) {
        return Err(Error::Unsupported);
    }
    // SAFETY: all zeros is a value of T (the trait's promise).
    let mut value: T = unsafe { std::mem::zeroed() };
    // SAFETY: `known` bytes are readable there and fit here; any bytes that C wrote into a T are a T.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast::<u8>(), known) };
    Ok(value)
}

/// Checks what the caller prepared for output, before anything is done.
///
/// # Safety
/// `given` is NULL or points to a `struct_size`.
pub unsafe fn check_output<T: Sized>(given: *const T) -> Result<(), Error> {
    if given.is_null() {
        return Err(Error::Invalid);
    }
    // SAFETY: not NULL; struct_size is the first field.
    check(unsafe { *given.cast::<usize>() })
}

/// Writes `value`, except its `struct_size`, into what [`check_output`] accepted.
///
/// # Safety
/// `given` points to a `struct_size` and to as many writable bytes as that says.
pub unsafe fn write<T: Sized>(given: *mut T, value: &T) {
    let head = size_of::<usize>();
    // SAFETY: the caller's promise; source and target don't overlap, and both have the smaller size.
    unsafe {
        let known = (*given.cast::<usize>()).min(size_of::<T>());
        let from = (&raw const *value).cast::<u8>().add(head);
        std::ptr::copy_nonoverlapping(from, given.cast::<u8>().add(head), known - head);
    }
}

/// Zeros, and the size.
///
/// # Safety
/// `target` is NULL or points to `struct_size` writable bytes.
pub unsafe fn init<T: Sized>(target: *mut T, struct_size: usize) -> c_int {
    if target.is_null() || check(struct_size).is_err() {
        return WP_EINVAL;
    }
    // SAFETY: the caller's promise.
    unsafe {
        std::ptr::write_bytes(target.cast::<u8>(), 0, struct_size);
        *target.cast::<usize>() = struct_size;
    }
    WP_OK
}
