//! The kernel's way to sleep until another thread says otherwise.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while the word is `expected`, until woken or until `limit` has passed. May also return for no reason, a signal's
/// say.
pub fn wait(word: &AtomicU32, expected: u32, limit: Option<Duration>) {
    // The kernel's old timespec, of two words; where libc's time_t is wider than those it is not libc's timespec.
    let limit = limit.map(|limit| {
        let seconds = libc::c_long::try_from(limit.as_secs()).unwrap_or(libc::c_long::MAX);
        [seconds, limit.subsec_nanos() as libc::c_long]
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), |limit| limit.as_ptr());
    // SAFETY: the word and the limit are there during the call; whatever it returns, the caller looks at the word again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            limit,
        )
    };
}

/// Wakes one thread that sleeps on the word at this address. The word may be gone: then nobody is woken, or somebody who sleeps
/// on whatever is there now, and who has to expect that from any futex.
#[allow(clippy::not_unsafe_ptr_arg_deref, reason = "the address is a name, nothing is read there")]
pub fn wake_one(word: *const AtomicU32) {
    // SAFETY: the kernel takes the address as a name; it does not touch what is there.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}
