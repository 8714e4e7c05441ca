//! What blocks, on threads beside the shards.

use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::diagnostics::{Event, count};
use miniss_linux::time::sleep;
use miniss_linux::topology::allowed_cpus;
use miniss_linux::{
    BlockingHandle, BuildError, Builder, JoinError, Runtime, ShardId, spawn_blocking, submit_to,
    unobserved,
};
use miniss_tests::census::{resident_bytes, threads_named};
use miniss_tests::deadline::SOON;
use miniss_tests::kernel;

use crate::harness::{
    alone_with_each_driver, on_each_driver, poll_once, settle, soon, turn, with_each_driver,
};

/// A gate that blocks threads until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// Work that has begun, and goes on until the sender is dropped.
async fn begun() -> (BlockingHandle<()>, Sender<()>) {
    let (end, wait) = channel::<()>();
    let (has_begun, tell) = miniss_linux::Future::new();
    let work = spawn_blocking(move || {
        tell.complete(()).unwrap();
        wait.recv().unwrap_err();
    });
    soon(has_begun).await.unwrap();
    (work, end)
}

/// Waits until a count comes to this.
#[track_caller]
fn wait_for(expected: usize, now: impl Fn() -> usize) {
    let end = Instant::now() + SOON;
    while now() != expected && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(now(), expected);
}

/// Counts when it is dropped, and panics then if it is told to.
struct Dropped(Arc<AtomicUsize>, bool);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        assert!(!self.1, "a destructor that panics, as planned");
    }
}

#[test]
fn a_sc_1_300_blocking_calls_at_once_while_a_ticker_ticks() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).ring_entries(128).build().unwrap();
        runtime.block_on(async {
            let gate = Arc::new(Gate::default());
            let call = |number| {
                let gate = gate.clone();
                spawn_blocking(move || {
                    gate.pass();
                    number
                })
            };
            let calls: Vec<_> = (0..300).map(call).collect();
            // As long as they block, the shard ticks on.
            for _ in 0..20 {
                sleep(Duration::from_millis(1)).await;
            }
            assert!(calls.iter().all(|call| !call.is_finished()));
            gate.open();
            for (number, call) in calls.into_iter().enumerate() {
                assert_eq!(soon(call).await.unwrap(), number);
            }
        });
    });
}

#[test]
fn f10_a_panic_in_the_work_reaches_its_handle_and_no_thread_ends_of_it() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let thread = soon(spawn_blocking(|| thread::current().id())).await.unwrap();
            let error = soon(spawn_blocking(|| panic!("as planned"))).await.unwrap_err();
            assert!(error.is_panic() && error.to_string().contains("as planned"), "{error}");
            let error = soon(spawn_blocking(|| panic_any(7))).await.unwrap_err();
            assert_eq!(*error.try_into_panic().unwrap().downcast_ref::<i32>().unwrap(), 7);
            let again = soon(spawn_blocking(|| thread::current().id())).await.unwrap();
            assert_eq!(thread, again);
        });
    });
}

#[test]
fn f10_destructors_that_panic_harm_no_one() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let drops = Arc::new(AtomicUsize::new(0));
            let bomb = || Dropped(drops.clone(), true);
            // What the work owns: that is a panic in the work.
            let owned = bomb();
            let work = spawn_blocking(move || drop(owned));
            assert!(soon(work).await.unwrap_err().is_panic());
            // Its output, and what its panic carries, when no one takes them.
            let output = bomb();
            spawn_blocking(move || output).detach();
            let payload = bomb();
            spawn_blocking(move || panic_any(payload)).detach();
            // The same, when they came before the handle was dropped.
            let output = bomb();
            let handle = spawn_blocking(move || output);
            assert_eq!(soon(spawn_blocking(|| 5)).await.unwrap(), 5);
            assert!(handle.is_finished());
            drop(handle);
            // What aborted work owns.
            let (first, end) = begun().await;
            let owned = bomb();
            let given_up = spawn_blocking(move || drop(owned));
            given_up.abort();
            drop(end);
            soon(first).await.unwrap();
            assert!(soon(given_up).await.unwrap_err().is_cancelled());
            assert_eq!(soon(spawn_blocking(|| 6)).await.unwrap(), 6);
            assert_eq!(drops.load(SeqCst), 5);
        });
    });
}

