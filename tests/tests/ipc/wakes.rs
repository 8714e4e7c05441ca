//! Wakes and aborts from everywhere, at any time. Scenarios R25, T5 to T7.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, ShardId, spawn, stats, submit_to, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;

use super::{LONG, runtime};

/// Runs `case` on runtimes of two shards, with and without a spin before they sleep.
fn alone_with_sleepers(test: &str, case: impl Fn(Runtime)) {
    alone(test, || {
        for micros in [0, 20] {
            let builder = Runtime::builder().shards(2).idle_spin(Duration::from_micros(micros));
            Census::around(|| case(builder.build().unwrap()));
        }
    });
}

#[test]
fn r25_wakes_from_other_threads_reach_a_shard_that_parks() {
    const WAKES: u64 = 100_000;
    alone_with_sleepers(
        "wakes::r25_wakes_from_other_threads_reach_a_shard_that_parks",
        |runtime| {
            let mut random = Random::new();
            // The waker's side: a ball that goes to and fro between a thread and a task of shard 1.
            let ball = Arc::new(AtomicU64::new(0));
            let waker = Arc::new(Mutex::new(None::<Waker>));
            let (theirs, their_waker) = (ball.clone(), waker.clone());
            let thread = thread::spawn(move || {
                for number in 1..=WAKES {
                    while theirs.load(Ordering::Acquire) != 2 * number - 1 {
                        std::hint::spin_loop();
                        if !random.number().is_multiple_of(64) {
                            thread::yield_now();
                        }
                    }
                    for _ in 0..random.below(200) {
                        std::hint::spin_loop();
                    }
                    theirs.store(2 * number, Ordering::Release);
                    let waker = their_waker.lock().unwrap().clone();
                    waker.expect("the task has left it").wake();
                }
            });
            let caught = runtime.block_on(async move {
                submit_to(1, async move || {
                    for number in 1..=WAKES {
                        poll_fn(|cx| {
                            *waker.lock().unwrap() = Some(cx.waker().clone());
                            let _ = ball.compare_exchange(
                                2 * number - 2,
                                2 * number - 1,
                                Ordering::AcqRel,
                                Ordering::Relaxed,
                            );
                            match ball.load(Ordering::Acquire) == 2 * number {
                                true => Poll::Ready(()),
                                false => Poll::Pending,
                            }
                        })
                        .await;
                    }
                    stats().parks
                })
                .await
                .unwrap()
            });
            thread.join().unwrap();
            println!("parked {caught} times for {WAKES} wakes");
        },
    );
}

#[test]
fn r25_calls_at_random_moments_between_shards_that_park_are_never_lost() {
    alone_with_sleepers(
        "wakes::r25_calls_at_random_moments_between_shards_that_park_are_never_lost",
        |runtime| {
            let seed = Random::new();
            runtime.run(async move || {
                let (other, mut random) = (1 - ShardId::current().index(), seed.clone());
                for _ in 0..10_000 {
                    for _ in 0..random.below(300) {
                        std::hint::spin_loop();
                    }
                    timeout(LONG, submit_to(other, async || ()))
                        .await
                        .expect("it is heard")
                        .unwrap();
                }
            });
        },
    );
}

/// Gives the waker of the task that awaits it to `take`, and ends when `done` says so.
async fn lend_waker(take: impl FnOnce(Waker)) {
    let mut take = Some(take);
    poll_fn(|cx| match take.take() {
        Some(take) => {
            take(cx.waker().clone());
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

#[test]
fn t5_t6_wakers_are_used_from_eight_threads_long_after_their_task_and_runtime() {
    let _deadline = deadline("T5, T6");
    let (sender, wakers) = mpsc::channel();
    let first = runtime(2);
    let lent = sender.clone();
    first.block_on(async move {
        for shard in [0, 1] {
            let lent = lent.clone();
            submit_to(shard, async move || {
                lend_waker(|waker| lent.send(waker).unwrap()).await;
            })
            .await
            .unwrap();
        }
    });
    let wakers: Vec<_> = wakers.try_iter().collect();
    assert_eq!(wakers.len(), 2);
    let (stop, wakes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (wakers, stop, wakes) = (wakers.clone(), stop.clone(), wakes.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for waker in &wakers {
                        let clone = waker.clone();
                        waker.wake_by_ref();
                        clone.wake();
                    }
                    wakes.fetch_add(4, Ordering::Relaxed);
                    thread::yield_now();
                }
            })
        })
        .collect();
    // The tasks have ended; the runtime goes on, then ends, then others take its place.
    assert_eq!(first.block_on(async { submit_to(1, async || 5).await }).unwrap(), 5);
    drop(first);
    for _ in 0..50 {
        let next = runtime(2);
        let answers = next.run(async || {
            let task = spawn(async {
                yield_now().await;
                7
            });
            sleep(Duration::from_micros(300)).await;
            task.await.unwrap()
        });
        assert_eq!(answers, [7, 7]);
    }
    stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{} late wakes", wakes.load(Ordering::Relaxed));
}

#[test]
fn t7_futures_are_dropped_at_home_whoever_aborts_or_wakes_them() {
    struct AtHome(thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for AtHome {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.0, "dropped away from home");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let _deadline = deadline("T7");
    let drops = Arc::new(AtomicUsize::new(0));
    let runtime = runtime(2);
    let (sender, handles) = mpsc::channel();
    let made = drops.clone();
    runtime.run(async move || {
        for _ in 0..500 {
            let at_home = AtHome(thread::current().id(), made.clone());
            let waker = sender.clone();
            let task = spawn(async move {
                let _at_home = at_home;
                lend_waker(|lent| drop(waker.send((None, Some(lent))))).await;
                std::future::pending::<()>().await;
            });
            sender.send((task.abort_handle(), None)).unwrap();
        }
    });
    let aborter = thread::spawn(move || {
        for (number, (abort, waker)) in handles.try_iter().enumerate() {
            if let Some(abort) = abort.filter(|_| number % 3 != 0) {
                abort.abort();
            }
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    });
    runtime.block_on(async {
        while !aborter.is_finished() {
            sleep(Duration::from_micros(100)).await;
        }
    });
    aborter.join().unwrap();
    drop(runtime);
    assert_eq!(drops.load(Ordering::Relaxed), 1000);
}
