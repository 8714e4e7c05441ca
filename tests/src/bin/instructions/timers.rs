//! Timers that are given up, and timers that fire.

#![forbid(unsafe_code)]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use miniss_core::timer::Sleep;

use crate::CROWD;
use crate::port::executor;

/// How long each of a crowd sleeps, and how far apart their deadlines are.
const PERIOD: Duration = Duration::from_millis(1);
const APART: Duration = Duration::from_micros(10);

/// A sleep that is made, armed and dropped.
pub fn cancel(times: usize) {
    let executor = executor();
    let local = executor.local();
    for _ in 0..times {
        let sleep = pin!(Sleep::new(local, black_box(Duration::from_millis(1))));
        assert!(sleep.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

/// A crowd of tasks that sleep and sleep again; per sleep, with the wake and the poll that follow.
pub fn fire(times: usize) {
    let mut executor = executor();
    let local = executor.local();
    for n in 0..CROWD as u32 {
        let task = async move {
            Sleep::new(local, PERIOD + n * APART).await;
            for _ in 1..times / CROWD {
                Sleep::new(local, PERIOD).await;
            }
        };
        drop(local.spawn(task).expect("there is room"));
    }
    while local.stats().tasks_live > 0 {
        executor.turn();
        local.cell().unparker().advance(PERIOD.as_nanos() as u64);
    }
    assert_eq!(local.stats().timers_fired as usize, times);
}
