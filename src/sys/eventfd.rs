//! A descriptor for `poll` and its kin that is readable while somebody says so.

use std::ffi::c_int;

/// Readable from [`EventFd::raise`] to [`EventFd::lower`]; closed when dropped.
pub struct EventFd(c_int);

/// Why there is no descriptor.
pub enum Refusal {
    /// The system has none left, or no memory for it.
    Exhausted,
    /// The system has no such thing.
    Unknown,
}

#[cfg(target_os = "linux")]
impl EventFd {
    pub fn new() -> Result<EventFd, Refusal> {
        // SAFETY: no preconditions; the result is checked.
        match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
            -1 => Err(Refusal::Exhausted),
            number => Ok(EventFd(number)),
        }
    }

    /// Never waits: the counter goes from 0 to 1.
    pub fn raise(&self) {
        let one = 1u64;
        // SAFETY: eight readable bytes and a descriptor that is ours. It can fail only if its user has written to it; then it
        // is readable already.
        unsafe { libc::write(self.0, (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Never waits: the descriptor doesn't block, whatever the counter is.
    pub fn lower(&self) {
        let mut counter = 0u64;
        // SAFETY: eight writable bytes and a descriptor that is ours. It can fail only if its user has read it; then it is not
        // readable already.
        unsafe { libc::read(self.0, (&raw mut counter).cast(), size_of::<u64>()) };
    }
}

#[cfg(not(target_os = "linux"))]
impl EventFd {
    pub fn new() -> Result<EventFd, Refusal> {
        Err(Refusal::Unknown)
    }

    pub fn raise(&self) {}

    pub fn lower(&self) {}
}

impl EventFd {
    pub fn number(&self) -> c_int {
        self.0
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: a descriptor that is ours, for the last time.
        unsafe { libc::close(self.0) };
    }
}
