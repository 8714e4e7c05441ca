//! Calls between two executors that one thread turns: the whole protocol, lanes and endpoints,
//! without the cache misses.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use criterion::Criterion;
use miniss_benches::port::{Port, Unparker, executor};
use miniss_core::Executor;
use miniss_core::call::{Call, Endpoint, Mesh};

use crate::each_of;

type End = Endpoint<Unparker, 16>;

pub fn benches(criterion: &mut Criterion) {
    for at_once in [1, 64] {
        let run_on = |end: &End| end.run_on(1, || black_box(7));
        calls(criterion, "run_on: call and reply", at_once, run_on);
        let submit_to = |end: &End| end.submit_to(1, async || black_box(7));
        calls(criterion, "submit_to: call and reply", at_once, submit_to);
    }
}

fn calls(criterion: &mut Criterion, name: &str, at_once: usize, call: fn(&End) -> Call<i32>) {
    let mesh = Arc::new(Mesh::new(2));
    let (mut near, mut far) = (executor(), executor());
    let end = Endpoint::open(mesh.clone(), 0, near.local()).expect("there is room");
    let _other = Endpoint::open(mesh, 1, far.local()).expect("there is room");
    let replies = Rc::new(Cell::new(0));
    each_of(criterion, name, at_once, || {
        replies.set(0);
        for _ in 0..at_once {
            let (call, replies) = (call(&end), replies.clone());
            spawn(&near, async move {
                call.await.expect("the other end is open");
                replies.set(replies.get() + 1);
            });
        }
        while replies.get() < at_once {
            near.turn();
            far.turn();
        }
    });
}

fn spawn(executor: &Executor<Port>, task: impl Future<Output = ()> + 'static) {
    drop(executor.local().spawn(task).expect("there is room"));
}
