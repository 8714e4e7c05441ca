//! Calls between two executors that this thread turns in turn: all that a call does but for the
//! waiting.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use miniss_core::Executor;
use miniss_core::call::{Call, Endpoint, Mesh};

use crate::port::{Port, Unparker, executor};

const AT_ONCE: usize = 64;

/// A closure at a time.
pub fn run_on(times: usize) {
    calls(times, 1, |end| end.run_on(1, || black_box(7)));
}

/// As many closures as there are callers.
pub fn run_on_64(times: usize) {
    calls(times, AT_ONCE, |end| end.run_on(1, || black_box(7)));
}

/// A task at a time.
pub fn submit_to(times: usize) {
    calls(times, 1, |end| end.submit_to(1, async || black_box(7)));
}

/// As many tasks as there are callers.
pub fn submit_to_64(times: usize) {
    calls(times, AT_ONCE, |end| end.submit_to(1, async || black_box(7)));
}

/// `callers` tasks that each call, wait for the reply, and call again.
fn calls(times: usize, callers: usize, call: fn(&Endpoint<Unparker, 16>) -> Call<i32>) {
    let mesh = Arc::new(Mesh::new(2));
    let (mut near, mut far) = (executor(), executor());
    let end = Endpoint::open(mesh.clone(), 0, near.local()).expect("there is room");
    let _other = Endpoint::open(mesh, 1, far.local()).expect("there is room");
    let replies = Rc::new(Cell::new(0));
    for _ in 0..callers {
        let (end, replies) = (end.clone(), replies.clone());
        spawn(&near, async move {
            for _ in 0..times / callers {
                call(&end).await.expect("the other end is open");
                replies.set(replies.get() + 1);
            }
        });
    }
    while replies.get() < times {
        near.turn();
        far.turn();
    }
}

fn spawn(executor: &Executor<Port>, task: impl Future<Output = ()> + 'static) {
    drop(executor.local().spawn(task).expect("there is room"));
}
