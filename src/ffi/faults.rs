//! The door to the planted faults, for the tests that build them in; not in the header.

use crate::faults;

/// Returns 1 if there is such a stage, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn wp_fault_plant(stage: u32, after: i64) -> i32 {
    faults::plant(stage, after).into()
}
