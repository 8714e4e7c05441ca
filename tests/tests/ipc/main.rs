//! Calls between shards and from threads that are none.

#![forbid(unsafe_code)]

mod calls;
mod ends;
mod foreign;
mod wakes;

use std::time::Duration;

use miniss_linux::Runtime;
use miniss_tests::deadline::{SOON, deadline};

const LONG: Duration = SOON;

fn runtime(shards: usize) -> Runtime {
    Runtime::builder().shards(shards).build().unwrap()
}

/// Runs `body` on shard 0 of a runtime.
fn on_shard_0(name: &'static str, shards: usize, body: impl AsyncFn()) {
    let _deadline = deadline(name);
    runtime(shards).block_on(body());
}

/// As [`on_shard_0`], where the order in which tasks are polled is what is looked at.
fn in_order(name: &'static str, shards: usize, body: impl AsyncFn()) {
    let _deadline = deadline(name);
    let builder = Runtime::builder().shards(shards);
    builder.shuffle(0).build().unwrap().block_on(body());
}