#[test]
fn f10_a_handle_is_dropped_before_during_and_after_the_work() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        let (runs, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |gate: &Arc<Gate>| {
            let (gate, runs, output) = (gate.clone(), runs.clone(), Dropped(drops.clone(), false));
            spawn_blocking(move || {
                runs.fetch_add(1, SeqCst);
                gate.pass();
                output
            })
        };
        runtime.block_on(async {
            let gate = Arc::new(Gate::default());
            let during = work(&gate);
            while runs.load(SeqCst) == 0 {
                settle().await;
            }
            let before = work(&gate);
            let mut after = work(&gate);
            assert!(poll_once(pin!(&mut after)).is_pending(), "a handle that someone has polled");
            drop((during, before));
            gate.open();
            while !after.is_finished() {
                settle().await;
            }
            assert_eq!((runs.load(SeqCst), drops.load(SeqCst)), (3, 2));
            drop(after);
            assert_eq!(drops.load(SeqCst), 3);
        });
    });
}

#[test]
fn f10_a_panic_that_no_one_waits_for_is_counted() {
    let test = "blocking::f10_a_panic_that_no_one_waits_for_is_counted";
    alone_with_each_driver(test, |builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        let before = unobserved::count();
        runtime.block_on(async {
            spawn_blocking(|| panic!("as planned")).detach();
            soon(spawn_blocking(|| ())).await.unwrap();
            assert!(soon(spawn_blocking(|| panic!("as planned"))).await.is_err());
        });
        assert_eq!(unobserved::count(), before + 1);
    });
}

#[test]
fn f10_when_all_threads_are_busy_work_waits_in_its_order() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            let order = Arc::new(Mutex::new(Vec::new()));
            let handles: Vec<_> = (0..100)
                .map(|number| {
                    let order = order.clone();
                    spawn_blocking(move || order.lock().unwrap().push(number))
                })
                .collect();
            settle().await;
            assert!(order.lock().unwrap().is_empty(), "there is one thread, and it is busy");
            drop(end);
            soon(first).await.unwrap();
            for handle in handles {
                soon(handle).await.unwrap();
            }
            assert!(order.lock().unwrap().iter().copied().eq(0..100));
        });
    });
}

#[test]
fn f10_callers_wait_in_order_for_the_price_of_their_memory() {
    let test = "blocking::f10_callers_wait_in_order_for_the_price_of_their_memory";
    // Closure, progress, place in the line, and as much again for memory that grows.
    const CALLERS: usize = 50_000;
    const BYTES_EACH: u64 = 1024;
    alone_with_each_driver(test, |builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            let before = resident_bytes();
            let next = Arc::new(AtomicUsize::new(0));
            let callers: Vec<_> = (0..CALLERS)
                .map(|number| {
                    let next = next.clone();
                    spawn_blocking(move || next.fetch_add(1, SeqCst) == number)
                })
                .collect();
            let grown = resident_bytes().saturating_sub(before);
            assert!(grown < CALLERS as u64 * BYTES_EACH, "{grown} bytes");
            // The shard itself does not wait.
            soon(sleep(Duration::from_millis(1))).await;
            assert_eq!(next.load(SeqCst), 0);
            drop(end);
            soon(first).await.unwrap();
            for caller in callers {
                assert!(soon(caller).await.unwrap(), "out of order");
            }
        });
    });
}

#[test]
fn f10_shards_take_turns_at_the_threads() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            let order = Arc::new(Mutex::new(Vec::new()));
            let work = |order: &Arc<Mutex<Vec<ShardId>>>| {
                let (order, shard) = (order.clone(), ShardId::current());
                spawn_blocking(move || order.lock().unwrap().push(shard))
            };
            let ours: Vec<_> = (0..50).map(|_| work(&order)).collect();
            let theirs = order.clone();
            let theirs = submit_to(1, async move || work(&theirs).detach());
            soon(theirs).await.unwrap();
            drop(end);
            soon(first).await.unwrap();
            for handle in ours {
                soon(handle).await.unwrap();
            }
            let order = order.lock().unwrap();
            let place = order.iter().position(|&shard| shard == ShardId::new(1));
            assert!(place.is_some_and(|place| place <= 1), "{order:?}");
        });
    });
}

#[test]
fn f10_work_that_has_not_begun_can_be_given_up() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            let waiting = spawn_blocking(|| unreachable!("it was given up"));
            first.abort();
            waiting.abort();
            assert!(waiting.is_finished() && !first.is_finished());
            assert!(soon(waiting).await.unwrap_err().is_cancelled(), "at once, not at its turn");
            drop(end);
            soon(first).await.expect("what has begun runs to its end");
        });
    });
}

