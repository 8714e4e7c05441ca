//! The README's ten lines, and a greeting from each shard.
//!
//! `cargo run --release --example hello`

use examples::options::{Options, refuse};
use miniss_linux::{Runtime, ShardId, submit_to};

fn main() {
    Options::from_command_line("hello: greets from every shard of a runtime. It takes no options.")
        .finish()
        .unwrap_or_else(|error| refuse("hello", &error));
    let runtime = Runtime::new();
    runtime.block_on(async {
        println!("Hello from rust-miniss!");
        for shard in ShardId::all() {
            let name = submit_to(shard, async || ShardId::current().to_string()).await;
            println!("Hello from {}!", name.expect("a shard that greets"));
        }
    });
}
