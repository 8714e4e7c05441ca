//! The README's ten lines, and a greeting from each shard.
//!
//! `cargo run --release --example hello`
//!
//! All of it is this file, and all it needs is `miniss-linux`.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::exit;

use miniss_linux::{Runtime, ShardId, submit_to};

const HELP: &str = "hello: greets from each shard, and ends; it takes no arguments";

fn main() {
    if let Some(argument) = std::env::args_os().nth(1) {
        explain(&argument.to_string_lossy());
    }
    let runtime = Runtime::new();
    runtime.block_on(async {
        say("Hello from rust-miniss!");
        for shard in ShardId::all() {
            let name = submit_to(shard, async || ShardId::current().to_string()).await;
            say(&format!("Hello from {}!", name.expect("a shard that greets")));
        }
    });
}

fn explain(argument: &str) -> ! {
    if ["--help", "-h"].contains(&argument) {
        say(HELP);
        exit(0);
    }
    let _ = writeln!(io::stderr(), "hello: {argument}: unknown option; see --help");
    exit(2)
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
