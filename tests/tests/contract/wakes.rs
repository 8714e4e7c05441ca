//! Wakes: from the shard itself, from other shards and from other threads.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use miniss_linux::time::sleep;
use miniss_linux::{CallError, ShardId, run_on, spawn, submit_to, yield_now};
use miniss_tests::random::Random;
use miniss_tests::sockets::pair;

use crate::harness::{beside, on_each_driver, settle, soon, with_each_driver};

#[test]
fn a_thread_wakes_a_shard_that_sleeps() {
    on_each_driver(async || {
        for round in 0..50 {
            let work = move || {
                thread::sleep(Duration::from_micros(round * 20));
                round
            };
            assert_eq!(beside(work).await, round);
        }
    });
}

#[test]
fn a_thread_that_is_faster_than_the_shard_is_heard() {
    on_each_driver(async || {
        for round in 0..100 {
            let (future, promise) = miniss_linux::Future::<u32>::new();
            thread::spawn(move || promise.complete(round)).join().unwrap().unwrap();
            assert_eq!(soon(future).await.unwrap(), round);
        }
    });
}

#[test]
fn the_wakes_of_many_threads_are_all_heard() {
    const THREADS: usize = 8;
    const WAKES: usize = 500;
    on_each_driver(async || {
        let count = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = channel::<Waker>();
        let waking = count.clone();
        let threads = thread::spawn(move || {
            let waker = receiver.recv().unwrap();
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        for _ in 0..WAKES {
                            waking.fetch_add(1, Ordering::SeqCst);
                            waker.wake_by_ref();
                        }
                    });
                }
            });
        });
        let mut told = false;
        let all = poll_fn(|cx| {
            if !told {
                told = true;
                sender.send(cx.waker().clone()).unwrap();
            }
            match count.load(Ordering::SeqCst) == THREADS * WAKES {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        soon(all).await;
        threads.join().unwrap();
    });
}

#[test]
fn wakers_outlive_their_task_and_their_runtime() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let lend = |sender: std::sync::mpsc::Sender<Waker>| {
            poll_fn(move |cx| {
                sender.send(cx.waker().clone()).unwrap();
                Poll::Ready(())
            })
        };
        let (sender, receiver) = channel();
        let other = sender.clone();
        runtime.block_on(async {
            soon(spawn(lend(sender))).await.unwrap();
            soon(submit_to(1, async move || lend(other).await)).await.unwrap();
        });
        let wakers: Vec<Waker> = receiver.iter().collect();
        assert_eq!(wakers.len(), 2);
        let use_them = |wakers: &[Waker]| {
            for waker in wakers {
                let copy = waker.clone();
                waker.wake_by_ref();
                copy.wake();
            }
        };
        use_them(&wakers);
        runtime.block_on(settle());
        drop(runtime);
        use_them(&wakers);
        thread::spawn(move || use_them(&wakers)).join().unwrap();
    });
}

#[test]
fn a_task_that_wakes_itself_keeps_neither_timers_nor_sockets_nor_threads() {
    on_each_driver(async || {
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let spinner = spawn(async move {
            while !stopped.get() {
                yield_now().await;
            }
        });
        let (stream, mut peer) = pair();
        for _ in 0..10 {
            soon(sleep(Duration::from_micros(100))).await;
            peer.write_all(b"x").unwrap();
            assert_eq!(soon(stream.recv()).await.unwrap().len(), 1);
            assert_eq!(beside(|| 5).await, 5);
        }
        stop.set(true);
        soon(spinner).await.unwrap();
    });
}

#[test]
fn tasks_that_yield_take_turns() {
    on_each_driver(async || {
        let counts = Rc::new([Cell::new(0_u32), Cell::new(0)]);
        let tasks = [0, 1].map(|own| {
            let counts = counts.clone();
            spawn(async move {
                for _ in 0..100 {
                    counts[own].set(counts[own].get() + 1);
                    yield_now().await;
                }
                counts[1 - own].get()
            })
        });
        for task in tasks {
            // Some turns apart if the order is shuffled.
            let others = soon(task).await.unwrap();
            assert!(others > 50, "100 turns here, {others} there");
        }
    });
}

#[test]
fn shards_call_each_other_whether_they_sleep_or_not() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let mut random = Random::new();
        runtime.block_on(async {
            for round in 0..200_u64 {
                if random.below(2) == 0 {
                    sleep(Duration::from_micros(random.below(200))).await;
                }
                let pause = Duration::from_micros(random.below(200));
                let call = submit_to(1, async move || {
                    sleep(pause).await;
                    let home = run_on(0, ShardId::current).await.unwrap();
                    (ShardId::current(), home, round)
                });
                let answer = soon(call).await.unwrap();
                assert_eq!(answer, (ShardId::new(1), ShardId::new(0), round));
            }
        });
    });
}

#[test]
fn a_call_that_panics_tells_its_caller_and_the_shard_goes_on() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let error = soon(run_on(1, || panic!("as planned"))).await.unwrap_err();
            assert!(
                matches!(&error, CallError::Panicked(panic) if panic.to_string() == "as planned")
            );
            assert_eq!(soon(run_on(1, || 5)).await.unwrap(), 5);
        });
    });
}

#[test]
fn a_call_that_is_dropped_is_carried_out() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            for _ in 0..10 {
                let counter = calls.clone();
                drop(run_on(1, move || counter.fetch_add(1, Ordering::SeqCst)));
            }
            while calls.load(Ordering::SeqCst) < 10 {
                settle().await;
            }
        });
    });
}

#[test]
fn a_thread_calls_every_shard_and_waits_for_the_answer() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let answers = beside(move || {
                [1, 0, 1, 0].map(|shard| {
                    // Long enough that the shard sleeps.
                    thread::sleep(Duration::from_millis(1));
                    let call = handle.submit_to(shard, async || {
                        sleep(Duration::from_micros(100)).await;
                        ShardId::current().index()
                    });
                    call.wait().unwrap()
                })
            });
            assert_eq!(answers.await, [1, 0, 1, 0]);
        });
    });
}

#[test]
fn a_thread_that_calls_a_runtime_that_has_ended_is_told_so() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        let handle = runtime.handle();
        let pending = [0, 1].map(|shard| handle.submit_to(shard, async || pending::<()>().await));
        runtime.block_on(settle());
        drop(runtime);
        for call in pending {
            assert!(matches!(call.wait(), Err(CallError::ShardGone(_))));
        }
        for shard in [0, 1] {
            let late = handle.submit_to(shard, async || 5);
            assert!(
                matches!(late.wait(), Err(CallError::ShardGone(gone)) if gone.index() == shard)
            );
        }
    });
}
