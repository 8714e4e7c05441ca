//! Timers that are armed, given up, moved, and that fire.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::time::Duration;

use criterion::Criterion;
use miniss_benches::port::{Port, Unparker, executor};
use miniss_core::timer::Sleep;
use miniss_core::{Executor, LocalHandle};

use crate::{each_of, peek};

pub fn benches(criterion: &mut Criterion) {
    armed_and_dropped(criterion, 0);
    armed_and_dropped(criterion, 100_000);
    moved(criterion);
    fired(criterion);
}

/// One that comes and goes while `others` are armed.
fn armed_and_dropped(criterion: &mut Criterion, others: u64) {
    let executor = executor();
    let local = executor.local();
    let _others: Vec<_> = (0..others).map(|n| armed(local, Duration::from_micros(n))).collect();
    for (name, duration) in [("1 ms", Duration::from_millis(1)), ("1 h", Duration::from_secs(3600))]
    {
        let name = format!("sleep of {name} among {others}: make, arm, drop");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| peek(Sleep::new(local, black_box(duration))));
        });
    }
}

fn armed(
    local: LocalHandle<Unparker>,
    duration: Duration,
) -> Pin<Box<Sleep<LocalHandle<Unparker>>>> {
    let mut sleep = Box::pin(Sleep::new(local, duration));
    assert!(peek(&mut sleep).is_pending());
    sleep
}

/// A deadline that is put off again and again, as that of a connection that is used.
fn moved(criterion: &mut Criterion) {
    let executor = executor();
    let local = executor.local();
    let mut sleep = pin!(Sleep::new(local, Duration::from_secs(60)));
    assert!(peek(sleep.as_mut()).is_pending());
    criterion.bench_function("sleep of 60 s: reset", |bencher| {
        bencher.iter(|| {
            local.cell().unparker().advance(1_000);
            sleep.as_mut().reset(local.now() + black_box(Duration::from_secs(60)));
        });
    });
}

fn fired(criterion: &mut Criterion) {
    const SLEEPERS: usize = 10_000;
    let mut executor = executor();
    let name = "tasks that sleep 1 ms: spawn, arm, fire, end";
    each_of(criterion, name, SLEEPERS, || sleepers(&mut executor, SLEEPERS));
}

fn sleepers(executor: &mut Executor<Port>, count: usize) {
    let local = executor.local();
    for n in 0..count as u64 {
        let task = async move {
            // The clock stands still, so without this all deadlines would be one.
            Sleep::new(local, Duration::from_nanos(1_000_000 + 100 * n)).await;
        };
        drop(local.spawn(task).expect("there is room"));
    }
    while executor.turn() {}
    while local.stats().timers_armed > 0 {
        local.cell().unparker().advance(10_000);
        executor.turn();
    }
    while executor.turn() {}
}
