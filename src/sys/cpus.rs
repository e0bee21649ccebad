//! How many processors there are to run on.

#[cfg(target_os = "linux")]
use super::cgroup;

/// Why a pool has as many workers as it has. The numbers are the C interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The options say so.
    Asked = 1,
    /// So many processors the system has.
    Processors = 2,
    /// So many the process's affinity leaves it; a cpuset shows there too.
    Affinity = 3,
    /// So many its control groups' quota leaves it.
    Quota = 4,
}

/// The processors that this process may use, by its affinity; at least 1. Quotas don't count: the question is whether
/// two threads can run at the same instant.
pub fn usable() -> u32 {
    #[cfg(target_os = "linux")]
    {
        // Room for 8,192 processors; the kernel refuses a set that is too small.
        let mut set = [0u64; 128];
        // SAFETY: the size handed over is the set's.
        let is_told = unsafe { libc::sched_getaffinity(0, size_of_val(&set), set.as_mut_ptr().cast()) } == 0;
        let count: u32 = set.iter().map(|word| word.count_ones()).sum();
        if is_told { count.max(1) } else { online() }
    }
    #[cfg(not(target_os = "linux"))]
    online()
}

/// The processors that the system has; at least 1.
fn online() -> u32 {
    // SAFETY: no preconditions.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(count).unwrap_or(1).max(1)
}

/// As many threads as this process may run at once, by affinity and quota, rounded down, at least 1; and what decided.
pub fn allowed() -> (u32, Reason) {
    #[cfg(target_os = "linux")]
    let quota = cgroup::quota(b"");
    #[cfg(not(target_os = "linux"))]
    let quota = None;
    decide(online(), usable(), quota)
}

fn decide(online: u32, usable: u32, quota: Option<u64>) -> (u32, Reason) {
    match quota {
        Some(quota) if quota < u64::from(usable) => ((quota as u32).max(1), Reason::Quota),
        _ if usable < online => (usable, Reason::Affinity),
        _ => (usable, Reason::Processors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// oneTBB's #2056: a quota of one processor and no worker at all.
    #[test]
    fn there_is_always_a_worker() {
        assert_eq!((1, Reason::Quota), decide(8, 8, Some(0)));
        assert_eq!((1, Reason::Quota), decide(1, 1, Some(0)));
        assert_eq!((1, Reason::Quota), decide(8, 4, Some(1)));
        assert_eq!((1, Reason::Processors), decide(1, 1, Some(1)));
        assert!(allowed().0 >= 1);
    }

    #[test]
    fn the_strictest_decides() {
        assert_eq!((8, Reason::Processors), decide(8, 8, None));
        assert_eq!((8, Reason::Processors), decide(8, 8, Some(8)));
        assert_eq!((3, Reason::Affinity), decide(8, 3, None));
        assert_eq!((3, Reason::Affinity), decide(8, 3, Some(5)));
        assert_eq!((2, Reason::Quota), decide(8, 3, Some(2)));
    }
}
