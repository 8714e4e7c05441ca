//! Calls from shard to shard: outcomes, order, floods, rings. Scenarios A-IPC, S1, S2.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{CallError, ShardId, run_on, spawn, spawn_on, submit_to, yield_now};
use miniss_tests::deadline::deadline;

use super::{LONG, in_order, on_shard_0, runtime};

#[test]
fn a_ipc_1_each_shard_writes_its_slot_and_the_caller_goes_on_at_home() {
    on_shard_0("A-IPC-1", 4, async || {
        let slots = Arc::new([const { AtomicUsize::new(0) }; 4]);
        let call = |shard: ShardId| {
            let slots = slots.clone();
            submit_to(shard, async move || {
                assert_eq!(ShardId::current(), shard);
                slots[shard.index()].store(shard.index() + 4, Ordering::Relaxed);
            })
        };
        let calls: Vec<_> = ShardId::all().map(call).collect();
        let home = thread::current().id();
        for call in calls {
            call.await.unwrap();
            assert_eq!((ShardId::current(), thread::current().id()), (ShardId::new(0), home));
        }
        let slots: Vec<_> = slots.iter().map(|slot| slot.load(Ordering::Relaxed)).collect();
        assert_eq!(slots, [4, 5, 6, 7]);
    });
}

#[test]
fn a_ipc_2_an_error_or_a_panic_reaches_the_caller_and_the_shard_goes_on() {
    on_shard_0("A-IPC-2", 2, async || {
        for shard in [0, 1] {
            let failed = submit_to(shard, async || "7x".parse::<i32>()).await.unwrap();
            assert_eq!(failed, "7x".parse::<i32>());
            let panicked = submit_to(shard, async || -> u8 { panic!("async {}", 1) }).await;
            let error = panicked.unwrap_err();
            assert!(matches!(error, CallError::Panicked(_)));
            assert!(error.to_string().contains("async 1"), "{error}");
            let late = async || -> u8 {
                sleep(Duration::from_millis(1)).await;
                panic!("late")
            };
            assert!(matches!(submit_to(shard, late).await, Err(CallError::Panicked(_))));
            let panicked = run_on(shard, || -> u8 { panic!("sync") }).await;
            assert!(matches!(panicked, Err(CallError::Panicked(_))));
            assert_eq!(submit_to(shard, async || 5).await.unwrap(), 5);
            assert_eq!(run_on(shard, || 6).await.unwrap(), 6);
            assert_eq!(spawn_on(shard, async || 7).await.unwrap(), 7);
        }
    });
}

#[test]
fn a_ipc_3_a_call_that_waits_holds_up_no_one() {
    on_shard_0("A-IPC-3", 2, async || {
        thread_local! {
            static LATER: Cell<u32> = const { Cell::new(0) };
        }
        // It ends only when later calls have run.
        let slow = submit_to(1, async || {
            while LATER.get() < 4 {
                sleep(Duration::from_millis(1)).await;
            }
            LATER.take()
        });
        for before in 0..4 {
            let later = submit_to(1, async || LATER.replace(LATER.get() + 1));
            assert_eq!(later.await.unwrap(), before);
        }
        assert_eq!(slow.await.unwrap(), 4);
    });
}

thread_local! {
    static STARTED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_ipc_4_a_hundred_thousand_calls_at_once_start_in_order_and_all_end() {
    const CALLS: u32 = 100_000;
    in_order("A-IPC-4", 2, async || {
        let call = |number| {
            submit_to(1, async move || {
                STARTED.with_borrow_mut(|started| started.push(number));
                yield_now().await;
                number
            })
        };
        let calls: Vec<_> = (0..CALLS).map(call).collect();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap(), number as u32);
        }
        let started = run_on(1, || STARTED.take()).await.unwrap();
        assert!(started.into_iter().eq(0..CALLS), "calls were reordered");
    });
}

