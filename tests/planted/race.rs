//! A planted mistake: two threads write one number without any order between them. `scripts/tsan` proves with it that the Rust tests,
//! which are built in the same way, would be seen to do such a thing.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

static mut TOTAL: u64 = 0;
/// Whose turn it is; being relaxed, it puts nothing in order.
static STEP: AtomicU32 = AtomicU32::new(0);

fn main() {
    let other = std::thread::spawn(|| {
        while STEP.load(Relaxed) != 1 {}
        // SAFETY: none; this is the mistake.
        unsafe { TOTAL += 1 };
    });
    // SAFETY: none; this is the mistake.
    unsafe { TOTAL += 1 };
    STEP.store(1, Relaxed);
    other.join().unwrap();
}
