//! Telling a forked child from its parent, for the price of one load.
//!
//! # States
//!
//! One page of the library's own data holds the process's generation; the kernel empties it in the child of a fork
//! (`MADV_WIPEONFORK`), also of a raw `clone`. Where the kernel lacks that (before Linux 4.14, or another system) a fork handler
//! empties it instead, which sees no raw `clone`. A thing that is made remembers the generation that it was made in.
//!
//! # Transitions
//!
//! - the first thing is made in a process: the emptying is arranged, then 0 → a number that no ancestor had.
//! - fork: in the child → 0, which nothing remembers.
//!
//! # Invariants
//!
//! - F1: nobody ever waits here, so a fork while another thread is inside leaves the child nothing to wait for. Two threads may both
//!   be first: both arrange the emptying, which is the same twice, and one generation wins.
//! - F2: nothing is allocated or mapped, so nothing is left behind where a static copy of the library is unloaded with its plug-in.

use once_cell::race::OnceBool;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Fills a page of its own, the largest that a kernel for this processor may have.
#[cfg_attr(
    any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm", target_arch = "riscv64"),
    repr(align(4096))
)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm", target_arch = "riscv64")),
    repr(align(65536))
)]
struct Page(AtomicU64);

static GENERATION: Page = Page(AtomicU64::new(0));

/// The last generation given out; unlike the page it survives a fork, so that a child never repeats an ancestor's.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Set once the emptying is arranged; true if the kernel does it. It survives a fork, as what was arranged does.
static ARRANGED: OnceBool = OnceBool::new();

/// Which process something was made in.
#[derive(Clone, Copy)]
pub struct Family {
    generation: u64,
}

impl Family {
    /// Whether the calling process is the one that made this.
    #[inline]
    pub fn is_ours(&self) -> bool {
        GENERATION.0.load(Relaxed) == self.generation
    }
}

extern "C" fn empty_in_child() {
    GENERATION.0.store(0, Relaxed);
}

/// Whether the kernel will empty the page.
fn advise() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: whole pages that hold nothing else. They lie in the zeroed part of the data, which is anonymous memory; the kernel
    // refuses any other.
    unsafe {
        let page = (&raw const GENERATION).cast_mut().cast();
        libc::sysconf(libc::_SC_PAGESIZE) as usize <= size_of::<Page>()
            && libc::madvise(page, size_of::<Page>(), libc::MADV_WIPEONFORK) == 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}

fn arrange() -> Result<bool, ()> {
    let is_wiped = advise();
    // SAFETY: the handler only stores to an atomic; it goes when the library is unloaded.
    if !is_wiped && unsafe { libc::pthread_atfork(None, None, Some(empty_in_child)) } != 0 {
        return Err(());
    }
    Ok(is_wiped)
}

/// The calling process; `None` only when the system has no memory left to remember a fork handler.
pub fn family() -> Option<Family> {
    ARRANGED.get_or_try_init(arrange).ok()?;
    let mut generation = GENERATION.0.load(Relaxed);
    if generation == 0 {
        let fresh = LAST.fetch_add(1, Relaxed) + 1;
        generation = match GENERATION.0.compare_exchange(0, fresh, Relaxed, Relaxed) {
            Ok(_) => fresh,
            Err(theirs) => theirs,
        };
    }
    Some(Family { generation })
}
