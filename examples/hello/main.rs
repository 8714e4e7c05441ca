//! The README's ten lines, and a greeting from each shard.
//!
//! `cargo run --release --example hello`

use miniss_linux::{Runtime, ShardId, submit_to};

fn main() {
    if std::env::args().len() > 1 {
        println!("hello: greets from every shard of a runtime. It takes no options.");
        let asked = std::env::args().nth(1).is_some_and(|arg| arg == "--help" || arg == "-h");
        std::process::exit(if asked { 0 } else { 2 });
    }
    let runtime = Runtime::new();
    runtime.block_on(async {
        println!("Hello from rust-miniss!");
        for shard in ShardId::all() {
            let name = submit_to(shard, async || ShardId::current().to_string()).await;
            println!("Hello from {}!", name.expect("a shard that greets"));
        }
    });
}
