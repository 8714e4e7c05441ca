//! The same over the runtime of Linux, which adds its guard against panics and the system's clock.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use miniss_linux::{Driver, Pinning, Runtime};

use crate::CROWD;

/// A runtime of one shard, on the thread that calls.
pub fn runtime(driver: Driver) -> Runtime {
    let builder = Runtime::builder().shards(1).pinning(Pinning::None);
    builder.driver(driver).build().expect("the kernel has this driver")
}

/// Spawns a crowd, joins it in order, and again; per task.
pub fn spawn(times: usize) {
    runtime(Driver::IoUring).block_on(async {
        let mut handles = Vec::with_capacity(CROWD);
        for _ in 0..times / CROWD {
            handles.extend((0..CROWD).map(|n| miniss_linux::spawn(async move { black_box(n) })));
            for handle in handles.drain(..) {
                black_box(handle.await.expect("no one aborts it"));
            }
        }
    });
}

/// A sleep that is made, armed and dropped.
pub fn sleep(times: usize) {
    runtime(Driver::IoUring).block_on(async {
        for _ in 0..times {
            let mut sleep = pin!(miniss_linux::time::sleep(black_box(Duration::from_secs(60))));
            assert!(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await);
        }
    });
}
