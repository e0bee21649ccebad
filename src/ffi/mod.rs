//! The border to C: thin, no logic. The rules that hold for every file here:
//!
//! - Each exported function runs inside [`guard::guard`], so no panic leaves the library.
//! - Each pointer is checked for NULL before use; what else must hold is the C contract that the header states.
//! - Structs cross through [`sized`], the only place that knows the `struct_size` rule.
//! - No Rust enum is ever made from a C value: C hands integers, which are checked.
//! - Doc comments of public items are the header's text: they are written for a C programmer.
//!
//! The order of the header is the order of the files in `build.rs`.

#![allow(non_camel_case_types, reason = "the names are C's")]
#![allow(clippy::missing_safety_doc, reason = "the doc comment is the C contract: it says what must hold")]

pub mod context;
pub mod ending;
pub mod executor;
#[cfg(feature = "faults")]
pub mod faults;
pub mod group;
pub mod guard;
pub mod limits;
pub mod manual;
pub mod options;
pub mod pool;
pub mod results;
pub mod room;
pub mod sized;
pub mod stats;
pub mod status;
pub mod submit;
pub mod task;
pub mod version;
