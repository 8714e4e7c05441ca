//! Groups that bound the calls in flight. Scenarios S1, S3, S4, S6.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use miniss_linux::combine::parallel_for_each;
use miniss_linux::coop::consume_budget;
use miniss_linux::sharded::{Permits, ServiceGroup, Sharded, invoke_on_all};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{CallError, ShardId, run_on, shard_local, spawn, submit_to, yield_now};
use miniss_tests::deadline::{SOON, deadline};

use super::{Count, kill, on_shard_0, runtime, soon, until};

fn here() -> usize {
    ShardId::current().index()
}

/// Opened from any shard.
#[derive(Clone, Default)]
struct Door(Arc<AtomicBool>);

impl Door {
    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    async fn pass(self) {
        until(|| self.0.load(Ordering::SeqCst)).await;
    }
}

#[test]
fn there_are_never_more_calls_in_flight_to_a_shard_than_the_group_allows() {
    static GROUP: ServiceGroup = ServiceGroup::new("bounded", 1, 6);
    shard_local! {
        static INSIDE: Cell<usize> = Cell::new(0);
        static MOST: Cell<usize> = Cell::new(0);
    }
    on_shard_0("a bound", 3, async || {
        let call_all = async || {
            let call = async |number: usize| {
                let work = async move || {
                    let inside = INSIDE.with(|inside| inside.replace(inside.get() + 1)) + 1;
                    MOST.with(|most| most.set(most.get().max(inside)));
                    sleep(Duration::from_millis(1)).await;
                    INSIDE.with(|inside| inside.set(inside.get() - 1));
                };
                // Only to the others: on its own shard, a call takes up no room.
                let shard = (here() + 1 + number % 2) % 3;
                GROUP.submit_to(shard, work).await
            };
            parallel_for_each(0..60, call).await.unwrap();
        };
        soon(invoke_on_all(call_all)).await.unwrap();
        let most = invoke_on_all(async || MOST.with(Cell::get)).await.unwrap();
        assert_eq!(most, [6; 3]);
    });
}

#[test]
fn s6_each_shard_may_have_one_call_in_flight_whatever_the_bound() {
    static GROUP: ServiceGroup = ServiceGroup::new("narrow", 1, 1);
    on_shard_0("S6", 8, async || {
        let call_all = async || {
            let call = async |shard: ShardId| GROUP.submit_to(shard, async || ()).await;
            parallel_for_each(ShardId::all(), call).await
        };
        for outcome in soon(invoke_on_all(call_all)).await.unwrap() {
            outcome.unwrap();
        }
    });
}

#[test]
fn the_timeout_is_for_the_queue_and_not_for_the_work() {
    static GROUP: ServiceGroup =
        ServiceGroup::new("timed", 1, 1).queue_timeout(Duration::from_millis(2));
    on_shard_0("a queue timeout", 2, async || {
        let (door, inside) = (Door::default(), Count::default());
        let (pass, counter) = (door.clone(), inside.clone());
        let slow = spawn(GROUP.submit_to(1, async move || {
            counter.add();
            pass.pass().await;
            5
        }));
        until(|| inside.value() == 1).await;
        for _ in 0..3 {
            let ran = Count::default();
            let counter = ran.clone();
            let late = soon(GROUP.submit_to(1, async move || counter.add())).await;
            assert!(matches!(late, Err(CallError::QueueTimedOut(shard)) if shard.index() == 1));
            run_on(1, || ()).await.unwrap();
            assert_eq!(ran.value(), 0);
        }
        // Far longer in flight than it might have waited.
        door.open();
        assert_eq!(soon(slow).await.unwrap().unwrap(), 5);
        assert_eq!(soon(GROUP.submit_to(1, async || 6)).await.unwrap(), 6);
    });
}

