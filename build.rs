//! Two jobs: give the shared library its SONAME, and, with the feature `header`, write the C header
//! to `OUT_DIR` (never into the source tree: `make header` copies it, a test compares it).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // cargo-c's rule: until 1.0 the minor version is part of the ABI's name.
        let soname = match env::var("CARGO_PKG_VERSION_MAJOR").as_deref() {
            Ok("0") => format!("libworkerpool.so.0.{}", env::var("CARGO_PKG_VERSION_MINOR").unwrap()),
            major => format!("libworkerpool.so.{}", major.unwrap()),
        };
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
        // Unloading a library whose threads may still run its code is never sound.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    #[cfg(feature = "header")]
    header();
}

#[cfg(feature = "header")]
fn header() {
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=src");
    let root = env::var("CARGO_MANIFEST_DIR").unwrap();
    let out = std::path::Path::new(&env::var("OUT_DIR").unwrap()).join("workerpool.h");
    let mut config = cbindgen::Config::from_file(format!("{root}/cbindgen.toml")).expect("cbindgen.toml");
    // The version macros come from Cargo.toml, so that they can't disagree with it.
    let [major, minor, patch] =
        ["MAJOR", "MINOR", "PATCH"].map(|part| env::var(format!("CARGO_PKG_VERSION_{part}")).unwrap());
    config.after_includes = config
        .after_includes
        .map(|text| text.replace("@MAJOR@", &major).replace("@MINOR@", &minor).replace("@PATCH@", &patch));
    cbindgen::Builder::new()
        .with_src(format!("{root}/src/ffi/status.rs"))
        .with_src(format!("{root}/src/ffi/limits.rs"))
        .with_src(format!("{root}/src/ffi/options.rs"))
        .with_src(format!("{root}/src/ffi/task.rs"))
        .with_src(format!("{root}/src/ffi/context.rs"))
        .with_src(format!("{root}/src/ffi/stats.rs"))
        .with_src(format!("{root}/src/ffi/pool.rs"))
        .with_src(format!("{root}/src/ffi/submit.rs"))
        .with_src(format!("{root}/src/ffi/ending.rs"))
        .with_src(format!("{root}/src/ffi/group.rs"))
        .with_src(format!("{root}/src/ffi/results.rs"))
        .with_src(format!("{root}/src/ffi/room.rs"))
        .with_src(format!("{root}/src/ffi/executor.rs"))
        .with_src(format!("{root}/src/ffi/manual.rs"))
        .with_src(format!("{root}/src/ffi/version.rs"))
        .with_config(config)
        .generate()
        .expect("the header can be made from src/ffi")
        .write_to_file(&out);
}
