//! The README's ten lines, and a greeting from each shard.
//!
//! `cargo run --release --example hello`
//!
//! All of it is this file, and all it needs is `miniss-linux`.

#![forbid(unsafe_code)]

use miniss_linux::{Runtime, ShardId, submit_to};

fn main() {
    let runtime = Runtime::new();
    runtime.block_on(async {
        println!("Hello from rust-miniss!");
        for shard in ShardId::all() {
            let name = submit_to(shard, async || ShardId::current().to_string()).await;
            println!("Hello from {}!", name.expect("a shard that greets"));
        }
    });
}