#[test]
fn room_that_was_granted_counts_though_the_timeout_passes_and_the_budget_is_spent() {
    const LIMIT: Duration = Duration::from_millis(2);
    static GROUP: ServiceGroup = ServiceGroup::new("spent", 1, 1).queue_timeout(LIMIT);
    on_shard_0("a queue timeout with no budget", 2, async || {
        let first = GROUP.reserve(1).await.unwrap();
        let mut second = pin!(GROUP.reserve(1));
        assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await);
        drop(first);
        std::thread::sleep(2 * LIMIT);
        // The timer has its turn.
        sleep(LIMIT).await;
        poll_fn(|cx| {
            while pin!(consume_budget()).poll(cx).is_ready() {}
            Poll::Ready(())
        })
        .await;
        let permit = second.await.unwrap();
        assert!(GROUP.try_reserve(1).is_none());
        drop(permit);
        assert!(GROUP.try_reserve(1).is_some());
    });
}

#[test]
fn s4_a_call_that_is_dropped_takes_up_room_until_it_has_ended() {
    static GROUP: ServiceGroup = ServiceGroup::new("dropped", 1, 1);
    on_shard_0("S4", 2, async || {
        for _ in 0..20 {
            let (door, ran) = (Door::default(), Count::default());
            let (pass, counter) = (door.clone(), ran.clone());
            let slow = GROUP.submit_to(1, async move || {
                counter.add();
                pass.pass().await;
            });
            // One that is dropped in flight, and one that is dropped in the queue.
            assert!(timeout(Duration::ZERO, slow).await.is_err());
            until(|| ran.value() == 1).await;
            let counter = ran.clone();
            let queued = GROUP.submit_to(1, async move || counter.add());
            assert!(timeout(Duration::ZERO, queued).await.is_err());
            let counter = ran.clone();
            let next = spawn(GROUP.submit_to(1, async move || counter.add()));
            yield_now().await;
            run_on(1, || ()).await.unwrap();
            assert_eq!(ran.value(), 1);
            door.open();
            soon(next).await.unwrap().unwrap();
            assert_eq!(ran.value(), 2);
        }
    });
}

#[test]
fn s3_calls_that_fail_give_their_room_back() {
    static GROUP: ServiceGroup =
        ServiceGroup::new("failing", 1, 1).queue_timeout(SOON.saturating_mul(2));
    on_shard_0("S3", 2, async || {
        for _ in 0..5 {
            let panics: Result<(), _> = soon(GROUP.submit_to(1, async || panic!("planned"))).await;
            assert!(matches!(panics, Err(CallError::Panicked(_))));
        }
        let inside = Count::default();
        let counter = inside.clone();
        let waiting = spawn(GROUP.submit_to(1, async move || {
            counter.add();
            std::future::pending::<()>().await
        }));
        until(|| inside.value() == 1).await;
        let queued = spawn(GROUP.submit_to(1, async || ()));
        kill(1).await;
        for gone in [soon(waiting).await.unwrap(), soon(queued).await.unwrap()] {
            assert!(matches!(gone, Err(CallError::ShardGone(shard)) if shard.index() == 1));
        }
    });
}

