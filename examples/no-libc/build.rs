//! Link arguments for the program that has neither std nor libc.

#![forbid(unsafe_code)]

const ARGUMENTS: [&str; 7] = [
    "-nostdlib",
    "-nostartfiles",
    "-static",
    "-no-pie",
    "-Wl,--gc-sections",
    // No one loads it in steps after which parts could become read-only.
    "-Wl,-z,norelro",
    // The precompiled `core` was built to unwind and still names this symbol; nothing calls it.
    "-Wl,--defsym=rust_eh_personality=0",
];

fn main() {
    for argument in ARGUMENTS {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
