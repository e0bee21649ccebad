//! How many processors there are to run on.

/// The processors that this process may use, by its affinity; at least 1. Quotas don't count: the question is whether
/// two threads can run at the same instant.
pub fn usable() -> usize {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: all zeros is an empty set, and the size handed over is the set's.
        let count = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
                0 => libc::CPU_COUNT(&set),
                // More processors than the set can hold.
                _ => 2,
            }
        };
        (count as usize).max(1)
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: no preconditions.
    (unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize)
}
