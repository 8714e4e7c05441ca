//! Calls between shards and from threads that are none, with both doorbells.

#![forbid(unsafe_code)]

mod calls;
mod ends;
mod foreign;
mod wakes;

use std::time::Duration;

use miniss_linux::{DoorbellKind, Runtime};
use miniss_tests::deadline::{SOON, deadline};

const DOORBELLS: [DoorbellKind; 2] = [DoorbellKind::EventFd, DoorbellKind::MsgRing];
const LONG: Duration = SOON;

fn runtime(shards: usize, doorbell: DoorbellKind) -> Runtime {
    Runtime::builder().shards(shards).doorbell(doorbell).build().unwrap()
}

/// Runs `body` on shard 0 of a runtime, once with each doorbell.
fn with_both(name: &'static str, shards: usize, body: impl AsyncFn()) {
    for doorbell in DOORBELLS {
        let _deadline = deadline(name);
        runtime(shards, doorbell).block_on(body());
    }
}

/// As [`with_both`], where the order in which tasks are polled is what is looked at.
fn in_order(name: &'static str, shards: usize, body: impl AsyncFn()) {
    for doorbell in DOORBELLS {
        let _deadline = deadline(name);
        let builder = Runtime::builder().shards(shards).doorbell(doorbell);
        builder.shuffle(0).build().unwrap().block_on(body());
    }
}
