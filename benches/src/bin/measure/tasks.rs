//! Rows on one core: spawn, yield, sleep. The runtime is a user's, with its ring and its guards.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use miniss_benches::limits::{nanos_per, spawn_by_hand, thread_cpu, yield_by_hand};
use miniss_benches::rounds::Row;
use miniss_linux::time::sleep as sleep_for;
use miniss_linux::{Pinning, Runtime, spawn as spawn_task, yield_now};

const BATCH: usize = 1000;

fn runtime() -> Runtime {
    let builder = Runtime::builder().shards(1).pinning(Pinning::Cpus(vec![0]));
    builder.build().expect("the kernel gives us a ring")
}

/// Calls `sample` for some seconds, for a profiler to watch.
pub fn spin(sample: impl Fn() -> f64) {
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        black_box(sample());
    }
}

pub fn spawn_row() -> Row<'static> {
    Row::new("spawn + join", "ns")
        .with("by hand", || spawn_by_hand(200))
        .with("miniss", || spawn(200))
}

/// Nanoseconds to spawn and join a trivial task.
pub fn spawn(batches: usize) -> f64 {
    runtime().block_on(async {
        let mut handles = Vec::with_capacity(BATCH);
        let start = Instant::now();
        for _ in 0..batches {
            handles.extend((0..BATCH).map(|n| spawn_task(async move { black_box(n) })));
            for handle in handles.drain(..) {
                black_box(handle.await.expect("it does not panic"));
            }
        }
        start.elapsed().as_nanos() as f64 / (batches * BATCH) as f64
    })
}

pub fn yield_row() -> Row<'static> {
    Row::new("yield, 100 in turn", "ns")
        .with("by hand", || yield_by_hand(2_000))
        .with("miniss", || yielding(2_000))
}

/// Nanoseconds of a yield, among 100 tasks.
pub fn yielding(rounds: usize) -> f64 {
    const TASKS: usize = 100;
    runtime().block_on(async {
        let task = move || async move {
            for _ in 0..rounds {
                yield_now().await;
            }
        };
        let start = Instant::now();
        let handles: Vec<_> = (0..TASKS).map(|_| spawn_task(task())).collect();
        for handle in handles {
            handle.await.expect("it does not panic");
        }
        start.elapsed().as_nanos() as f64 / (rounds * TASKS) as f64
    })
}

pub fn sleep_row() -> Row<'static> {
    Row::new("sleep: create, poll, drop", "ns")
        .with("the clock alone", || {
            nanos_per(100_000, || (0..100_000).for_each(|_| _ = black_box(Instant::now())))
        })
        .with("miniss", || sleep(100_000))
}

/// Nanoseconds to create a sleep, poll it once and drop it.
pub fn sleep(count: usize) -> f64 {
    runtime().block_on(async {
        nanos_per(count, || {
            for _ in 0..count {
                let mut sleep = pin!(sleep_for(black_box(Duration::from_millis(10))));
                assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            }
        })
    })
}

pub fn sleepers_row() -> Row<'static> {
    Row::new("10,000 tasks sleep 1 ms, each", "ns")
        .with("miniss, beyond the millisecond", || sleepers().0)
        .with("miniss, CPU", || sleepers().1)
}

/// Nanoseconds that each of many sleepers costs: what all of them take together beyond the one
/// millisecond, and CPU time.
pub fn sleepers() -> (f64, f64) {
    const SLEEPERS: usize = 10_000;
    const ROUNDS: usize = 5;
    runtime().block_on(async {
        sleep_all(SLEEPERS).await;
        let (start, cpu) = (Instant::now(), thread_cpu());
        for _ in 0..ROUNDS {
            sleep_all(SLEEPERS).await;
        }
        let beyond = start.elapsed() - Duration::from_millis(ROUNDS as u64);
        let each = |time: Duration| time.as_nanos() as f64 / (ROUNDS * SLEEPERS) as f64;
        (each(beyond), each(thread_cpu() - cpu))
    })
}

/// Spawns sleepers and waits for the last of them.
async fn sleep_all(count: usize) {
    let (all_awake, promise) = miniss_linux::Future::<()>::new();
    let left = Rc::new((Cell::new(count), Cell::new(Some(promise))));
    for _ in 0..count {
        let left = left.clone();
        let task = async move {
            sleep_for(Duration::from_millis(1)).await;
            left.0.set(left.0.get() - 1);
            if left.0.get() == 0 {
                left.1.take().expect("taken once").complete(()).expect("someone waits");
            }
        };
        spawn_task(task).detach();
    }
    all_awake.await.expect("the last one keeps it");
}
