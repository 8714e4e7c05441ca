//! Wakes of parked tasks, each with the poll that it brings about.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;
use std::rc::Rc;
use std::task::{Poll, Waker};

use miniss_core::Executor;

use crate::CROWD;
use crate::port::{Port, executor};

/// From their own thread.
pub fn local(times: usize) {
    wakes(times, true);
}

/// By the way that other threads take. It is taken by this very thread, which is told that it is
/// another: what it does is the same, and in the same order every time.
pub fn foreign(times: usize) {
    wakes(times, false);
}

fn wakes(times: usize, is_local: bool) {
    let mut executor = executor();
    let wakers = parked(&mut executor);
    executor.local().cell().unparker().know_local(is_local);
    for _ in 0..times / CROWD {
        black_box(&wakers).iter().for_each(Waker::wake_by_ref);
        executor.turn();
        while executor.turn() {}
    }
}

/// The wakers of a crowd of tasks that have been polled once and never end.
fn parked(executor: &mut Executor<Port>) -> Vec<Waker> {
    let wakers = Rc::new(RefCell::new(Vec::with_capacity(CROWD)));
    for _ in 0..CROWD {
        let (wakers, mut is_first) = (wakers.clone(), true);
        let task = poll_fn(move |cx| {
            if std::mem::take(&mut is_first) {
                wakers.borrow_mut().push(cx.waker().clone());
            }
            Poll::<()>::Pending
        });
        drop(executor.local().spawn(task).expect("there is room"));
    }
    while executor.turn() {}
    wakers.take()
}
