//! The version macros' twins at run time.

use std::ffi::c_char;

/// The version of the library that runs, as major * 1,000,000 + minor * 1,000 + patch. Compare it with
/// WP_VERSION_NUMBER, which is the header's, to see whether a program runs with the library that it was compiled for.
///
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn wp_version_number() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut value, mut at) = (text.as_bytes(), 0, 0);
        while at < bytes.len() {
            value = value * 10 + (bytes[at] - b'0') as u32;
            at += 1;
        }
        value
    }
    const {
        number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
            + number(env!("CARGO_PKG_VERSION_PATCH"))
    }
}

/// The same as text, "0.1.0" say; constant, never freed.
///
/// Thread safety: any thread. Blocks: never. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn wp_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
