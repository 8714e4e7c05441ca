//! Spawning and yielding on one core.

#![forbid(unsafe_code)]

use std::hint::black_box;

use crate::compare::sample::{Meter, Sample};
use crate::rivals::{Place, Rival};

/// Tasks of a batch, which are spawned and then joined in order.
const BATCH: usize = 1_000;
/// Tasks that yield in turn.
const TURNS: usize = 100;

/// Trivial tasks, in `batches`.
pub fn spawn<R: Rival>(batches: usize) -> Sample {
    R::block_on(Place::default(), async {
        spawn_batches::<R>(10).await;
        let meter = Meter::start();
        spawn_batches::<R>(batches).await;
        meter.stop(batches * BATCH)
    })
}

async fn spawn_batches<R: Rival>(batches: usize) {
    let mut handles = Vec::with_capacity(BATCH);
    for _ in 0..batches {
        handles.extend((0..BATCH).map(|n| R::spawn(async move { black_box(n) })));
        for handle in handles.drain(..) {
            black_box(handle.await);
        }
    }
}

/// 100 tasks in turn, each as many times as there are `rounds`.
pub fn yielding<R: Rival>(rounds: usize) -> Sample {
    R::block_on(Place::default(), async {
        yield_all::<R>(10).await;
        let meter = Meter::start();
        yield_all::<R>(rounds).await;
        meter.stop(rounds * TURNS)
    })
}

async fn yield_all<R: Rival>(rounds: usize) {
    let task = || async move {
        for _ in 0..rounds {
            R::yield_now().await;
        }
    };
    let handles: Vec<_> = (0..TURNS).map(|_| R::spawn(task())).collect();
    for handle in handles {
        handle.await;
    }
}
