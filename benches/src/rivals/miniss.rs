//! miniss itself, as its users run it: with its ring, its guards and its default settings.

#![forbid(unsafe_code)]

use std::future::Future;
use std::time::Duration;

use miniss_linux::{JoinHandle, Pinning, Runtime, run_on, spawn, submit_to, yield_now};

use super::{Place, Rival};
use crate::compare::sample::Sample;
use crate::compare::work::calls::{Calls, call_and_time};

/// Our runtime.
#[derive(Debug)]
pub struct Miniss;

fn runtime(cpus: Vec<usize>, spin: Duration) -> Runtime {
    let builder = Runtime::builder().shards(cpus.len()).pinning(Pinning::Cpus(cpus));
    builder.idle_spin(spin).build().expect("the kernel gives us rings")
}

impl Rival for Miniss {
    const NAME: &'static str = "miniss";

    type Handle<T: 'static> = JoinHandle<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        runtime(vec![place.cpu], place.spin).block_on(main)
    }

    fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>
    where
        F::Output: 'static,
    {
        spawn(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> {
        yield_now()
    }

    fn sleep(duration: Duration) -> impl Future {
        miniss_linux::time::sleep(duration)
    }

    /// The closure runs on the other shard without a task of its own, as a rival's loop over a
    /// channel does.
    fn calls(calls: Calls) -> Sample {
        runtime(vec![0, 1], calls.spin).block_on(call_and_time::<Self, _, _>(calls, || async {
            run_on(1, || ()).await.expect("the shard is there");
        }))
    }
}

/// The same, where each call is a task on the other shard.
pub fn task_calls(calls: Calls) -> Sample {
    runtime(vec![0, 1], calls.spin).block_on(call_and_time::<Miniss, _, _>(calls, || async {
        submit_to(1, async || ()).await.expect("the shard is there");
    }))
}
