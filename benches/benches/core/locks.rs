//! Semaphores and what is made of them: free, and with others waiting.

use std::hint::black_box;
use std::rc::Rc;

use criterion::Criterion;
use miniss_benches::port::executor;
use miniss_core::combine::yield_now;
use miniss_core::sync::{Event, Mutex, RwLock, Semaphore};

use crate::{each_of, peek};

pub fn benches(criterion: &mut Criterion) {
    free(criterion);
    for tasks in [2, 100] {
        contended(criterion, tasks);
    }
    announced(criterion);
}

fn free(criterion: &mut Criterion) {
    let semaphore = Semaphore::new(1);
    criterion.bench_function("semaphore, free: acquire, release", |bencher| {
        bencher.iter(|| black_box(peek(semaphore.acquire(1))).is_ready());
    });
    let mutex = Mutex::new(0_u64);
    criterion.bench_function("mutex, free: lock, unlock", |bencher| {
        bencher.iter(|| black_box(peek(mutex.lock())).is_ready());
    });
    let lock = RwLock::new(0_u64);
    criterion.bench_function("rwlock, free: read, unlock", |bencher| {
        bencher.iter(|| black_box(peek(lock.read())).is_ready());
    });
}

/// `tasks` tasks that all want the one unit, so that each release hands it to the next.
fn contended(criterion: &mut Criterion, tasks: usize) {
    const TURNS: usize = 2000;
    let mut executor = executor();
    let local = executor.local();
    let name = format!("semaphore, wanted by {tasks} tasks: acquire, hand over");
    each_of(criterion, &name, TURNS, || {
        let semaphore = Rc::new(Semaphore::new(1));
        let task = |semaphore: Rc<Semaphore>| async move {
            for _ in 0..TURNS / tasks {
                let unit = semaphore.acquire(1).await.expect("it is open");
                yield_now().await;
                drop(unit);
            }
        };
        let spawn = |_| local.spawn(task(semaphore.clone())).expect("there is room");
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        executor.block_on(async {
            for handle in handles {
                handle.await.expect("no one aborts it");
            }
        });
    });
}

/// Two tasks that wake each other by two events.
fn announced(criterion: &mut Criterion) {
    const ROUNDS: usize = 1000;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, "event: set, wait, reset", 2 * ROUNDS, || {
        let events = Rc::new([Event::new(), Event::new()]);
        let task = |mine: usize, events: Rc<[Event; 2]>| async move {
            for _ in 0..ROUNDS {
                events[mine].wait().await;
                events[mine].reset();
                events[1 - mine].set();
            }
        };
        events[0].set();
        let spawn = |mine| local.spawn(task(mine, events.clone())).expect("there is room");
        let handles = [0, 1].map(spawn);
        executor.block_on(async {
            for handle in handles {
                handle.await.expect("no one aborts it");
            }
        });
    });
}
