//! The door to the planted faults, for the tests that build them in; not in the header.

use crate::faults;

/// Returns 1 if there is such a stage, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn wp_fault_plant(stage: u32, after: i64) -> i32 {
    faults::plant(stage, after).into()
}

/// With 1: holds the next call that is on its way back; with 0: lets it go.
#[unsafe(no_mangle)]
pub extern "C" fn wp_fault_hold(shall_hold: i32) {
    faults::hold(shall_hold != 0);
}

/// Whether a call is held.
#[unsafe(no_mangle)]
pub extern "C" fn wp_fault_is_held() -> i32 {
    faults::is_held().into()
}
