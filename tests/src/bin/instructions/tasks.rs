//! Tasks that start, end and take turns.

#![forbid(unsafe_code)]

use std::hint::black_box;

use miniss_core::combine::yield_now;
use miniss_core::error::SpawnError;
use miniss_core::{JoinHandle, TaskSlab};

use crate::port::executor;
use crate::{CROWD, MANY};

/// Spawns a crowd, joins it in order, and again; per task.
pub fn spawn(times: usize) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(in_crowds(CROWD, times, |n| local.spawn(async move { black_box(n) })));
}

/// The same with many at a time.
pub fn spawn_many(times: usize) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(in_crowds(MANY, times, |n| local.spawn(async move { black_box(n) })));
}

/// As [`spawn`], in a slab that lies in a `static`.
pub fn spawn_in_slab(times: usize) {
    static SLAB: TaskSlab<64, CROWD> = TaskSlab::new();
    let mut executor = executor();
    let local = executor.local();
    let spawn = |n| local.spawn_in(&SLAB, async move { black_box(n) });
    executor.block_on(in_crowds(CROWD, times, spawn));
}

async fn in_crowds(
    crowd: usize,
    times: usize,
    mut spawn: impl FnMut(usize) -> Result<JoinHandle<usize>, SpawnError>,
) {
    let mut handles = Vec::with_capacity(crowd);
    for _ in 0..times / crowd {
        handles.extend((0..crowd).map(|n| spawn(n).expect("there is room")));
        for handle in handles.drain(..) {
            black_box(handle.await.expect("no one aborts it"));
        }
    }
}

/// A crowd of tasks that yield in turn; per yield.
pub fn yielding(times: usize) {
    yield_in_turn(CROWD, times);
}

/// The same with many.
pub fn yielding_many(times: usize) {
    yield_in_turn(MANY, times);
}

fn yield_in_turn(crowd: usize, times: usize) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let task = || async move {
            for _ in 0..times / crowd {
                yield_now().await;
            }
        };
        let spawn = |_| local.spawn(task()).expect("there is room");
        let handles: Vec<_> = (0..crowd).map(spawn).collect();
        for handle in handles {
            handle.await.expect("no one aborts it");
        }
    });
}
