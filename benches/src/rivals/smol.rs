//! smol: a local executor of the thread, under smol's own `block_on`, which drives I/O and timers.

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::Duration;

use smol::{LocalExecutor, Task, Timer};

use super::{Place, Rival};
use crate::limits::pin;

thread_local! {
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

/// smol's local executor.
#[derive(Debug)]
pub struct Smol;

impl Rival for Smol {
    const NAME: &'static str = "smol 2.0.2";

    type Handle<T: 'static> = Task<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        pin(place.cpu);
        EXECUTOR.with(|executor| smol::block_on(executor.run(main)))
    }

    fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
    where
        F::Output: 'static,
    {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        Self::spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future {
        Timer::after(duration)
    }
}