#[test]
fn s10_a_shard_that_stalls_gets_no_more_than_the_bound_and_the_others_are_called() {
    static GROUP: ServiceGroup =
        ServiceGroup::new("stalled", 1, 8).queue_timeout(Duration::from_millis(1));
    on_shard_0("S10", 3, async || {
        let (door, ran) = (Door::default(), Count::default());
        let stalls = door.clone();
        let stall = run_on(1, move || {
            while !stalls.0.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let call = |shard| {
            let counter = ran.clone();
            GROUP.submit_to(shard, async move || counter.add())
        };
        let calls: Vec<_> = (0..20).map(|_| spawn(call(1))).collect();
        for _ in 0..20 {
            soon(call(2)).await.unwrap();
        }
        assert_eq!(ran.value(), 20);
        // All that may not be in flight are told before the stall ends.
        until(|| calls.iter().filter(|call| call.is_finished()).count() == 16).await;
        door.open();
        soon(stall).await.unwrap();
        let mut made = 0;
        for call in calls {
            match soon(call).await.unwrap() {
                Ok(()) => made += 1,
                Err(error) => assert!(matches!(error, CallError::QueueTimedOut(_)), "{error}"),
            }
        }
        // Two shards may call shard 1, and each has half of the bound.
        assert_eq!((made, ran.value()), (4, 24));
    });
}

#[test]
fn calls_on_the_own_shard_do_not_wait() {
    static GROUP: ServiceGroup = ServiceGroup::new("local", 1, 1);
    on_shard_0("local calls", 2, async || {
        let door = Door::default();
        let pass = door.clone();
        let waiting = spawn(GROUP.submit_to(0, async move || pass.pass().await));
        yield_now().await;
        assert_eq!(soon(GROUP.submit_to(0, async || here())).await.unwrap(), 0);
        // Nor do they when they come from work in the group.
        let there = GROUP.submit_to(1, async || GROUP.submit_to(1, async || here()).await);
        assert_eq!(soon(there).await.unwrap().unwrap(), 1);
        door.open();
        soon(waiting).await.unwrap().unwrap();
    });
}

#[test]
fn a_service_is_called_in_a_group() {
    static GROUP: ServiceGroup = ServiceGroup::new("service", 1, 8);
    on_shard_0("a service in a group", 2, async || {
        let owner =
            Sharded::start(ShardId::index, async |index, _| Cell::new(index)).await.unwrap();
        let numbers = *owner;
        for shard in 0..2 {
            let number = GROUP.invoke_on(numbers, shard, async |number| {
                yield_now().await;
                number.replace(7)
            });
            assert_eq!(soon(number).await.unwrap(), shard);
        }
        owner.stop().await.unwrap();
        let stopped = soon(GROUP.invoke_on(numbers, 1, async |number| number.get())).await;
        assert!(matches!(stopped, Err(CallError::NotRunning(shard)) if shard.index() == 1));
    });
}

#[test]
fn room_is_kept_for_one_call_and_given_back_without_it() {
    static GROUP: ServiceGroup = ServiceGroup::new("kept", 1, 3);
    on_shard_0("permits", 3, async || {
        let permit = GROUP.reserve(1).await.unwrap();
        assert_eq!(permit.shard().index(), 1);
        // Half of the bound, rounded down, is this shard's.
        assert!(GROUP.try_reserve(1).is_none() && GROUP.try_reserve(2).is_some());
        let queued = spawn(GROUP.reserve(1));
        yield_now().await;
        drop(permit);
        assert!(GROUP.try_reserve(1).is_none(), "it is for who waits");
        let permit = soon(queued).await.unwrap().unwrap();
        let door = Door::default();
        let pass = door.clone();
        let call = permit.submit(async move || pass.pass().await);
        assert!(GROUP.try_reserve(1).is_none());
        door.open();
        soon(call).await.unwrap();
        assert!(GROUP.try_reserve(1).is_some());
        // On its own shard, a call takes up no room.
        let own: Vec<_> = (0..9).map(|_| GROUP.try_reserve(0).unwrap()).collect();
        for permit in own {
            assert_eq!(permit.submit(async || here()).await.unwrap(), 0);
        }
    });
}

#[test]
fn room_for_several_shards_is_had_whole_or_waited_for_without_a_circle() {
    static GROUP: ServiceGroup = ServiceGroup::new("several", 1, 2);
    on_shard_0("permits for several shards", 3, async || {
        let mut all = Permits::new(&GROUP);
        let two = GROUP.reserve(2).await.unwrap();
        assert!(!all.try_reserve(0..3) && GROUP.try_reserve(1).is_some(), "all or none");
        drop(two);
        assert!(all.try_reserve(0..3) && all.try_reserve([2]), "one for each shard");
        assert!(GROUP.try_reserve(1).is_none() && GROUP.try_reserve(2).is_none());
        let mut calls = Vec::new();
        for permit in all.drain().filter(|permit| permit.shard().index() != 1) {
            calls.push(permit.submit(async || here()));
        }
        assert!(GROUP.try_reserve(1).is_some(), "what is not used is given back");
        for (call, shard) in calls.into_iter().zip([0, 2]) {
            assert_eq!(soon(call).await.unwrap(), shard);
        }
        // Each has one half, and wants the other.
        let pair = async |mine: usize, other: usize| {
            let mut permits = Permits::new(&GROUP);
            permits.reserve([mine]).await?;
            yield_now().await;
            permits.reserve([mine, other]).await?;
            let shards: Vec<_> = permits.drain().map(|permit| permit.shard().index()).collect();
            Ok::<_, CallError>(shards.iter().sum::<usize>())
        };
        let pairs = parallel_for_each(0..100, async |number: usize| {
            assert_eq!(pair(1 + number % 2, 2 - number % 2).await?, 3);
            Ok::<_, CallError>(())
        });
        soon(pairs).await.unwrap();
    });
}

#[test]
fn one_shard_has_no_more_in_flight_to_another_than_one_caller_may() {
    static GROUP: ServiceGroup = ServiceGroup::new("each", 1, 100).per_caller_max(2);
    on_shard_0("a bound for each caller", 2, async || {
        let permits = [GROUP.try_reserve(1).unwrap(), GROUP.try_reserve(1).unwrap()];
        assert!(GROUP.try_reserve(1).is_none());
        drop(permits);
        assert!(GROUP.try_reserve(1).is_some());
    });
}

#[test]
fn a_plain_closure_runs_with_an_instance_until_the_service_is_stopped() {
    static GROUP: ServiceGroup = ServiceGroup::new("plain", 1, 1);
    on_shard_0("a plain closure", 2, async || {
        let owner =
            Sharded::start(ShardId::index, async |index, _| Cell::new(index)).await.unwrap();
        let numbers = *owner;
        for shard in 0..2 {
            let former = numbers.run_on(shard, |number| number.replace(7));
            assert_eq!(soon(former).await.unwrap(), shard);
            let permit = GROUP.reserve(shard).await.unwrap();
            assert_eq!(soon(permit.run(numbers, |number| number.get())).await.unwrap(), 7);
        }
        let panics = numbers.run_on(1, |_| panic!("planned"));
        assert!(matches!(soon(panics).await, Err::<(), _>(CallError::Panicked(_))));
        owner.stop().await.unwrap();
        let stopped = soon(numbers.run_on(1, |number| number.get())).await;
        assert!(matches!(stopped, Err(CallError::NotRunning(shard)) if shard.index() == 1));
    });
}

static LOW: ServiceGroup = ServiceGroup::new("low", 1, 1);
static HIGH: ServiceGroup = ServiceGroup::new("high", 2, 1);

#[test]
fn s1_shards_that_call_each_other_through_levels_do_not_hang() {
    let _deadline = deadline("S1");
    let done = runtime(3).run(async || {
        let calls = Count::default();
        let call = async |number: usize| {
            let (next, after) = ((here() + 1) % 3, (here() + 2 - number % 2) % 3);
            let counter = calls.clone();
            let work = async move || {
                let counted = HIGH.submit_to(after, async move || counter.add());
                counted.await.unwrap();
            };
            LOW.submit_to(next, work).await
        };
        parallel_for_each(0..500, call).await.unwrap();
        calls.value()
    });
    assert_eq!(done, [500; 3]);
}

#[test]
fn a_circle_is_reported_and_not_waited_in() {
    if !cfg!(debug_assertions) {
        return;
    }
    on_shard_0("a circle", 2, async || {
        let in_itself = LOW.submit_to(1, async || {
            yield_now().await;
            LOW.submit_to(0, async || ()).await.unwrap();
        });
        let error = soon(in_itself).await.unwrap_err().to_string();
        let words = "work in the group low of level 1 calls in the group low of level 1";
        assert!(error.contains(words), "{error}");

        let down = HIGH.submit_to(1, async || LOW.submit_to(0, async || ()).await.unwrap());
        let error = soon(down).await.unwrap_err().to_string();
        assert!(error.contains("the group high of level 2 calls in the group low"), "{error}");

        // Through the caller's own shard, where the work takes up no room.
        let around = LOW.submit_to(1, async || {
            let local = HIGH.submit_to(1, async || LOW.submit_to(0, async || ()).await);
            local.await.unwrap().unwrap();
        });
        let error = soon(around).await.unwrap_err().to_string();
        assert!(error.contains("low of level 1 calls in the group low"), "{error}");

        // What is not in the group any more, or never was, may call.
        assert_eq!(soon(LOW.submit_to(1, async || 5)).await.unwrap(), 5);
        let beside = async || {
            let inside = spawn(HIGH.submit_to(0, async || sleep(Duration::from_millis(2)).await));
            yield_now().await;
            LOW.submit_to(0, async || ()).await.unwrap();
            inside.await.unwrap().unwrap();
        };
        soon(submit_to(1, beside)).await.unwrap();
    });
}
