//! tokio: one thread, its runtime for local tasks, all drivers on. `tokio::spawn` on the runtime
//! for tasks of any thread costs the same.

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinHandle, spawn_local, yield_now};

use super::{Place, Rival};
use crate::limits::pin;

/// tokio's `current_thread`.
#[derive(Debug)]
pub struct Tokio;

impl Rival for Tokio {
    const NAME: &'static str = "tokio 1.54.1";

    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        pin(place.cpu);
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(LocalOptions::default());
        runtime.expect("it starts").block_on(main)
    }

    fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
    where
        F::Output: 'static,
    {
        spawn_local(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        drop(spawn_local(future));
    }

    fn yield_now() -> impl Future<Output = ()> {
        yield_now()
    }

    fn sleep(duration: Duration) -> impl Future {
        tokio::time::sleep(duration)
    }
}
