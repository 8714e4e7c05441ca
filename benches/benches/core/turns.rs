//! Tasks that take turns.

use criterion::Criterion;
use miniss_benches::port::executor;
use miniss_core::combine::yield_now;

use crate::each_of;

pub fn benches(criterion: &mut Criterion) {
    for tasks in [1, 100, 10_000] {
        yielding(criterion, tasks);
    }
}

/// `tasks` tasks that yield in turn, often enough that their start and end do not count.
fn yielding(criterion: &mut Criterion, tasks: usize) {
    const ROUNDS: usize = 100;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, &format!("yield, {tasks} tasks"), tasks * ROUNDS, || {
        executor.block_on(async {
            let task = || async {
                for _ in 0..ROUNDS {
                    yield_now().await;
                }
            };
            let spawn = |_| local.spawn(task()).expect("there is room");
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            for handle in handles {
                handle.await.expect("no one aborts it");
            }
        });
    });
}
