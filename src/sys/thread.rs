//! Threads without allocation: `std::thread` allocates on the way, and aborts when it can't.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

/// Linux's limit for a thread's name, with its final 0.
pub const NAME_BYTES: usize = 16;

/// What the C library itself allocates for a thread, besides its stack, as measured on glibc 2.36 (its table of
/// thread-local storage). musl keeps everything on the stack.
pub const SYSTEM_RECORD: usize = if cfg!(target_env = "gnu") { 288 } else { 0 };

/// The number of the calling thread: never 0, and unlike any other thread's that lives.
pub fn id() -> u64 {
    // SAFETY: no preconditions.
    (unsafe { libc::pthread_self() }) as u64
}

/// As much of a name as can be kept.
pub fn name_prefix(name: &CStr) -> [u8; NAME_BYTES] {
    let mut prefix = [0; NAME_BYTES];
    let bytes = name.to_bytes();
    let kept = bytes.len().min(NAME_BYTES - 1);
    prefix[..kept].copy_from_slice(&bytes[..kept]);
    prefix
}

/// "name-index", cut to the limit so that the index stays whole.
fn full_name(prefix: &[u8; NAME_BYTES], index: u32) -> [u8; NAME_BYTES] {
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut rest = index;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = &digits[at..];
    let length = prefix.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
    let kept = length.min(NAME_BYTES - 2 - digits.len());
    let mut name = [0; NAME_BYTES];
    name[..kept].copy_from_slice(&prefix[..kept]);
    name[kept] = b'-';
    name[kept + 1..kept + 1 + digits.len()].copy_from_slice(digits);
    name
}

/// How a thread is to be.
pub struct How<'a> {
    pub name: &'a [u8; NAME_BYTES],
    pub index: u32,
    pub stack_size: usize,
}

/// What a new thread needs to begin; it lives in its seat, so that starting allocates nothing.
struct Start {
    body: fn(*const (), u32),
    data: *const (),
    index: u32,
    name: [u8; NAME_BYTES],
}

/// The place of one thread: started at most once, joined at most once.
pub struct Seat {
    thread: UnsafeCell<MaybeUninit<libc::pthread_t>>,
    start: UnsafeCell<MaybeUninit<Start>>,
    taken: AtomicBool,
}

// SAFETY: `thread` and `start` are written by the one call of start() before `taken` is set (Release), and `thread` is read
// after it was seen set (Acquire). The new thread reads `start`, which pthread_create orders after the writing.
unsafe impl Sync for Seat {}
// SAFETY: nothing in it belongs to a thread; the data pointer is under start()'s contract.
unsafe impl Send for Seat {}

impl Default for Seat {
    fn default() -> Self {
        let nothing = MaybeUninit::uninit();
        Seat {
            thread: UnsafeCell::new(nothing),
            start: UnsafeCell::new(MaybeUninit::uninit()),
            taken: AtomicBool::new(false),
        }
    }
}

extern "C" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: start() handed its own Start, which stays until the thread was joined.
    let start = unsafe { &*start.cast::<Start>() };
    #[cfg(target_os = "linux")]
    // SAFETY: a name of at most 15 bytes with its final 0.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), start.name.as_ptr().cast());
    }
    open_signals();
    (start.body)(start.data, start.index);
    std::ptr::null_mut()
}

impl Seat {
    /// Starts the thread, which calls `body(data, index)`. It takes no asynchronous signal but SIGPROF and SIGABRT. The error is the
    /// system's number for why it did not start.
    ///
    /// # Safety
    /// Called once. The seat stays where it is, and `data` valid, until [`Seat::join`] has returned.
    pub unsafe fn start(&self, how: &How, body: fn(*const (), u32), data: *const ()) -> Result<(), c_int> {
        let start = Start { body, data, index: how.index, name: full_name(how.name, how.index) };
        // SAFETY: called once, so nobody else uses the field yet.
        let start = unsafe { (*self.start.get()).write(start) };
        // SAFETY: called once, so nobody else uses the field yet.
        let thread = unsafe { (*self.thread.get()).as_mut_ptr() };
        let result = with_attributes(how.stack_size, |attributes| {
            with_signals_blocked(|| {
                // SAFETY: valid attributes, and a start record that stays (the caller's promise).
                unsafe { libc::pthread_create(thread, attributes, begin, (&raw mut *start).cast()) }
            })
        });
        if result != 0 {
            return Err(result);
        }
        self.taken.store(true, Ordering::Release);
        Ok(())
    }

    /// Waits for the thread's end, if it was ever started. Callers see to it that only one of them joins.
    pub fn join(&self) {
        if self.taken.swap(false, Ordering::Acquire) {
            // SAFETY: started, and joined by nobody else, since `taken` was set until now.
            unsafe { libc::pthread_join((*self.thread.get()).assume_init(), std::ptr::null_mut()) };
        }
    }
}

fn with_attributes(stack_size: usize, body: impl FnOnce(*const libc::pthread_attr_t) -> c_int) -> c_int {
    // SAFETY: initialised before use, destroyed after it; a page size is a power of two.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE).max(4096) as usize;
        let Some(rounded) = stack_size.checked_next_multiple_of(page) else { return libc::EINVAL };
        let mut attributes = MaybeUninit::uninit();
        let mut result = libc::pthread_attr_init(attributes.as_mut_ptr());
        if result != 0 {
            return result;
        }
        // More than we ask for at least, on some processors.
        let size = rounded.max(libc::PTHREAD_STACK_MIN);
        result = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size);
        if result == 0 {
            result = body(attributes.as_ptr());
        }
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        result
    }
}

/// A new thread inherits the mask of its maker: asynchronous signals must reach the program's own threads, not ours. None is open
/// meanwhile that was not before, or the maker would take it here.
fn with_signals_blocked<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: sets are initialised before use; the mask is put back before returning.
    unsafe {
        let (mut blocked, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        libc::sigfillset(blocked.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
        let result = body();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        result
    }
}

/// On the new thread: SIGPROF for profilers, SIGABRT, which a thread's own abort() raises, and what its own instructions do.
fn open_signals() {
    const OPEN: [c_int; 8] = [
        libc::SIGPROF,
        libc::SIGABRT,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];
    // SAFETY: the set is initialised before use.
    unsafe {
        let mut open = MaybeUninit::uninit();
        libc::sigemptyset(open.as_mut_ptr());
        for signal in OPEN {
            libc::sigaddset(open.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, open.as_ptr(), std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &CStr, index: u32) -> String {
        let full = full_name(&name_prefix(name), index);
        String::from_utf8(full.iter().copied().take_while(|&byte| byte != 0).collect()).unwrap()
    }

    #[test]
    fn a_thread_name_keeps_its_index_whole() {
        assert_eq!(named(c"wp", 0), "wp-0");
        assert_eq!(named(c"", 7), "-7");
        assert_eq!(named(c"a-name-that-is-far-too-long", 4095), "a-name-tha-4095");
    }
}
