//! Tasks that start, end and take turns.

#![forbid(unsafe_code)]

use std::hint::black_box;

use miniss_core::combine::yield_now;
use miniss_core::error::SpawnError;
use miniss_core::{JoinHandle, TaskSlab};

use crate::CROWD;
use crate::port::executor;

/// Spawns a crowd, joins it in order, and again; per task.
pub fn spawn(times: usize) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(in_crowds(times, |n| local.spawn(async move { black_box(n) })));
}

/// The same, in a slab that lies in a `static`.
pub fn spawn_in_slab(times: usize) {
    static SLAB: TaskSlab<64, CROWD> = TaskSlab::new();
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(in_crowds(times, |n| local.spawn_in(&SLAB, async move { black_box(n) })));
}

async fn in_crowds(
    times: usize,
    mut spawn: impl FnMut(usize) -> Result<JoinHandle<usize>, SpawnError>,
) {
    let mut handles = Vec::with_capacity(CROWD);
    for _ in 0..times / CROWD {
        handles.extend((0..CROWD).map(|n| spawn(n).expect("there is room")));
        for handle in handles.drain(..) {
            black_box(handle.await.expect("nobody aborts it"));
        }
    }
}

/// A crowd of tasks that yield in turn; per yield.
pub fn yielding(times: usize) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let task = || async move {
            for _ in 0..times / CROWD {
                yield_now().await;
            }
        };
        let spawn = |_| local.spawn(task()).expect("there is room");
        let handles: Vec<_> = (0..CROWD).map(spawn).collect();
        for handle in handles {
            handle.await.expect("nobody aborts it");
        }
    });
}
