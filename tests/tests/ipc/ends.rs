//! Calls, tasks and shards that end badly or too early. Scenarios S3, S4, T1, T2.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{CallError, Runtime, driver_stats, run_on, spawn, submit_to, yield_now};
use miniss_tests::deadline::deadline;

use super::{LONG, on_shard_0};

/// A runtime whose end takes [`LONG`] unless it is in order.
fn ends_in_order(shards: usize) -> Runtime {
    let builder = Runtime::builder().shards(shards);
    builder.shutdown_timeout(LONG).build().unwrap()
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn s4_a_call_that_is_dropped_runs_and_its_output_is_dropped_by_the_caller() {
    struct AtCaller(thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for AtCaller {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.0);
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    on_shard_0("S4", 2, async || {
        let (ran, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let home = thread::current().id();
        for round in 0..1000 {
            let (ran, output) = (ran.clone(), AtCaller(home, dropped.clone()));
            let call = submit_to(1, async move || {
                ran.fetch_add(1, Ordering::Relaxed);
                // Made by the caller, carried there, and given back.
                output
            });
            match round % 3 {
                0 => drop(call),
                1 => {
                    yield_now().await;
                    drop(call);
                }
                _ => {
                    let _ = timeout(Duration::from_micros(round % 50), call).await;
                }
            }
        }
        // Behind all of them.
        submit_to(1, async || ()).await.unwrap();
        let all = async {
            while dropped.load(Ordering::Relaxed) < 1000 {
                sleep(Duration::from_micros(100)).await;
            }
        };
        timeout(LONG, all).await.expect("every output is dropped");
        assert_eq!(ran.load(Ordering::Relaxed), 1000);
    });
}

#[test]
fn s3_calls_to_shards_that_end_are_told_so() {
    let _deadline = deadline("S3");
    let runtime = ends_in_order(3);
    let drops = Arc::new(AtomicUsize::new(0));
    let made = drops.clone();
    let outcome = Arc::new(Mutex::new(None));
    let tell = outcome.clone();
    runtime.block_on(async move {
        // Shard 1 waits for shard 2, which never answers; then the runtime ends.
        submit_to(1, async move || {
            let counted = Counted(made.clone());
            spawn(async move {
                let _counted = counted;
                let call = submit_to(2, async || std::future::pending::<()>().await);
                let result = call.await;
                *tell.lock().unwrap() = Some(result.is_err());
            })
            .detach();
        })
        .await
        .unwrap();
        sleep(Duration::from_millis(2)).await;
    });
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < LONG, "the end was cut short");
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_ne!(*outcome.lock().unwrap(), Some(false));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a bomb was dropped");
        }
    }
}

#[test]
fn t2_outputs_whose_destructor_panics_hurt_no_shard() {
    on_shard_0("T2", 2, async || {
        for from in [0, 1] {
            let to = 1 - from;
            submit_to(from, async move || {
                drop(submit_to(to, async || Bomb));
                drop(run_on(to, || Bomb));
                let bomb = Bomb;
                drop(submit_to(to, async move || drop(bomb)));
                let bomb = Bomb;
                let error = submit_to(to, async move || {
                    let _bomb = bomb;
                })
                .await;
                assert!(matches!(error, Err(CallError::Panicked(_))));
                // These are behind the bombs.
                submit_to(to, async || ()).await.unwrap();
                sleep(Duration::from_millis(5)).await;
            })
            .await
            .unwrap();
            assert_eq!(submit_to(to, async || 1).await.unwrap(), 1);
            assert_eq!(submit_to(from, async || 2).await.unwrap(), 2);
        }
        drop(spawn(async { Bomb }));
        let aborted = spawn(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        yield_now().await;
        aborted.abort();
        drop(aborted.await);
        assert_eq!(submit_to(1, async || 3).await.unwrap(), 3);
    });
}

#[test]
fn t2_work_that_never_started_and_panics_when_dropped_does_not_stop_the_end() {
    let _deadline = deadline("T2, end");
    let runtime = ends_in_order(2);
    let handle = runtime.handle();
    runtime.block_on(async {
        // Shard 1 is busy, so these are still on their way when it is told to end.
        drop(run_on(1, || thread::sleep(Duration::from_millis(100))));
        for _ in 0..3 {
            let bomb = Bomb;
            drop(submit_to(1, async move || drop(bomb)));
        }
        yield_now().await;
    });
    let bomb = Bomb;
    drop(handle.submit_to(0, async move || drop(bomb)));
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < LONG, "the end was cut short");
}

#[test]
fn t1_many_tasks_panic_and_the_others_do_not_notice() {
    on_shard_0("T1", 2, async || {
        let start = |number: u32| {
            spawn(async move {
                yield_now().await;
                assert!(!number.is_multiple_of(100), "number {number}");
                number
            })
        };
        let tasks: Vec<_> = (0..2000).map(start).collect();
        for (number, task) in tasks.into_iter().enumerate() {
            match task.await {
                Ok(output) => assert_eq!(output as usize, number),
                Err(error) => {
                    assert!(error.is_panic() && number.is_multiple_of(100));
                    assert!(error.to_string().contains(&format!("number {number}")), "{error}");
                }
            }
        }
        assert_eq!(submit_to(1, async || driver_stats().in_flight).await.unwrap(), 0);
    });
}
