//! compio: its io_uring driver with the settings it comes with, bound to a CPU by its builder.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use compio::runtime::{JoinHandle, RuntimeBuilder};

use super::{Place, Rival};

/// compio on io_uring.
#[derive(Debug)]
pub struct Compio;

impl Rival for Compio {
    const NAME: &'static str = "compio 0.19.2";

    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        let mut builder = RuntimeBuilder::new();
        builder.thread_affinity(HashSet::from([place.cpu]));
        builder.build().expect("it starts").block_on(main)
    }

    fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
    where
        F::Output: 'static,
    {
        compio::runtime::spawn(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        compio::runtime::spawn(future).detach();
    }

    fn sleep(duration: Duration) -> impl Future {
        compio::runtime::time::sleep(duration)
    }
}
