//! Real threads, to find what the models are too small for.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::task::Wake;
use std::{thread, vec::Vec};

use core::task::{Poll, Waker};

use super::{poll, static_cell};
use crate::error::BrokenPromise;
use crate::promise::{Future, Promise, PromiseCell};

/// Many pairs, ended or broken on one thread, and awaited or dropped on another.
#[test]
fn two_threads_and_a_hundred_thousand_pairs() {
    let pairs = if cfg!(miri) { 200 } else { 100_000 };
    let (send, receive) = sync_channel::<(usize, Promise<Arc<usize>>)>(8);
    let ender = thread::spawn(move || {
        for (n, promise) in receive {
            if n % 5 != 4 {
                drop(promise.complete(Arc::new(n)));
            }
        }
    });
    let cells: Vec<_> = (0..16).map(|_| static_cell()).collect();
    for n in 0..pairs {
        let (future, promise) = pair(n, &cells);
        send.send((n, promise)).unwrap();
        hammer(n, future);
    }
    drop(send);
    ender.join().unwrap();
    assert!(cells.iter().all(|cell| cell.pair().is_some()));
}

/// A pair on the heap, if there is one and `n` is odd; else in one of the cells.
fn pair<T>(n: usize, cells: &[&'static PromiseCell<T>]) -> (Future<T>, Promise<T>) {
    #[cfg(feature = "alloc")]
    if !n.is_multiple_of(2) {
        return Future::new();
    }
    // Its last use is as many pairs ago as there are cells, and the channel holds only half as
    // many, so that promise has left it and ended since.
    cells[n % cells.len()].pair().expect("both former ends are gone")
}

/// One of the ways to treat a future, chosen by `n`: with the same waker at each poll or a new
/// one, in haste or patiently, to the end or not.
fn hammer(n: usize, mut future: Future<Arc<usize>>) {
    let mut waker = unpark();
    for polls in 0.. {
        match poll(&mut future, &waker) {
            Poll::Ready(Ok(value)) => return assert_eq!(*value, n),
            Poll::Ready(Err(BrokenPromise)) => return assert_eq!(n % 5, 4),
            Poll::Pending if n % 7 == 6 => return,
            Poll::Pending if polls < n % 11 => {}
            Poll::Pending => thread::park(),
        }
        if n.is_multiple_of(3) {
            waker = unpark();
        }
    }
}

/// A waker that unparks this thread, and is not the same as any other.
fn unpark() -> Waker {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(thread::current())))
}
