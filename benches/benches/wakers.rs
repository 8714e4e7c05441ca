//! The three designs of a waker, as criterion sees them. `measure wakers` compares them in
//! interleaved rounds, which is what a decision wants; this is for watching one of them.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use miniss_benches::wakers::{
    Design, clone_and_drop, counted::Counted, ids::Ids, real::Real, wake_from_afar, wake_parked,
    wake_queued,
};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// A measurement that says nanoseconds per wake, as one that criterion times.
fn bench(group: &mut Group<'_>, name: &str, measure: fn(usize) -> f64) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let ns = measure(rounds.min(1_000) as usize);
            Duration::from_nanos((ns * rounds as f64) as u64)
        });
    });
}

fn design<D: Design>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("waker/{}", D::NAME));
    bench(&mut group, "clone and drop", clone_and_drop::<D>);
    bench(&mut group, "wake, queued already", wake_queued::<D>);
    bench(&mut group, "wake, parked", |rounds| wake_parked::<D>(rounds, true));
    bench(&mut group, "wake, parked, the foreign way", |rounds| wake_parked::<D>(rounds, false));
    bench(&mut group, "wake from another core", wake_from_afar::<D>);
    group.finish();
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .without_plots()
}

criterion_group! {
    name = wakers;
    config = short();
    targets = design::<Ids>, design::<Counted>, design::<Real>
}
criterion_main!(wakers);
