//! libworkerpool: a bounded worker pool as a C library. This file is the map of the code, nothing else.
//!
//! - [`pool`]: the core. It knows nothing of C; what it runs is a [`pool::Job`]. Its module documentation states the
//!   protocol (states, transitions, invariants) that everything else relies on.
//! - [`ffi`]: the border: the exported functions and the structs that cross.
//! - `sys`: what only the operating system can do: threads, signal masks, fork, clock.
//! - `faults`: planted faults, for the tests that build them in.
//! - `sync`: the only door to `std::sync`; a model checker's types come in here.
//!
//! The product's interface is C's: `include/workerpool.h`. The Rust items are public for this repository's tests only.

mod faults;
#[cfg(not(any(wp_loom, wp_shuttle)))]
pub mod ffi;
pub mod pool;
pub mod sync;
pub mod sys;
