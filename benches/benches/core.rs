//! What the core costs by itself, over a port without a kernel.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use miniss_benches::port::{Port, executor};
use miniss_benches::wakers::{Design, TASKS, real::Real};
use miniss_core::combine::yield_now;
use miniss_core::mailbox::{Endpoint, FixedLane, Mesh};
use miniss_core::sync::{Mutex, Semaphore};
use miniss_core::timer::Sleep;
use miniss_core::{Executor, Future as Promised};

/// Runs `body` in a group whose figures are for one of `count` operations.
fn each_of(criterion: &mut Criterion, name: &str, count: usize, body: impl FnMut()) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(count as u64));
    let mut body = body;
    group.bench_function("per batch", |bencher| bencher.iter(&mut body));
    group.finish();
}

fn spawn_and_join(criterion: &mut Criterion) {
    const BATCH: usize = 1000;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, "spawn and join, 1000 in order", BATCH, || {
        executor.block_on(async {
            let spawn = |n| local.spawn(async move { black_box(n) }).expect("there is room");
            let handles: Vec<_> = (0..BATCH).map(spawn).collect();
            for handle in handles {
                black_box(handle.await).expect("nobody aborts it");
            }
        });
    });
}

fn yielding(criterion: &mut Criterion) {
    const TASKS: usize = 100;
    const ROUNDS: usize = 100;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, "yield, 100 tasks in turn", TASKS * ROUNDS, || {
        executor.block_on(async {
            let task = || async {
                for _ in 0..ROUNDS {
                    yield_now().await;
                }
            };
            let spawn = |_| local.spawn(task()).expect("there is room");
            let handles: Vec<_> = (0..TASKS).map(spawn).collect();
            for handle in handles {
                handle.await.expect("nobody aborts it");
            }
        });
    });
}

fn waking(criterion: &mut Criterion) {
    for (name, knows_home) in [("wake at home and run", true), ("wake from afar and run", false)] {
        let mut real = Real::new(TASKS);
        real.know_home(knows_home);
        each_of(criterion, name, TASKS, || {
            real.wakers().iter().for_each(Waker::wake_by_ref);
            real.settle();
        });
    }
}

/// Polls once, with a waker that does nothing.
fn peek<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn promises(criterion: &mut Criterion) {
    criterion.bench_function("promise: make, complete, poll", |bencher| {
        bencher.iter(|| {
            let (future, promise) = Promised::<u64>::new();
            promise.complete(black_box(7)).expect("the future is there");
            peek(future)
        });
    });
    criterion.bench_function("promise: make, poll, complete, poll", |bencher| {
        bencher.iter(|| {
            let (mut future, promise) = Promised::<u64>::new();
            assert!(peek(&mut future).is_pending());
            promise.complete(black_box(7)).expect("the future is there");
            peek(future)
        });
    });
}

fn timers(criterion: &mut Criterion) {
    let executor = executor();
    let local = executor.local();
    for (name, duration) in [("1 ms", Duration::from_millis(1)), ("1 h", Duration::from_secs(3600))]
    {
        criterion.bench_function(&format!("sleep of {name}: make, poll, drop"), |bencher| {
            bencher.iter(|| peek(Sleep::new(local, black_box(duration))));
        });
    }
}

fn timers_that_fire(criterion: &mut Criterion) {
    const SLEEPERS: usize = 10_000;
    let mut executor = executor();
    let name = "10000 tasks sleep 1 ms: spawn, arm, fire, end";
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
        local.anchor().bell().advance(10_000);
        executor.turn();
    }
    while executor.turn() {}
}

fn locks(criterion: &mut Criterion) {
    let semaphore = Semaphore::new(1);
    criterion.bench_function("semaphore: acquire and release, free", |bencher| {
        bencher.iter(|| black_box(peek(semaphore.acquire(1))).is_ready());
    });
    let mutex = Mutex::new(0_u64);
    criterion.bench_function("mutex: lock and unlock, free", |bencher| {
        bencher.iter(|| black_box(peek(mutex.lock())).is_ready());
    });
    handed_over(criterion);
}

/// Two tasks that pass one unit to and fro.
fn handed_over(criterion: &mut Criterion) {
    const ROUNDS: usize = 1000;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, "semaphore: handed over between two tasks", 2 * ROUNDS, || {
        let semaphore = Rc::new(Semaphore::new(1));
        let task = |semaphore: Rc<Semaphore>| async move {
            for _ in 0..ROUNDS {
                let unit = semaphore.acquire(1).await.expect("it is open");
                yield_now().await;
                drop(unit);
            }
        };
        let spawn = |_| local.spawn(task(semaphore.clone())).expect("there is room");
        let handles = [0, 1].map(spawn);
        executor.block_on(async {
            for handle in handles {
                handle.await.expect("nobody aborts it");
            }
        });
    });
}

/// Calls between two executors that one thread turns: the whole protocol without the cache misses.
fn calls(criterion: &mut Criterion) {
    const CALLS: usize = 64;
    let mesh = Arc::new(Mesh::new(2, FixedLane::<16>::new));
    let (mut near, mut far) = (executor(), executor());
    let end = Endpoint::open(mesh.clone(), 0, near.local()).expect("there is room");
    let _other = Endpoint::open(mesh, 1, far.local()).expect("there is room");
    for (name, at_once) in [("mailbox: a call and its reply", 1), ("mailbox: of 64 calls", CALLS)] {
        let back = Rc::new(Cell::new(0));
        each_of(criterion, name, at_once, || {
            back.set(0);
            for _ in 0..at_once {
                let (mut call, back) = (end.run_on(1, || black_box(7)), back.clone());
                let task = poll_fn(move |cx| {
                    let poll = std::pin::Pin::new(&mut call).poll(cx);
                    poll.map(|_| back.set(back.get() + 1))
                });
                drop(near.local().spawn(task).expect("there is room"));
            }
            while back.get() < at_once {
                near.turn();
                far.turn();
            }
        });
    }
}

fn large_futures(criterion: &mut Criterion) {
    let mut executor = executor();
    let local = executor.local();
    criterion.bench_function("spawn and run a future of 2 KiB", |bencher| {
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

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .without_plots()
}

criterion_group! {
    name = core;
    config = short();
    targets = spawn_and_join, yielding, waking, promises, timers, timers_that_fire, locks, calls,
        large_futures
}
criterion_main!(core);
