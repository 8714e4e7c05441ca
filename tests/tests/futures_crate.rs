//! What the `futures` crate has is not written again: it works here, on shards and on an executor
//! of the core over a clock that is moved by hand.
//!
//! Its sets and macros poll with wakers of their own, and what wakes those may be another thread.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::future::{AbortHandle, Abortable, Either, FutureExt, select, try_join_all};
use futures::lock::Mutex;
use futures::stream::{self, FuturesOrdered, FuturesUnordered, StreamExt};
use futures::task::noop_waker_ref;
use futures::{SinkExt, join, select, select_biased, try_join};

use miniss_linux::coop::unconstrained;
use miniss_linux::sync::channel;
use miniss_linux::time::{Duration, Instant, sleep, sleep_until, timeout};
use miniss_linux::{Runtime, ShardId, spawn, spawn_on, stats, submit_to, yield_now};
use miniss_tests::deadline::deadline;

fn on_one_shard<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().shards(1).build().unwrap().block_on(body)
}

fn on_two_shards<T>(body: impl Future<Output = T>) -> T {
    Runtime::builder().shards(2).build().unwrap().block_on(body)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn after<T>(delay: u64, value: T) -> T {
    sleep(millis(delay)).await;
    value
}

#[test]
fn names_that_both_crates_have_mean_the_same() {
    use futures::FutureExt as Theirs;
    use futures::TryFutureExt as TheirsToo;
    use miniss_linux::combine::FutureExt as Ours;
    use std::future::{Ready, ready};

    type Outcome = Result<u32, u32>;
    let next = |value: u32| -> Ready<Outcome> { ready(Ok(value + 1)) };
    let mend = |error: u32| -> Ready<Outcome> { ready(Err(error + 1)) };
    let turn = |outcome: Outcome| ready(outcome.is_ok());
    on_one_shard(async {
        for outcome in [Ok(1), Err(1)] {
            let first = || ready(outcome);
            let pairs = [
                (Ours::and_then(first(), next).await, TheirsToo::and_then(first(), next).await),
                (Ours::or_else(first(), mend).await, TheirsToo::or_else(first(), mend).await),
                (
                    Ours::map_ok(first(), |value| value * 2).await,
                    TheirsToo::map_ok(first(), |value| value * 2).await,
                ),
                (
                    Ours::map_err(first(), |error| error * 2).await,
                    TheirsToo::map_err(first(), |error| error * 2).await,
                ),
            ];
            for (ours, theirs) in pairs {
                assert_eq!(ours, theirs);
            }
            let ours = Ours::then_wrapped(first(), turn).await;
            assert_eq!(ours, Theirs::then(first(), turn).await);
        }
    });
}

#[test]
fn sleeps_in_join_wait_side_by_side() {
    let _deadline = deadline("join!");
    on_one_shard(async {
        let start = Instant::now();
        let outcome = join!(after(30, 'a'), after(10, 'b'), async { 'c' });
        assert_eq!(outcome, ('a', 'b', 'c'));
        let elapsed = start.elapsed();
        assert!(elapsed >= millis(30), "{elapsed:?}");
        assert_eq!(try_join!(after(1, Ok::<_, ()>(1)), after(2, Ok(2))), Ok((1, 2)));
    });
}

#[test]
fn a_failure_in_try_join_drops_the_others_and_disarms_their_timers() {
    let _deadline = deadline("try_join!");
    on_one_shard(async {
        let armed = stats().timers_armed;
        let outcome = try_join!(after(3_600_000, Ok(1)), after(1, Err::<(), _>("no")));
        assert_eq!(outcome, Err("no"));
        assert_eq!(stats().timers_armed, armed);
    });
}

#[test]
fn select_takes_the_first_sleep_that_ends_each_time() {
    let _deadline = deadline("select!");
    let order = on_one_shard(async {
        let mut short = pin!(after(5, ()).fuse());
        let mut long = pin!(after(25, ()).fuse());
        let mut ticks = Vec::new();
        loop {
            // In this order: after a stall both have ended.
            select_biased! {
                () = short => ticks.push("short"),
                () = long => ticks.push("long"),
                complete => break,
            }
        }
        ticks
    });
    assert_eq!(order, ["short", "long"]);
}

#[test]
fn the_loser_of_a_select_goes_on_where_it_was() {
    let _deadline = deadline("select");
    on_one_shard(async {
        let start = Instant::now();
        let long = pin!(after(20, "long"));
        let Either::Left(((), long)) = select(pin!(after(2, ())), long).await else { panic!() };
        assert_eq!(long.await, "long");
        assert!(start.elapsed() >= millis(20));
    });
}

#[test]
fn a_thousand_sleeps_in_futures_unordered_end_by_deadline_and_are_polled_when_woken() {
    let _deadline = deadline("FuturesUnordered");
    on_one_shard(async {
        let mut ended = None;
        // A stall while they are armed makes some overdue, and those say nothing about the order.
        while ended.is_none() {
            ended = a_thousand_sleeps().await;
        }
        assert!(ended.unwrap().is_sorted(), "those with a later deadline end later");
    });
}

/// Tens of deadlines in the order in which they ended; `None` if one had passed before all were
/// armed.
async fn a_thousand_sleeps() -> Option<Vec<u64>> {
    let first = Instant::now() + millis(20);
    let (polls, armed) = (Cell::new(0), Cell::new(first));
    let (polls, armed) = (&polls, &armed);
    let one = |index: u64| {
        let mut sleep = Box::pin(sleep_until(first + millis(index % 10 * 5)));
        let mut is_armed = false;
        std::future::poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            let poll = sleep.as_mut().poll(cx).map(|()| index % 10);
            if !std::mem::replace(&mut is_armed, true) {
                armed.set(Instant::now());
            }
            poll
        })
    };
    let set: FuturesUnordered<_> = (0..1_000).map(one).collect();
    // After a stall very many end at once, more than a poll may use up.
    let ended: Vec<u64> = unconstrained(set.collect()).await;
    assert_eq!(ended.len(), 1_000);
    assert_eq!(polls.get(), 2_000, "each when it began and when its time had come");
    (armed.get() < first).then_some(ended)
}

