// SPDX-License-Identifier: MIT
//! The Rust side of benches/peer.h: what it calls a job and a peer's traits, and `peer!`, which exports a pool under
//! the names that the driver calls.

use std::ffi::{CString, c_char, c_uint};

#[repr(C)]
pub struct RawJob {
    run: extern "C" fn(*mut RawJob),
}

#[derive(Clone, Copy)]
pub struct Job(pub *mut RawJob);

// SAFETY: the driver's jobs may be run by any thread.
unsafe impl Send for Job {}

impl Job {
    pub fn run(self) {
        // SAFETY: the driver keeps a job until it has run.
        unsafe { ((*self.0).run)(self.0) }
    }
}

/// In the order of `struct peer_traits`.
#[repr(C)]
pub struct Traits {
    pub is_bounded: bool,
    pub queues: bool,
    pub submits_in_task: bool,
    pub can_end: bool,
    pub drains: bool,
}

pub trait Peer: Sized {
    const CRATE: &str;
    const TRAITS: Traits;

    fn create(workers: usize, capacity: usize) -> Self;
    fn submit(&self, job: Job);
    fn destroy(self);

    fn create_raw(workers: c_uint, capacity: c_uint) -> *mut Self {
        Box::into_raw(Box::new(Self::create(workers as usize, capacity as usize)))
    }

    /// The version of the crate that this was built with, to be kept by the caller.
    fn version_raw() -> *const c_char {
        let head = format!("name = \"{}\"\nversion = \"", Self::CRATE);
        let (_, tail) = include_str!("../Cargo.lock").split_once(&head).expect("the crate is locked");
        let (version, _) = tail.split_once('"').expect("a string ends");
        CString::new(version).expect("a version has no NUL").into_raw()
    }
}

#[macro_export]
macro_rules! peer {
    ($peer:ty) => {
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals)]
        pub static peer_traits: $crate::Traits = <$peer as $crate::Peer>::TRAITS;

        #[unsafe(no_mangle)]
        pub extern "C" fn peer_version() -> *const std::ffi::c_char {
            <$peer as $crate::Peer>::version_raw()
        }

        #[unsafe(no_mangle)]
        pub extern "C" fn peer_create(
            workers: std::ffi::c_uint,
            capacity: std::ffi::c_uint,
            _producers: std::ffi::c_uint,
        ) -> *mut $peer {
            <$peer as $crate::Peer>::create_raw(workers, capacity)
        }

        /// # Safety
        /// `peer` was made by `peer_create` and not destroyed.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn peer_submit(peer: *const $peer, job: *mut $crate::RawJob) {
            // SAFETY: as this function's own.
            unsafe { $crate::Peer::submit(&*peer, $crate::Job(job)) }
        }

        /// # Safety
        /// As `peer_submit`, and no other call follows.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn peer_destroy(peer: *mut $peer) {
            // SAFETY: as this function's own.
            $crate::Peer::destroy(*unsafe { Box::from_raw(peer) })
        }
    };
}
