//! monoio: its io_uring driver with timers, and wakers that may cross threads (feature `sync`).

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::Duration;

use monoio::task::JoinHandle;
use monoio::{IoUringDriver, RuntimeBuilder};

use super::{Place, Rival};
use crate::limits::pin;

/// monoio on io_uring.
#[derive(Debug)]
pub struct Monoio;

impl Rival for Monoio {
    const NAME: &'static str = "monoio 0.2.4";

    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        pin(place.cpu);
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        builder.build().expect("it starts").block_on(main)
    }

    fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
    where
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(monoio::spawn(future));
    }

    fn sleep(duration: Duration) -> impl Future {
        monoio::time::sleep(duration)
    }
}