#[test]
fn a_set_dropped_in_the_middle_disarms_all_its_sleeps() {
    let _deadline = deadline("FuturesUnordered dropped");
    on_one_shard(async {
        let armed = stats().timers_armed;
        let mut set: FuturesUnordered<_> =
            (0..1_000).map(|index| after(if index == 7 { 1 } else { 3_600_000 }, index)).collect();
        assert_eq!(set.next().await, Some(7));
        assert_eq!(stats().timers_armed, armed + 999);
        drop(set);
        assert_eq!(stats().timers_armed, armed);
    });
}

#[test]
fn ordered_sets_and_joins_of_many_keep_the_order() {
    let _deadline = deadline("FuturesOrdered");
    on_one_shard(async {
        let set: FuturesOrdered<_> = (0..10).map(|index| after(10 - index, index)).collect();
        assert_eq!(set.collect::<Vec<_>>().await, (0..10).collect::<Vec<_>>());
        let all = (0..50).map(|index| after(50 - index, Ok::<_, ()>(index)));
        assert_eq!(try_join_all(all).await, Ok((0..50).collect()));
    });
}

#[test]
fn a_buffered_stream_runs_as_many_at_once_as_it_may() {
    let _deadline = deadline("buffer_unordered");
    on_one_shard(async {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let work = async |index: u64| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            sleep(millis(1 + index % 3)).await;
            running.set(running.get() - 1);
            index
        };
        let mut done: Vec<_> = stream::iter(0..200).map(work).buffer_unordered(16).collect().await;
        done.sort_unstable();
        assert_eq!(done, (0..200).collect::<Vec<_>>());
        assert_eq!(most.get(), 16);
    });
}

#[test]
fn a_shared_future_is_run_once_for_all_tasks_that_wait() {
    let _deadline = deadline("Shared");
    on_one_shard(async {
        let runs = Rc::new(Cell::new(0));
        let count = runs.clone();
        let shared = async move {
            count.set(count.get() + 1);
            after(5, 42).await
        };
        let shared = shared.boxed_local().shared();
        let tasks: Vec<_> = (0..20).map(|_| spawn(shared.clone())).collect();
        // The task that polled first goes away, and the others are woken all the same.
        yield_now().await;
        tasks[0].abort();
        for task in tasks.into_iter().skip(1) {
            assert_eq!(task.await.unwrap(), 42);
        }
        assert_eq!((shared.await, runs.get()), (42, 1));
    });
}