#[test]
fn f10_work_outlives_its_runtime_and_the_end_is_bounded_and_reported() {
    let test = "blocking::f10_work_outlives_its_runtime_and_the_end_is_bounded_and_reported";
    alone_with_each_driver(test, |builder| {
        let before = count(Event::BlockingLeft);
        let (drops, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Gate::default()));
        let builder = builder.shards(2).blocking_threads(1);
        let runtime = builder.shutdown_timeout(Duration::from_millis(50)).build().unwrap();
        let (begun, waiting) = runtime.block_on(async {
            let (has_begun, tell) = miniss_linux::Future::new();
            let (output, passed) = (Dropped(drops.clone(), false), gate.clone());
            let begun = spawn_blocking(move || {
                tell.complete(()).unwrap();
                passed.pass();
                output
            });
            soon(has_begun).await.unwrap();
            let owned = Dropped(drops.clone(), false);
            let waiting = spawn_blocking(move || drop(owned));
            drop(spawn_blocking(|| unreachable!("it never begins")));
            (begun, waiting)
        });
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON / 2);
        assert_eq!(count(Event::BlockingLeft), before + 1);
        assert_eq!(drops.load(SeqCst), 1, "what waits is dropped with the runtime");
        gate.open();
        // Handles may be awaited in another runtime.
        let other = Runtime::builder().shards(1).build().unwrap();
        other.block_on(async {
            assert!(soon(waiting).await.unwrap_err().is_cancelled());
            drop(soon(begun).await.unwrap());
        });
        assert_eq!(drops.load(SeqCst), 2);
    });
}

#[test]
fn f10_the_end_of_a_runtime_waits_for_what_has_begun() {
    with_each_driver(|builder| {
        let done = Arc::new(AtomicUsize::new(0));
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            let (has_begun, tell) = miniss_linux::Future::new();
            let done = done.clone();
            spawn_blocking(move || {
                tell.complete(()).unwrap();
                thread::sleep(Duration::from_millis(10));
                done.fetch_add(1, SeqCst);
            })
            .detach();
            soon(has_begun).await.unwrap();
        });
        drop(runtime);
        assert_eq!(done.load(SeqCst), 1);
    });
}

#[test]
fn work_may_be_asked_for_by_every_shard_and_awaited_anywhere() {
    with_each_driver(|builder| {
        let runtime = builder.shards(3).build().unwrap();
        let handles: Vec<_> = runtime.run(async || {
            let shard = ShardId::current().index();
            let works = (0..20).map(move |number| spawn_blocking(move || (shard, number)));
            works.collect::<Vec<_>>()
        });
        runtime.block_on(async {
            for (shard, handles) in handles.into_iter().enumerate() {
                for (number, handle) in handles.into_iter().enumerate() {
                    assert_eq!(soon(handle).await.unwrap(), (shard, number));
                }
            }
        });
    });
}

#[test]
fn work_that_asks_for_work_is_told_that_it_is_on_no_shard() {
    on_each_driver(async || {
        let error = soon(spawn_blocking(|| drop(spawn_blocking(|| ())))).await.unwrap_err();
        assert!(error.to_string().contains("needs a shard"), "{error}");
        assert_eq!(soon(spawn_blocking(ShardId::try_current)).await.unwrap(), None);
    });
}

#[test]
fn threads_are_not_pinned_and_have_a_name() {
    with_each_driver(|builder| {
        let cpus = allowed_cpus().unwrap();
        let runtime = builder.shards(1).pinning(miniss_linux::Pinning::Required).build().unwrap();
        runtime.block_on(async {
            assert_eq!(allowed_cpus().unwrap().len(), 1);
            let (first, end) = begun().await;
            // The second thread is started by the first.
            let work = || (allowed_cpus().unwrap(), thread::current().name().unwrap().to_owned());
            let (allowed, name) = soon(spawn_blocking(work)).await.unwrap();
            assert_eq!(allowed, cpus);
            assert_eq!(name, "counted-blocking");
            drop(end);
            soon(first).await.unwrap();
        });
    });
}

