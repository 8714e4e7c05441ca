//! Calls between shards and from threads that are none, with both unparkers.

#![forbid(unsafe_code)]

mod calls;
mod ends;
mod foreign;
mod wakes;

use std::time::Duration;

use miniss_linux::{Runtime, WakeBy};
use miniss_tests::deadline::{SOON, deadline};

const WAKE_METHODS: [WakeBy; 2] = [WakeBy::EventFd, WakeBy::MsgRing];
const LONG: Duration = SOON;

fn runtime(shards: usize, unparker: WakeBy) -> Runtime {
    Runtime::builder().shards(shards).wake_by(unparker).build().unwrap()
}

/// Runs `body` on shard 0 of a runtime, once with each unparker.
fn with_both(name: &'static str, shards: usize, body: impl AsyncFn()) {
    for unparker in WAKE_METHODS {
        let _deadline = deadline(name);
        runtime(shards, unparker).block_on(body());
    }
}

/// As [`with_both`], where the order in which tasks are polled is what is looked at.
fn in_order(name: &'static str, shards: usize, body: impl AsyncFn()) {
    for unparker in WAKE_METHODS {
        let _deadline = deadline(name);
        let builder = Runtime::builder().shards(shards).wake_by(unparker);
        builder.shuffle(0).build().unwrap().block_on(body());
    }
}
