//! Telling a forked child from its parent, for the price of one load.
//!
//! The process has one page that the kernel empties in the child of a fork (`MADV_WIPEONFORK`), also of a raw `clone`. It
//! holds the process's generation: pools remember theirs; in a child the word reads 0, which no pool remembers, until a
//! pool is made there and gives the child a generation of its own. Where the kernel lacks that (before Linux 4.14,
//! or another system) a fork handler empties the word instead.

use once_cell::sync::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Page(*mut libc::c_void);

// SAFETY: the page is only used as one atomic word, is never unmapped and never moves.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

static PAGE: OnceCell<Page> = OnceCell::new();

/// The last generation given out; unlike the page it survives a fork, so that a child never repeats an ancestor's.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Which process something was made in.
#[derive(Clone, Copy)]
pub struct Family {
    word: &'static AtomicU64,
    generation: u64,
}

impl Family {
    /// Whether the calling process is the one that made this.
    #[inline]
    pub fn is_ours(&self) -> bool {
        self.word.load(Relaxed) == self.generation
    }
}

fn word(page: &'static Page) -> &'static AtomicU64 {
    // SAFETY: a mapped, aligned page, never unmapped.
    unsafe { &*page.0.cast::<AtomicU64>() }
}

extern "C" fn empty_in_child() {
    if let Some(page) = PAGE.get() {
        word(page).store(0, Relaxed);
    }
}

fn map() -> Result<Page, ()> {
    // SAFETY: asks for fresh memory; the result is checked.
    let page = unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    if page == libc::MAP_FAILED {
        return Err(());
    }
    // SAFETY: a page that is ours.
    #[cfg(target_os = "linux")]
    let wiped = unsafe { libc::madvise(page, 4096, libc::MADV_WIPEONFORK) } == 0;
    #[cfg(not(target_os = "linux"))]
    let wiped = false;
    // SAFETY: the handler only stores to an atomic; the library is never unloaded (-z nodelete).
    if !wiped && unsafe { libc::pthread_atfork(None, None, Some(empty_in_child)) } != 0 {
        return Err(());
    }
    Ok(Page(page))
}

/// The calling process; `None` only when the system has no page left.
pub fn family() -> Option<Family> {
    let word = word(PAGE.get_or_try_init(map).ok()?);
    let mut generation = word.load(Relaxed);
    if generation == 0 {
        // The first pool in this process. Two threads may both be first: one generation wins.
        let fresh = LAST.fetch_add(1, Relaxed) + 1;
        generation = match word.compare_exchange(0, fresh, Relaxed, Relaxed) {
            Ok(_) => fresh,
            Err(theirs) => theirs,
        };
    }
    Some(Family { word, generation })
}
