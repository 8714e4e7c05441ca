//! The tools for many shards: calls to all of them, state that is spread over them.
//!
//! # The failure catalogue
//!
//! The names of tests begin with their row; the page of `contract/` has the other rows. What each
//! holds is counted before and after where `counted`, `Census` or a log of drops is named.
//!
//! | row | what | where, and what must hold |
//! |---|---|---|
//! | S1 | two shards call back and forth, both lanes full | `ipc/calls.rs`, here `channel.rs`, `group.rs`, `soak.rs`: all end; lanes of one under shuttle, in the core |
//! | S2 | a ring of shards that forward | `ipc/calls.rs`, here `channel.rs`: it goes round; of three with room for one under shuttle |
//! | S3 | a shard that ends or dies | `failure.rs`, `ipc/ends.rs`, here all files: `ShardGone` names it, what it had is dropped there (log) |
//! | S4 | calls that are dropped | `ipc/ends.rs`, here all files: the work runs, its output is dropped by the caller (log), nothing is left (`soak.rs`: `Census`, `counted`) |
//! | S5 | what belongs to a shard goes elsewhere | does not compile: the docs of `Sharded`, `Foreign`, `Runtime`; `soundness/shards.rs` |
//! | S6 | more shards than CPUs | `os.rs`: 64 of them rest; here `calls.rs`, `channel.rs`, `rows.rs` (`counted`) |
//! | S7 | masks of CPUs, without CPU 0, changed while shards run | `os.rs`, here `rows.rs` (`counted`) |
//! | S8 | pinning is refused | `os.rs`, by a filter: goes on, or an error that names the shard (`Census`) |
//! | S9 | a quota of a cgroup | `s9_…` in `topology/cgroup/tests.rs`, of files that are made up: a group of our own is not ours to make |
//! | S10 | a shard that blocks | `extremes.rs`, here `group.rs`, `channel.rs`, `rows.rs`: others go on, what waits for it has a bound, `stats` shows it (`counted`); `stalls.rs` has its report |
//! | S11 | a shard that cannot start | `failure.rs`, by a filter: the error names it (`Census`) |
//! | S12 | the order of the end | here `service.rs`, `foreign.rs`, `local.rs`, `channel.rs`: all is dropped at home (log) |
//! | S13 | little memory | here `rows.rs`: memory that does not grow (`counted`); a limit that kills is not ours |
//! | S14 | many runtimes | `os.rs`: a thousand (`Census`); here all files |
//! | T1 | many tasks panic | `ipc/ends.rs` |
//! | T2 | destructors panic | `ipc/ends.rs`, here `service.rs`, `foreign.rs` |
//! | T3 | the main future panics | `os.rs` |
//! | T4 | `panic = "abort"` | `os.rs`: a program built so runs, and the first panic ends it with its message |
//! | T5, T6 | wakes after the end | `ipc/wakes.rs`, `afterlife.rs` |
//! | T7 | where futures are dropped | `ipc/wakes.rs`, here `channel.rs` (log) |
//! | T8 | very many wakers | here `rows.rs` |
//! | T9, T10 | what is always ready | `time.rs`, here `channel.rs` |
//! | T11, T15 | a hundred thousand tasks, in a chain or parked | `extremes.rs`: no deep stack, `stats` are back |
//! | T12, T19 | spawns, timers and destructors as all ends | `afterlife.rs`, `cancel/ends.rs` |
//! | T13 | outcomes of tasks elsewhere | `ipc/foreign.rs` |
//! | T14 | an abort that races the end | here `rows.rs` |
//! | T16 | a million timers, nine in ten dropped | `time.rs`: none is early, none is left |
//! | T17, T18 | times without end, timers behind a long poll | `time.rs` |
//! | T20 | a runtime in a runtime | `os.rs` |
//! | T21 | allocations that fail | `allocations.rs`, each of some 65 in turn: the program ends with a message, or a task is not done and the rest is as it was; what has no heap says `NoRoom`: the core's tests |
//! | T22 | ready tasks in another order | the step `shuffled` of `.ci/run` |

#![forbid(unsafe_code)]

mod calls;
mod channel;
mod foreign;
mod group;
mod local;
mod rows;
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
