//! Link arguments: where in the machine's memory a program stands.

#![forbid(unsafe_code)]

use std::env;

fn main() {
    let variable = |name| env::var(name).expect("cargo sets it");
    let folder = variable("CARGO_MANIFEST_DIR");
    let arguments = match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "arm" => vec![format!("-T{folder}/flash.ld")],
        "aarch64" => vec![format!("-T{folder}/memory.ld"), "--defsym=FIRST=0x40080000".into()],
        "riscv32" => vec![format!("-T{folder}/memory.ld"), "--defsym=FIRST=0x80000000".into()],
        // A linker for programs with libc must be told to leave it out.
        "x86_64" => vec![
            "-nostdlib".into(),
            "-nostartfiles".into(),
            "-static".into(),
            "-no-pie".into(),
            "-Wl,--build-id=none,--gc-sections,-z,max-page-size=0x1000".into(),
            format!("-Wl,-T,{folder}/../bare-metal/link.ld"),
        ],
        other => panic!("there is no port to {other}"),
    };
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    for file in ["build.rs", "flash.ld", "memory.ld", "../bare-metal/link.ld"] {
        println!("cargo:rerun-if-changed={file}");
    }
}
