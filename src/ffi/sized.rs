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
        8..=MAX if struct_size.is_multiple_of(8) => Ok(()),
        _ => Err(Error::Invalid),
    }
}

/// # Safety
/// `given` points to a `struct_size` and to as many readable bytes as that says.
pub unsafe fn read<T: Sized>(given: *const T) -> Result<T, Error> {
    // SAFETY: struct_size is the first field.
    let struct_size = unsafe { *given.cast::<usize>() };
    if struct_size == size_of::<T>() {
        // SAFETY: all of it is there, and any bytes that C wrote into a T are a T.
        return Ok(unsafe { given.read_unaligned() });
    }
    // SAFETY: as above.
    unsafe { read_other(given, struct_size) }
}

/// # Safety
/// As for [`read`].
#[cold]
unsafe fn read_other<T: Sized>(given: *const T, struct_size: usize) -> Result<T, Error> {
    check(struct_size)?;
    let known = struct_size.min(size_of::<T>());
    // SAFETY: the caller's promise: struct_size readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(given.cast::<u8>(), struct_size) };
    if bytes[known..].iter().any(|&byte| byte != 0) {
        return Err(Error::Unsupported);
    }
    // SAFETY: `known` bytes are readable there and no more than a T.
    Ok(unsafe { extend(given.cast(), known) })
}

/// The first `known` bytes of a struct, the rest zeros.
///
/// # Safety
/// So many bytes are readable there, and they are not more than a T has.
unsafe fn extend<T: Sized>(given: *const u8, known: usize) -> T {
    // SAFETY: all zeros is a value of T (the trait's promise).
    let mut value: T = unsafe { std::mem::zeroed() };
    // SAFETY: the caller's promise; any bytes that C wrote into a T are a T.
    unsafe { std::ptr::copy_nonoverlapping(given, (&raw mut value).cast::<u8>(), known) };
    value
}

/// An array whose elements have `size` bytes each, every one of them checked.
pub struct Array<T> {
    first: *const u8,
    size: usize,
    element: std::marker::PhantomData<*const T>,
}

impl<T: Sized> Array<T> {
    /// # Safety
    /// `first` is NULL or points to `count` elements of `size` readable bytes, which stay as they are while the array is used.
    pub unsafe fn new(
        first: *const T,
        count: usize,
        size: usize,
        check: impl Fn(&T) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let is_walkable = count.checked_mul(size).is_some_and(|bytes| bytes <= isize::MAX as usize);
        if first.is_null() || !is_walkable {
            return Err(Error::Invalid);
        }
        self::check(size)?;
        let array = Array { first: first.cast(), size, element: std::marker::PhantomData };
        for index in 0..count {
            let element = array.at(index);
            // SAFETY: the element is there; it must have the size that the caller walks by.
            if unsafe { element.read_unaligned() } != size {
                return Err(Error::Invalid);
            }
            // SAFETY: as above.
            check(&unsafe { read(element.cast::<T>()) }?)?;
        }
        Ok(array)
    }

    fn at(&self, index: usize) -> *const usize {
        self.first.wrapping_add(index * self.size).cast()
    }

    /// One of the elements that were checked. It can't fail, so whoever has room for an element can rely on getting it.
    #[inline]
    pub fn get(&self, index: usize) -> T {
        if self.size == size_of::<T>() {
            // SAFETY: checked; any bytes that C wrote into a T are a T.
            unsafe { self.at(index).cast::<T>().read_unaligned() }
        } else {
            // SAFETY: checked.
            unsafe { extend(self.at(index).cast(), self.size.min(size_of::<T>())) }
        }
    }
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

/// Checks an array of `count` elements, `size` bytes apart, that the caller prepared for output.
pub fn check_array<T: Sized>(first: *const T, count: usize, size: usize) -> Result<(), Error> {
    let is_walkable = count.checked_mul(size).is_some_and(|bytes| bytes <= isize::MAX as usize);
    if first.is_null() || !is_walkable { Err(Error::Invalid) } else { check(size) }
}

/// Writes `value` into an element of `size` bytes of what [`check_array`] accepted, whose `struct_size` it sets.
///
/// # Safety
/// `element` points to `size` writable bytes.
pub unsafe fn write_element<T: Sized>(element: *mut T, value: &T, size: usize) {
    // SAFETY: the caller's promise; struct_size is the first field.
    unsafe {
        *element.cast::<usize>() = size;
        write(element, value);
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
