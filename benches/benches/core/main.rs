//! What the core costs by itself, over a port without a kernel: one idea a file.
//!
//! All run in this thread but for the one that says otherwise, so what is timed is the code and
//! nothing that it might wait for. `cargo bench -p miniss-benches -- WORD` runs those whose names
//! hold the word.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod calls;
mod channels;
mod locks;
mod promises;
mod spawn;
mod timers;
mod turns;
mod wakes;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Measures `body`, which does the same `count` times; the throughput is that of one.
fn each_of(criterion: &mut Criterion, name: &str, count: usize, mut body: impl FnMut()) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(format!("{count} at once"), |bencher| bencher.iter(&mut body));
    group.finish();
}

/// Polls once, with a waker that does nothing.
fn peek<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Short, for there are many. What criterion calls a change between two runs may be the machine's.
fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .without_plots()
}

criterion_group! {
    name = core;
    config = short();
    targets = spawn::benches, turns::benches, wakes::benches, promises::benches, timers::benches,
        channels::benches, locks::benches, calls::benches
}
criterion_main!(core);
