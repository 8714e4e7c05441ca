//! The README's ten lines, and a greeting from each shard.
//!
//! `cargo run --release --example hello`
//!
//! All of it is this file, and all it needs is `miniss-linux`, with its feature `macros`.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use miniss_linux::{ShardId, submit_to};

const HELP: &str = "hello: greets from each shard, and ends; it takes no arguments";

#[miniss_linux::main]
async fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        return explain(&argument.to_string_lossy());
    }
    say("Hello from rust-miniss!");
    for shard in ShardId::all() {
        let name = submit_to(shard, async || ShardId::current().to_string()).await;
        say(&format!("Hello from {}!", name.expect("a shard that greets")));
    }
    ExitCode::SUCCESS
}

fn explain(argument: &str) -> ExitCode {
    if ["--help", "-h"].contains(&argument) {
        say(HELP);
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "hello: {argument}: unknown option; see --help");
    ExitCode::from(2)
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
