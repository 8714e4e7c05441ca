//! Values from task to task.

use std::hint::black_box;

use criterion::Criterion;
use miniss_benches::port::executor;
use miniss_core::sync::{broadcast, channel, watch};

use crate::each_of;

const VALUES: usize = 1000;

pub fn benches(criterion: &mut Criterion) {
    without_waiting(criterion);
    for room in [1, 64] {
        between_two_tasks(criterion, room);
    }
    to_four_tasks(criterion);
    the_latest(criterion);
}

fn without_waiting(criterion: &mut Criterion) {
    let (sender, mut receiver) = channel::bounded(64);
    criterion.bench_function("channel: try_send, try_recv", |bencher| {
        bencher.iter(|| {
            sender.try_send(black_box(7_u64)).expect("there is room");
            receiver.try_recv()
        });
    });
}

/// With room for one, both wait for each value; with more, only when it is full or empty.
fn between_two_tasks(criterion: &mut Criterion, room: usize) {
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, &format!("channel with room for {room}: send, recv"), VALUES, || {
        let (sender, mut receiver) = channel::bounded(room);
        let sending = async move {
            for n in 0..VALUES {
                sender.send(n).await.expect("the receiver is there");
            }
        };
        drop(local.spawn(sending).expect("there is room"));
        executor.block_on(async { while receiver.recv().await.map(black_box).is_some() {} });
    });
}

fn to_four_tasks(criterion: &mut Criterion) {
    const RECEIVERS: usize = 4;
    let mut executor = executor();
    let local = executor.local();
    each_of(criterion, "broadcast to 4 tasks: send, recv", VALUES, || {
        let (sender, receiver) = broadcast::channel(VALUES);
        drop(receiver);
        let receiving = || {
            let mut receiver = sender.subscribe();
            async move { while receiver.recv().await.map(black_box).is_ok() {} }
        };
        let spawn = |_| local.spawn(receiving()).expect("there is room");
        let handles: Vec<_> = (0..RECEIVERS).map(spawn).collect();
        (0..VALUES).for_each(|n| _ = sender.send(n).expect("there are receivers"));
        drop(sender);
        executor.block_on(async {
            for handle in handles {
                handle.await.expect("no one aborts it");
            }
        });
    });
}

fn the_latest(criterion: &mut Criterion) {
    let (sender, mut receiver) = watch::channel(0_u64);
    criterion.bench_function("watch: send, look", |bencher| {
        bencher.iter(|| {
            sender.send(black_box(7)).expect("there is a receiver");
            *receiver.borrow_and_update()
        });
    });
}