#[test]
fn an_abort_handle_of_the_crate_ends_a_task_from_another_thread() {
    let _deadline = deadline("AbortHandle");
    on_one_shard(async {
        let (handle, registration) = AbortHandle::new_pair();
        let task = spawn(Abortable::new(std::future::pending::<()>(), registration));
        yield_now().await;
        std::thread::spawn(move || handle.abort());
        assert!(task.await.unwrap().is_err());
    });
}

#[test]
fn a_oneshot_goes_from_shard_to_shard() {
    let _deadline = deadline("oneshot");
    on_two_shards(async {
        for round in 0..100 {
            let (give, get) = oneshot::channel();
            let there = spawn_on(1, async move || {
                if round % 2 == 0 {
                    yield_now().await;
                }
                give.send((round, ShardId::current().index())).unwrap();
            });
            assert_eq!(get.await, Ok((round, 1)));
            there.await.unwrap();
        }
        let (give, get) = oneshot::channel::<()>();
        submit_to(1, async move || drop(give)).await.unwrap();
        assert!(get.await.is_err(), "the sender went away");
    });
}

#[test]
fn a_bounded_channel_of_the_crate_pushes_back_across_shards() {
    let _deadline = deadline("mpsc");
    on_two_shards(async {
        let (mut give, mut get) = mpsc::channel(4);
        let producer = spawn_on(1, async move || {
            for number in 0..10_000_u64 {
                give.send(number).await.unwrap();
            }
        });
        let mut next = 0;
        while let Some(number) = get.next().await {
            assert_eq!(number, next);
            next += 1;
        }
        assert_eq!(next, 10_000);
        producer.await.unwrap();
    });
}

#[test]
fn a_mutex_of_the_crate_is_handed_on_between_shards() {
    let _deadline = deadline("Mutex");
    let total = on_two_shards(async {
        let total = std::sync::Arc::new(Mutex::new(0));
        let add = |total: std::sync::Arc<Mutex<u64>>| async move {
            for _ in 0..1_000 {
                let mut total = total.lock().await;
                let before = *total;
                yield_now().await;
                *total = before + 1;
            }
        };
        let theirs = total.clone();
        let there = spawn_on(1, async move || add(theirs).await);
        add(total.clone()).await;
        there.await.unwrap();
        *total.lock().await
    });
    assert_eq!(total, 2_000);
}

/// Never waits: it receives from a channel that is closed. In the end it gives up, for a test that
/// fails.
async fn busy() {
    let (_, mut receiver) = channel::unbounded::<u32>();
    for _ in 0..100_000_000 {
        assert_eq!(receiver.recv().await, None);
    }
}

#[test]
fn a_loop_that_never_waits_leaves_those_beside_it_their_turn() {
    let _deadline = deadline("busy loops");
    on_one_shard(async {
        let mut loops = pin!(busy());
        let mut nap = pin!(sleep(millis(1)));
        let beside = select(loops.as_mut(), nap.as_mut()).await;
        assert!(matches!(beside, Either::Right(_)), "select");
        let beside = select(loops.as_mut(), spawn(yield_now())).await;
        assert!(matches!(beside, Either::Right(_)), "the end of a task");
        select_biased! {
            () = busy().fuse() => panic!("select_biased!"),
            () = sleep(millis(1)).fuse() => {}
        }
        let mut both = pin!(async { join!(busy(), after(1, ())) });
        assert!(timeout(millis(5), both.as_mut()).await.is_err(), "join!");
        let mut set: FuturesUnordered<_> = (0..3).map(|_| busy().boxed_local()).collect();
        set.push(after(1, ()).boxed_local());
        assert_eq!(timeout(millis(60_000), set.next()).await, Ok(Some(())), "a set");
        assert_eq!(set.len(), 3, "the one that has waited is out first");
        assert!(timeout(millis(5), set.next()).await.is_err(), "a set of nothing but these");
    });
}

/// What comes out of a channel that is closed.
async fn nothing() -> Option<u32> {
    let (_, mut receiver) = channel::unbounded();
    receiver.recv().await
}

