//! Tasks that start and end, and where they lie.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use miniss_benches::port::executor;
use miniss_core::TaskSlab;

use crate::each_of;

pub fn benches(criterion: &mut Criterion) {
    on_the_heap(criterion);
    in_a_slab(criterion);
    one_that_is_large(criterion);
}

fn on_the_heap(criterion: &mut Criterion) {
    const BATCH: usize = 1000;
    let mut executor = executor();
    let local = executor.local();
    let mut handles = Vec::with_capacity(BATCH);
    each_of(criterion, "spawn and join", BATCH, || {
        executor.block_on(async {
            let spawn = |n| local.spawn(async move { black_box(n) }).expect("there is room");
            handles.extend((0..BATCH).map(spawn));
            for handle in handles.drain(..) {
                black_box(handle.await).expect("no one aborts it");
            }
        });
    });
}

fn in_a_slab(criterion: &mut Criterion) {
    const SLOTS: usize = 64;
    static SLAB: TaskSlab<64, SLOTS> = TaskSlab::new();
    let mut executor = executor();
    let local = executor.local();
    let mut handles = Vec::with_capacity(SLOTS);
    each_of(criterion, "spawn and join, in a slab", SLOTS, || {
        executor.block_on(async {
            let task = |n| async move { black_box(n) };
            let spawn = |n| local.spawn_in(&SLAB, task(n)).expect("there is room");
            handles.extend((0..SLOTS).map(spawn));
            for handle in handles.drain(..) {
                black_box(handle.await).expect("no one aborts it");
            }
        });
    });
}

fn one_that_is_large(criterion: &mut Criterion) {
    let mut executor = executor();
    let local = executor.local();
    criterion.bench_function("spawn and join, a future of 2 KiB", |bencher| {
        bencher.iter_batched(
            || [7_u8; 2048],
            |bytes| {
                let task = async move { black_box(&bytes).len() };
                executor.block_on(local.spawn(task).expect("there is room"))
            },
            BatchSize::SmallInput,
        );
    });
}
