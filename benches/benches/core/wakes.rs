//! Wakes of parked tasks.

use std::task::Waker;
use std::time::Duration;

use criterion::Criterion;
use miniss_benches::wakers::{Design, TASKS, clone_and_drop, real::Real, wake_remote};

use crate::each_of;

pub fn benches(criterion: &mut Criterion) {
    and_run(criterion, "local wake and run", true);
    and_run(criterion, "wake the foreign way and run", false);
    per_wake(criterion, "wake from another thread, which others keep waking", wake_remote::<Real>);
    per_wake(criterion, "waker: clone and drop", clone_and_drop::<Real>);
}

/// All tasks are woken, then all run. The foreign way is that of other threads, taken by this one.
fn and_run(criterion: &mut Criterion, name: &str, knows_local: bool) {
    let mut real = Real::new(TASKS);
    real.know_local(knows_local);
    each_of(criterion, name, TASKS, || {
        real.wakers().iter().for_each(Waker::wake_by_ref);
        real.settle();
    });
}

/// A measurement of its own, which takes a number of rounds and says nanoseconds for each wake.
fn per_wake(criterion: &mut Criterion, name: &str, measure: fn(usize) -> f64) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|wakes| {
            let rounds = (wakes as usize).div_ceil(TASKS);
            Duration::from_nanos((measure(rounds) * wakes as f64) as u64)
        });
    });
}