#[test]
fn a_set_that_is_never_empty_leaves_others_their_turn() {
    const ROUNDS_MAX: u64 = 100_000;
    let _deadline = deadline("a set that is always ready");
    on_one_shard(async {
        for waiting in 0..4 {
            let mut set: FuturesUnordered<_> =
                (0..waiting).map(|_| pending().boxed_local()).collect();
            assert!(set.next().now_or_never().flatten().is_none());
            let over = spawn(yield_now());
            let mut rounds = 0;
            while !over.is_finished() && rounds < ROUNDS_MAX {
                set.push(nothing().boxed_local());
                assert_eq!(set.next().await, Some(None));
                rounds += 1;
            }
            assert!(rounds < ROUNDS_MAX, "beside {waiting} that wait");
        }
    });
}

#[test]
fn an_executor_inside_of_a_task_comes_to_its_end() {
    let _deadline = deadline("block_on inside of a task");
    on_one_shard(async {
        let (sender, mut receiver) = channel::unbounded();
        for number in 0..10_000 {
            sender.send(number).await.unwrap();
        }
        let sum = Cell::new(0);
        let mut work = pin!(async {
            for _ in 0..10_000 {
                sum.set(sum.get() + receiver.recv().await.unwrap());
            }
        });
        // It polls whatever the answer, as one that is not ours does when it was woken.
        let mut cx = Context::from_waker(noop_waker_ref());
        let polls = (0..30_000).take_while(|_| work.as_mut().poll(&mut cx).is_pending()).count();
        assert!(polls < 30_000);
        assert_eq!(sum.get(), 49_995_000);
    });
}

/// The same on an executor of the core alone, over a clock that stands still until it is moved.
mod by_hand {
    use super::*;
    use miniss_core::doctest::executor;
    use miniss_core::timer::{ManualClock, Sleep};

    fn clock() -> &'static ManualClock {
        Box::leak(Box::new(ManualClock::new()))
    }

    async fn after<T>(clock: &'static ManualClock, delay: u64, value: T) -> T {
        Sleep::new(clock, millis(delay)).await;
        value
    }

    #[test]
    fn join_and_select_see_exactly_the_ticks_of_the_clock() {
        let _deadline = deadline("by hand");
        let clock = clock();
        let mut executor = executor();
        let log = Rc::new(RefCell::new(Vec::new()));
        let said = log.clone();
        let task = executor.local().spawn(async move {
            let both = async { join!(after(clock, 2, 'a'), after(clock, 4, 'b')) };
            let mut both = pin!(both.fuse());
            let mut third = pin!(after(clock, 3, 'c').fuse());
            loop {
                select! {
                    pair = both => said.borrow_mut().push(format!("{pair:?}")),
                    third = third => said.borrow_mut().push(third.to_string()),
                    complete => break,
                }
            }
        });
        let mut lengths = Vec::new();
        for _ in 0..5 {
            executor.turn();
            lengths.push(log.borrow().len());
            clock.advance(millis(1));
        }
        assert_eq!(lengths, [0, 0, 0, 1, 2]);
        assert_eq!(*log.borrow(), ["c", "('a', 'b')"]);
        assert!(task.unwrap().is_finished());
    }

    #[test]
    fn a_thousand_sleeps_in_a_set_cost_one_poll_of_the_task_a_tick() {
        let _deadline = deadline("by hand, a thousand");
        let clock = clock();
        let mut executor = executor();
        let local = executor.local();
        let task = local.spawn(async move {
            let set: FuturesUnordered<_> =
                (0..1_000).map(|index| after(clock, 1 + index % 10, index % 10)).collect();
            set.collect::<Vec<_>>().await
        });
        executor.turn();
        assert_eq!(clock.armed(), 1_000);
        for tick in 1..=10 {
            assert_eq!(clock.advance(millis(1)), 100);
            while executor.turn() {}
            assert_eq!(clock.armed() as u64, 1_000 - 100 * tick);
        }
        let ended = executor.block_on(task.unwrap()).unwrap();
        assert!(ended.is_sorted());
    }

    #[test]
    fn a_promise_of_ours_is_a_future_of_theirs() {
        let (answer, promise) = miniss_core::Future::<u32>::new();
        let mut shared = answer.map(Result::unwrap).boxed_local().shared();
        let mut cx = Context::from_waker(noop_waker_ref());
        assert!(shared.poll_unpin(&mut cx).is_pending());
        promise.complete(5).unwrap();
        assert_eq!(shared.clone().now_or_never(), Some(5));
        assert_eq!(shared.poll_unpin(&mut cx), Poll::Ready(5));
    }
}
