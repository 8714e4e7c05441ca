//! Says at once where this crate is of no use, in place of a hundred errors.

use std::{env, process};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        return;
    }
    println!(
        "cargo::error=miniss-linux needs Linux. On another system, take miniss-core with a reactor \
         of your own (its `manual::porting` shows how), or run the program in a container or a \
         virtual machine."
    );
    process::exit(1);
}
