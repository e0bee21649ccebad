// SPDX-License-Identifier: MIT
//
// A Rust program that uses the library as any other: what the library does to keep quiet about its own faults must not touch the
// program's panics.

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn wp_create(options: *const c_void, pool: *mut *mut c_void) -> c_int;
    fn wp_submit(pool: *mut c_void, run: extern "C" fn(*mut c_void), arg: *mut c_void) -> c_int;
    fn wp_destroy(pool: *mut c_void) -> c_int;
    fn wp_fault_plant(stage: u32, after: i64) -> i32;
}

extern "C" fn panics_inside(_: *mut c_void) {
    assert!(std::panic::catch_unwind(|| panic!("the program's own, on a worker")).is_err());
}

fn main() {
    let mut pool = std::ptr::null_mut();
    const SUBMIT: u32 = 1;
    unsafe {
        assert_eq!(0, wp_create(std::ptr::null(), &mut pool));
        assert_eq!(0, wp_submit(pool, panics_inside, std::ptr::null_mut()));
        assert_eq!(0, wp_destroy(pool));
        assert_eq!(0, wp_create(std::ptr::null(), &mut pool));
        assert_eq!(1, wp_fault_plant(SUBMIT, 0));
        let mut code = 0;
        while code == 0 {
            code = wp_submit(pool, panics_inside, std::ptr::null_mut()); // until one can't go the quick way
        }
        assert_eq!(-9, code);
    }
    panic!("the program's own, on its main thread");
}
