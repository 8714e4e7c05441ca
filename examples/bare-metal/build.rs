//! Link arguments for kernels: no start files, no libraries, and a place of their own in memory.

#![forbid(unsafe_code)]

use std::env;

const ARGUMENTS: [&str; 7] = [
    "-nostdlib",
    "-nostartfiles",
    "-static",
    "-no-pie",
    "-Wl,--build-id=none",
    "-Wl,--gc-sections",
    // Segments begin on pages of 4 KiB; the linker would place them 2 MiB apart.
    "-Wl,-z,max-page-size=0x1000",
];

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    for argument in ARGUMENTS {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{folder}/link.ld");
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rerun-if-changed=build.rs");
}
