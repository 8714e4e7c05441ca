//! The tools for many shards: calls to all of them, state that is spread over them.

#![forbid(unsafe_code)]

mod calls;
mod channel;
mod foreign;
mod group;
mod local;
mod scheduling;
mod service;
mod soak;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, ShardId, submit_to};
use miniss_tests::deadline::{SOON, deadline};

/// A runtime that waits for as long as anything may take.
fn runtime(shards: usize) -> Runtime {
    Runtime::builder().shards(shards).shutdown_timeout(SOON).build().unwrap()
}

/// Runs `body` on shard 0 of a runtime.
fn on_shard_0(name: &'static str, shards: usize, body: impl AsyncFnOnce()) {
    let _deadline = deadline(name);
    runtime(shards).block_on(body());
}

/// Awaits what should happen soon.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(SOON, future).await.expect("it hangs")
}

/// Waits until `is_so`, which other shards bring about.
async fn until(is_so: impl Fn() -> bool) {
    let all = async {
        while !is_so() {
            sleep(Duration::from_micros(200)).await;
        }
    };
    soon(all).await;
}

/// Counts, from any shard.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn value(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What happened, and on which shard.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(&'static str, usize)>>>);

impl Log {
    fn note(&self, what: &'static str) {
        let shard = ShardId::try_current().map_or(usize::MAX, ShardId::index);
        self.0.lock().unwrap().push((what, shard));
    }

    /// On which shards it happened, in their order.
    fn shards_of(&self, what: &str) -> Vec<usize> {
        let log = self.0.lock().unwrap();
        let mut shards: Vec<_> =
            log.iter().filter(|entry| entry.0 == what).map(|entry| entry.1).collect();
        shards.sort();
        shards
    }
}

/// Notes its drop.
struct Noted(Log, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Panics when it is woken.
struct Throwing;

impl Wake for Throwing {
    fn wake(self: Arc<Self>) {
        panic!("a waker that throws");
    }
}

/// Ends `shard` although no one told it to, and waits until it is gone.
async fn kill(shard: usize) {
    let death = submit_to(shard, async || {
        let mut sleep = pin!(sleep(Duration::from_millis(1)));
        let waker = Waker::from(Arc::new(Throwing));
        poll_fn(|_| sleep.as_mut().poll(&mut Context::from_waker(&waker))).await;
        pending::<()>().await
    });
    assert!(soon(death).await.is_err());
}