#[test]
fn idle_threads_end_and_others_begin() {
    with_each_driver(|builder| {
        let keep_alive = Duration::from_millis(20);
        let builder = builder.shards(1).blocking_threads(4).blocking_keep_alive(keep_alive);
        let runtime = builder.build().unwrap();
        let threads = || threads_named("counted-blockin");
        assert_eq!(threads(), 0);
        for _ in 0..2 {
            let mut all = Vec::new();
            runtime.block_on(async {
                for _ in 0..4 {
                    all.push(begun().await);
                }
            });
            assert_eq!(threads(), 4);
            for (work, end) in all {
                drop(end);
                runtime.block_on(soon(work)).unwrap();
            }
            wait_for(0, threads);
        }
    });
}

#[test]
fn an_idle_thread_is_used_again() {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().unwrap();
        runtime.block_on(async {
            let first = soon(spawn_blocking(|| thread::current().id())).await.unwrap();
            for _ in 0..20 {
                // It has said that the work is done, and goes to wait for more.
                settle().await;
                let next = soon(spawn_blocking(|| thread::current().id())).await.unwrap();
                if next == first {
                    return;
                }
            }
            panic!("each work has a thread of its own");
        });
    });
}

#[test]
fn f10_a_thread_that_cannot_be_started_is_an_error_or_another_serves() {
    let test = "blocking::f10_a_thread_that_cannot_be_started_is_an_error_or_another_serves";
    let once = std::sync::Once::new();
    alone_with_each_driver(test, |builder| {
        once.call_once(|| kernel::become_user_who_locks(8 << 20));
        let before = count(Event::BlockingThreadRefused);
        let builder = builder.shards(1).blocking_keep_alive(Duration::from_millis(50));
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            kernel::limit_threads(Some(1));
            // No second thread: these wait for the one that is there.
            let works: Vec<_> = (0..10).map(|n| spawn_blocking(move || n)).collect();
            settle().await;
            assert!(works.iter().all(|work| !work.is_finished()));
            drop(end);
            soon(first).await.unwrap();
            for (number, work) in works.into_iter().enumerate() {
                assert_eq!(soon(work).await.unwrap(), number);
            }
            wait_for(0, || threads_named("counted-blockin"));
            // And none at all.
            let owned = Arc::new(());
            let kept = owned.clone();
            let error = soon(spawn_blocking(move || drop(kept))).await.unwrap_err();
            assert!(matches!(&error, JoinError::NoThread(_)), "{error}");
            assert!(error.to_string().contains("RLIMIT_NPROC"), "{error}");
            assert_eq!(Arc::strong_count(&owned), 1);
            assert!(count(Event::BlockingThreadRefused) >= before + 2);
            kernel::limit_threads(None);
            assert_eq!(soon(spawn_blocking(|| 5)).await.unwrap(), 5);
        });
    });
}

#[test]
fn a_pool_that_is_full_for_long_is_reported() {
    let test = "blocking::a_pool_that_is_full_for_long_is_reported";
    alone_with_each_driver(test, |builder| {
        let before = count(Event::BlockingPoolFull);
        let runtime = builder.shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (first, end) = begun().await;
            let second = spawn_blocking(|| ());
            sleep(Duration::from_millis(1_100)).await;
            let third = spawn_blocking(|| ());
            assert!(count(Event::BlockingPoolFull) > before);
            drop(end);
            for work in [first, second, third] {
                soon(work).await.unwrap();
            }
        });
    });
}

#[test]
fn a_number_of_threads_that_makes_no_sense_is_refused() {
    let _turn = turn();
    for threads in [0, 1 << 20] {
        let error = Builder::default().shards(1).blocking_threads(threads).build().unwrap_err();
        assert!(matches!(error, BuildError::InvalidConfig(_)), "{error}");
        assert!(error.to_string().contains("threads for what blocks"), "{error}");
    }
}

#[test]
fn many_works_that_come_and_go_all_end() {
    on_each_driver(async || {
        let (send, receive): (Sender<usize>, Receiver<usize>) = channel();
        for round in 0..20 {
            for number in 0..50 {
                let send = send.clone();
                let handle = spawn_blocking(move || send.send(round * 50 + number).unwrap());
                if number % 3 == 0 {
                    soon(handle).await.unwrap();
                }
            }
        }
        drop(send);
        // The last of those that were let go of may still be on their way.
        let done = soon(spawn_blocking(move || receive.iter().collect::<Vec<_>>())).await;
        let mut done = done.unwrap();
        done.sort_unstable();
        assert!(done.into_iter().eq(0..1_000));
    });
}
