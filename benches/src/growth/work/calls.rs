//! Calls from one shard to another, so many under way at a time.

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::{Duration, Instant};

use miniss_linux::{Builder, Pinning, Runtime, run_on, spawn, submit_to};

use crate::growth::curve::Values;
use crate::limits::process_cpu;

/// Long enough that no one falls asleep between two calls.
const SPIN: Duration = Duration::from_millis(2);
/// Calls of a sample, at least and at most.
const CALLS_MIN: usize = 5_000;
const CALLS_MAX: usize = 150_000;

/// Time and CPU time of one call, in nanoseconds.
struct Cost {
    time: f64,
    cpu: f64,
}

/// Everything about so many calls under way.
///
/// # Errors
///
/// In a sentence, if the shards cannot be started.
pub fn measure(under_way: usize) -> Result<Values, String> {
    let each = (CALLS_MIN * under_way).min(CALLS_MAX) / under_way;
    let run = || async { run_on(1, || ()).await.expect("the shard is there") };
    let submit = || async { submit_to(1, async || ()).await.expect("the shard is there") };
    let asleep = builder().call_spin(Duration::ZERO);
    let all = [
        cost(&build(asleep)?, under_way, each, run),
        cost(&build(builder())?, under_way, each, run),
        cost(&build(builder())?, under_way, each, submit),
        cost(&build(builder().idle_spin(SPIN))?, under_way, each, run),
    ];
    Ok(all.iter().map(|cost| cost.time).chain(all.iter().map(|cost| cost.cpu)).collect())
}

fn builder() -> Builder {
    Runtime::builder().shards(2).pinning(Pinning::Cpus(vec![0, 1]))
}

fn build(builder: Builder) -> Result<Runtime, String> {
    builder.build().map_err(|error| error.to_string())
}

/// Of `under_way` callers, each of which makes `each` calls one after the other.
fn cost<C, F>(runtime: &Runtime, under_way: usize, each: usize, call: C) -> Cost
where
    C: Fn() -> F + Copy + 'static,
    F: Future<Output = ()> + 'static,
{
    runtime.block_on(async {
        all(under_way, each / 10 + 1, call).await;
        let (start, cpu) = (Instant::now(), process_cpu());
        all(under_way, each, call).await;
        let per_call = |time: Duration| time.as_nanos() as f64 / (under_way * each) as f64;
        Cost { time: per_call(start.elapsed()), cpu: per_call(process_cpu() - cpu) }
    })
}

async fn all<C, F>(under_way: usize, each: usize, call: C)
where
    C: Fn() -> F + Copy + 'static,
    F: Future<Output = ()> + 'static,
{
    let caller = move || async move {
        for _ in 0..each {
            call().await;
        }
    };
    for caller in (0..under_way).map(|_| spawn(caller())).collect::<Vec<_>>() {
        caller.await.expect("it does not panic");
    }
}
