//! One value, from the side that has it to the side that waits for it.

use std::hint::black_box;

use criterion::Criterion;
use miniss_core::{Future, Promise, PromiseCell};

use crate::peek;

pub fn benches(criterion: &mut Criterion) {
    static CELL: PromiseCell<u64> = PromiseCell::new();
    both_ways(criterion, "promise", Future::new);
    both_ways(criterion, "promise in a static", || CELL.pair().expect("both ends are done"));
}

fn both_ways(criterion: &mut Criterion, kind: &str, new: fn() -> (Future<u64>, Promise<u64>)) {
    criterion.bench_function(&format!("{kind}: completed, then awaited"), |bencher| {
        bencher.iter(|| {
            let (future, promise) = new();
            promise.complete(black_box(7)).expect("the future is there");
            peek(future)
        });
    });
    criterion.bench_function(&format!("{kind}: awaited, then completed"), |bencher| {
        bencher.iter(|| {
            let (mut future, promise) = new();
            assert!(peek(&mut future).is_pending());
            promise.complete(black_box(7)).expect("the future is there");
            peek(future)
        });
    });
}
