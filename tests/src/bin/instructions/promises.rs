//! Promises: memory from the heap, a value, and back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Waker};

use miniss_core::Future as Promised;

/// The value is there when someone asks.
pub fn completed_first(times: usize) {
    for n in 0..times as u64 {
        let (mut future, promise) = Promised::new();
        promise.complete(black_box(n)).expect("the future is there");
        assert!(poll(&mut future));
    }
}

/// Someone asks, then the value comes.
pub fn awaited_first(times: usize) {
    for n in 0..times as u64 {
        let (mut future, promise) = Promised::new();
        assert!(!poll(&mut future));
        promise.complete(black_box(n)).expect("the future is there");
        assert!(poll(&mut future));
    }
}

fn poll(future: &mut Promised<u64>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    black_box(Pin::new(future).poll(&mut cx)).is_ready()
}