#[test]
fn a_ipc_4_both_kinds_of_calls_share_one_order() {
    in_order("A-IPC-4, mixed", 2, async || {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut calls = Vec::new();
        for number in 0..1000 {
            let log = log.clone();
            calls.push(match number % 2 {
                0 => run_on(1, move || log.lock().unwrap().push(number)),
                _ => submit_to(1, async move || log.lock().unwrap().push(number)),
            });
        }
        for call in calls {
            call.await.unwrap();
        }
        // An async call starts as a task, a plain one in between: each kind is in order by itself.
        let log = log.lock().unwrap();
        for kind in [0, 1] {
            let of_kind: Vec<_> = log.iter().filter(|number| **number % 2 == kind).collect();
            assert!(of_kind.is_sorted());
            assert_eq!(of_kind.len(), 500);
        }
    });
}

#[test]
fn a_ipc_5_an_idle_shard_hears_a_single_call() {
    on_shard_0("A-IPC-5", 2, async || {
        submit_to(1, async || ()).await.unwrap();
        for _ in 0..20 {
            sleep(Duration::from_millis(10)).await;
            timeout(LONG, submit_to(1, async || ())).await.expect("it wakes").unwrap();
        }
    });
}

#[test]
fn a_ipc_6_all_pairs_call_at_once_there_and_back_again() {
    let _deadline = deadline("A-IPC-6");
    let sums = runtime(4).run(async || {
        let home = ShardId::current();
        let call = |number: usize| {
            submit_to(number % 4, async move || {
                let here = ShardId::current().index();
                // And back to where it came from, which is waiting.
                submit_to(home, async move || here + number).await.unwrap()
            })
        };
        let calls: Vec<_> = (0..2000).map(call).collect();
        let mut sum = 0;
        for call in calls {
            sum += call.await.unwrap();
        }
        sum
    });
    assert_eq!(sums, [1999 * 1000 + 3000; 4]);
}

#[test]
fn s1_two_shards_flood_each_other_with_calls_that_call_back() {
    let _deadline = deadline("S1");
    let done = runtime(2).run(async || {
        let (home, other) = (ShardId::current().index(), 1 - ShardId::current().index());
        let mut done = 0_u32;
        for _ in 0..10 {
            let call = |_| {
                submit_to(other, async move || {
                    run_on(home, || 1).await.unwrap() + submit_to(home, async || 1).await.unwrap()
                })
            };
            let calls: Vec<_> = (0..2000).map(call).collect();
            for call in calls {
                done += call.await.unwrap();
            }
        }
        done
    });
    assert_eq!(done, [40_000, 40_000]);
}

#[test]
fn s2_a_ring_of_shards_that_all_forward_goes_round() {
    async fn forward(hops: usize) -> usize {
        if hops == 0 {
            return ShardId::current().index();
        }
        let next = (ShardId::current().index() + 1) % 4;
        Box::pin(async move { submit_to(next, async move || forward_boxed(hops - 1).await).await })
            .await
            .unwrap()
    }
    fn forward_boxed(hops: usize) -> std::pin::Pin<Box<dyn Future<Output = usize>>> {
        Box::pin(forward(hops))
    }
    let _deadline = deadline("S2");
    let ends = runtime(4).run(async || {
        let walk = |_| spawn(forward_boxed(101));
        let walks: Vec<_> = (0..100).map(walk).collect();
        let mut ends = Vec::new();
        for walk in walks {
            ends.push(walk.await.unwrap());
        }
        ends.dedup();
        ends
    });
    assert_eq!(ends, [[1], [2], [3], [0]]);
}

#[test]
fn a_call_to_a_shard_that_is_not_there_panics_and_names_it() {
    on_shard_0("no such shard", 2, async || {
        for shard in [2, 1 << 20, 1 << 32, usize::MAX] {
            let call = spawn(async move { submit_to(shard, async || ()).await });
            let error = call.await.unwrap_err();
            assert!(error.is_panic(), "{error}");
            assert!(error.to_string().contains("shard"), "{error}");
        }
        assert_eq!(submit_to(1, async || 1).await.unwrap(), 1);
    });
}
