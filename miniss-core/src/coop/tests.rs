//! Loops that never wait, and those that must have their turn all the same.

use core::cell::Cell;
use core::future::ready;
use core::pin::pin;
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;
use std::task::Wake;

use super::*;
use crate::combine::{when_all, when_any, yield_now};
use crate::doctest::{Yield, executor};
use crate::sync::{AbortSource, Aborted, Barrier, Condvar, Event, Gate, Mutex, RwLock, Semaphore};
use crate::sync::{broadcast, channel, watch};
use crate::timer::{Interval, Sleep, Timeout};
use crate::{Executor, LocalHandle};

type Here = LocalHandle<crate::doctest::Unparker>;

/// How often a loop under test goes round.
const ROUNDS: u32 = 1_000;

std::thread_local! {
    static BUDGET: Cell<Option<&'static TaskBudget>> = const { Cell::new(None) };
}

/// An executor that leaves with other wakers find, too.
fn known_executor() -> Executor<Yield> {
    let executor = executor();
    BUDGET.set(Some(executor.local().task_budget()));
    set_current(|| BUDGET.get());
    executor
}

/// Runs `round` again and again, and asserts that it gave way as often as the budget demands.
#[track_caller]
fn gives_way(round: impl AsyncFn(Here)) {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        for _ in 0..ROUNDS {
            round(local).await;
        }
    });
    let polls = executor.local().stats().polls;
    assert!(polls >= u64::from(ROUNDS / UNITS), "{polls} polls of the loop and what it spawned");
}

#[test]
fn a_channel_gives_way() {
    let (sender, receiver) = channel::bounded(1);
    let receiver = core::cell::RefCell::new(receiver);
    gives_way(async |_| {
        sender.send(5).await.unwrap();
        assert_eq!(poll_fn(|cx| receiver.borrow_mut().poll_recv(cx)).await, Some(5));
    });
    let (sender, receiver) = channel::unbounded();
    drop(receiver);
    gives_way(async |_| assert!(sender.send(5).await.is_err()));
    gives_way(async |_| assert!(sender.reserve().await.is_err()));
    gives_way(async |_| sender.closed().await);
    let (sender, receiver) = channel::unbounded::<u32>();
    drop(sender);
    let receiver = core::cell::RefCell::new(receiver);
    gives_way(async |_| {
        assert_eq!(poll_fn(|cx| receiver.borrow_mut().poll_recv(cx)).await, None);
    });
}

#[test]
fn a_broadcast_and_a_watch_give_way() {
    let (sender, receiver) = broadcast::channel(4);
    assert!(sender.send(5).is_ok());
    gives_way(async |_| assert_eq!(receiver.clone().recv().await, Ok(5)));
    drop(receiver);
    gives_way(async |_| sender.closed().await);
    let (sender, receiver) = watch::channel(5);
    gives_way(async |_| assert_eq!(*receiver.clone().wait_for(|now| *now == 5).await.unwrap(), 5));
    drop(sender);
    gives_way(async |_| assert!(receiver.clone().changed().await.is_err()));
}

#[test]
fn locks_give_way() {
    let (units, mutex, rwlock) = (Semaphore::new(1), Mutex::new(()), RwLock::new(()));
    gives_way(async |_| drop(units.acquire(1).await));
    gives_way(async |_| drop(mutex.lock().await));
    gives_way(async |_| drop(rwlock.read().await));
    gives_way(async |_| drop(rwlock.write().await));
    units.close();
    gives_way(async |_| assert!(units.acquire(1).await.is_err()));
}

#[test]
fn events_give_way() {
    let (event, condvar, gate) = (Event::new(), Condvar::new(), Gate::new());
    event.set();
    gives_way(async |_| event.wait().await);
    gives_way(async |_| condvar.wait_until(|| true).await.unwrap());
    gives_way(async |_| {
        condvar.notify_one();
        condvar.wait().await.unwrap();
    });
    condvar.close();
    gives_way(async |_| assert!(condvar.wait().await.is_err()));
    gives_way(async |_| gate.close().await);
    gives_way(async |_| assert!(gate.with(ready(())).await.is_err()));
    gives_way(async |_| assert!(Barrier::new(1).wait().await.is_leader()));
}

#[test]
fn an_abort_a_promise_and_a_shared_future_give_way() {
    let source = AbortSource::new();
    source.abort(Aborted);
    gives_way(async |_| assert_eq!(source.aborted().await, Aborted));
    gives_way(async |_| assert!(source.run(core::future::pending::<()>()).await.is_err()));
    gives_way(async |_| assert_eq!(crate::Future::ready(5).await, Ok(5)));
    gives_way(async |_| {
        let (future, promise) = crate::Future::new();
        promise.complete(5).unwrap();
        assert_eq!(future.await, Ok(5));
    });
    let (future, promise) = crate::sync::SharedFuture::new();
    promise.complete(5).unwrap();
    gives_way(async |_| assert_eq!(future.wait().await, Ok(5)));
    let shared = Box::pin(crate::sync::Shared::new(ready(5)));
    gives_way(async |_| assert_eq!(shared.as_ref().wait().await, 5));
}

#[test]
fn work_that_is_made_a_leaf_gives_way() {
    gives_way(async |_| cooperative(async {}).await);
    let (mut executor, event) = (executor(), Event::new());
    executor.block_on(async {
        let wait = |_| Box::pin(cooperative(event.wait()));
        all_wait_and_end((0..4 * UNITS).map(wait).collect(), &event).await;
    });
}

#[test]
fn timers_and_tasks_that_have_ended_give_way() {
    let mut executor = executor();
    let local = executor.local();
    let polls = || local.stats().polls;
    executor.block_on(async {
        let mut sleep = pin!(Sleep::new(local, Duration::ZERO));
        sleep.as_mut().await;
        let before = polls();
        for _ in 0..ROUNDS {
            sleep.as_mut().await;
        }
        assert!(polls() - before >= u64::from(ROUNDS / UNITS), "a sleep that is over");

        let handles: std::vec::Vec<_> =
            (0..ROUNDS).map(|_| local.spawn(async {}).unwrap()).collect();
        while !handles.iter().all(crate::JoinHandle::is_finished) {
            yield_now().await;
        }
        let before = polls();
        for handle in handles {
            handle.await.unwrap();
        }
        assert!(polls() - before >= u64::from(ROUNDS / UNITS), "tasks that are over");
    });
}

#[test]
fn a_timeout_ends_a_loop_that_never_waits() {
    let (_, mut receiver) = channel::unbounded::<u32>();
    let mut executor = executor();
    let local = executor.local();
    let busy = async {
        for _ in 0..1_000_000 {
            assert_eq!(receiver.recv().await, None);
        }
    };
    let timeout = Timeout::new(local, Duration::from_millis(1), busy);
    assert!(executor.block_on(timeout).is_err());
}

#[test]
fn a_leaf_beside_a_loop_that_uses_up_each_budget_has_its_turn() {
    let (_, mut receiver) = channel::unbounded::<u32>();
    let source = AbortSource::new();
    let mut executor = executor();
    let local = executor.local();
    let other = local.spawn(async { yield_now().await }).unwrap();
    let busy = async {
        for _ in 0..1_000_000 {
            assert_eq!(receiver.recv().await, None);
        }
    };
    // Each of these is polled after the busy one.
    executor.block_on(async {
        let (mut busy, mut other) = (pin!(busy), pin!(other));
        let outcome = when_any((busy.as_mut(), other.as_mut())).await;
        assert!(outcome.1.output().is_some(), "the end of a task");
        let mut sleep = pin!(Sleep::new(local, Duration::from_micros(10)));
        let outcome = when_any((busy.as_mut(), sleep.as_mut())).await;
        assert!(outcome.1.output().is_some(), "a sleep");
        source.abort(Aborted);
        let mut aborted = pin!(source.aborted());
        let outcome = when_any((busy.as_mut(), aborted.as_mut())).await;
        assert!(outcome.1.output().is_some(), "an abort");
    });
}

#[test]
fn a_choice_among_many_that_are_ready_gives_way() {
    let mut executor = executor();
    let rounds = Cell::new(0);
    let (ready, given_way) = (Event::new(), Event::new());
    ready.set();
    let local = executor.local();
    let choices = async {
        while !given_way.is_set() {
            let waits: std::vec::Vec<_> = (0..20).map(|_| Box::pin(ready.wait())).collect();
            when_any(waits).await;
            rounds.set(rounds.get() + 1);
            assert!(rounds.get() < 10_000, "it never gives way");
        }
    };
    executor.scope(async |scope| {
        let busy = scope.spawn(choices).unwrap();
        yield_now().await;
        given_way.set();
        busy.await.unwrap();
    });
    assert!(local.stats().polls < 10);
}

/// Polls all of `waits` once, in one poll of the task, and sees that all wait.
async fn all_wait_and_end(
    mut waits: std::vec::Vec<Pin<Box<impl Future<Output = ()>>>>,
    event: &Event,
) {
    poll_fn(|cx| {
        assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(cx).is_pending()));
        Poll::Ready(())
    })
    .await;
    assert_eq!(event.waiters(), waits.len(), "what waits spends nothing");
    event.set();
    when_all(waits).await;
}

#[test]
fn what_waits_spends_nothing() {
    let mut executor = executor();
    let event = Event::new();
    executor.block_on(async {
        let waits: std::vec::Vec<_> = (0..4 * UNITS).map(|_| Box::pin(event.wait())).collect();
        all_wait_and_end(waits, &event).await;
    });
}

#[test]
fn unconstrained_work_is_not_interrupted_and_what_follows_is() {
    let mut executor = executor();
    let local = executor.local();
    let spend = async |times| {
        for _ in 0..times {
            consume_budget().await;
        }
    };
    executor.block_on(async {
        spend(UNITS - 1).await;
        unconstrained(spend(ROUNDS)).await;
        spend(1).await;
        assert_eq!(local.stats().polls, 1, "one unit was left");
        spend(1).await;
        assert_eq!(local.stats().polls, 2);
    });
}

#[test]
fn outside_of_a_task_nothing_is_limited() {
    let mut executor = known_executor();
    let waker = executor.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    let panics = executor.local().spawn(async { panic!("on purpose") }).unwrap();
    let unwound = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        executor.block_on(yield_now());
    }));
    assert!(unwound.is_err());
    drop(panics);
    for waker in [&waker, Waker::noop()] {
        let leaf = Leaf::new();
        for _ in 0..ROUNDS {
            assert!(leaf.poll_proceed(&Context::from_waker(waker)).is_ready());
        }
    }
}

/// Another waker than its task's, which is woken through it.
struct Wrapped(Waker);

impl Wake for Wrapped {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// Polls `future` with a waker of its own, as collections of futures do.
async fn wrapped<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(Wrapped(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

#[test]
fn where_the_port_tells_the_budget_wakers_of_others_are_bounded_too() {
    let mut executor = known_executor();
    let local = executor.local();
    let spend = async || {
        for _ in 0..ROUNDS {
            consume_budget().await;
        }
    };
    executor.block_on(wrapped(spend()));
    assert_eq!(local.stats().polls, u64::from(ROUNDS.div_ceil(UNITS)));
    executor.block_on(wrapped(unconstrained(wrapped(spend()))));
    assert_eq!(local.stats().polls, u64::from(ROUNDS.div_ceil(UNITS)) + 1);
}

#[test]
fn a_loop_inside_of_a_task_that_polls_by_itself_goes_on() {
    let mut executor = known_executor();
    executor.block_on(async {
        let mut work = pin!(async {
            for _ in 0..ROUNDS {
                consume_budget().await;
            }
        });
        let mut polls = 0;
        while work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            polls += 1;
            assert!(polls < 2 * ROUNDS, "it never comes to its end");
        }
    });
}

#[test]
fn a_tick_that_is_ready_at_once_spends_too() {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let mut beat = Interval::new(local, Duration::from_nanos(1));
        let mut ticks = 0;
        for _ in 0..ROUNDS {
            let mut tick = pin!(beat.tick());
            // Every other one is begun and given up, and the next one is ready at once.
            let is_ready = poll_fn(|cx| Poll::Ready(tick.as_mut().poll(cx).is_ready())).await;
            ticks += u32::from(is_ready);
        }
        assert_eq!(ticks, UNITS);
    });
}

#[test]
fn a_leaf_that_is_asked_again_in_the_same_poll_is_refused_again() {
    let (mut executor, leaf, mut is_first) = (executor(), Leaf::new(), true);
    executor.block_on(poll_fn(|cx| {
        if !is_first {
            return Poll::Ready(());
        }
        is_first = false;
        while leaf.poll_proceed(cx).is_ready() {}
        assert!((0..10).all(|_| leaf.poll_proceed(cx).is_pending()));
        Poll::Pending
    }));
}

#[test]
fn after_very_many_polls_a_number_of_one_is_used_again_and_a_leaf_knows_it_all_the_same() {
    let budget = TaskBudget::new();
    budget.polls_spent.store(!REFUSALS - 2 * (REFUSALS + 1), Relaxed);
    budget.set_units(1);
    let numbers = [(); 4].map(|()| {
        budget.start();
        assert!(budget.spend() && !budget.spend());
        let number = budget.spent_poll();
        assert_eq!(budget.spent_poll(), number, "of the same poll");
        assert_eq!(number & REFUSALS, 0, "room for what a leaf notes");
        number
    });
    assert!(!numbers.contains(&0), "zero is a leaf that was never refused: {numbers:?}");
    assert!(numbers[3] < numbers[0], "it has wrapped: {numbers:?}");
}

/// Uses up what the poll under way may spend.
async fn spend_all() {
    poll_fn(|cx| {
        while Leaf::new().poll_proceed(cx).is_ready() {}
        Poll::Ready(())
    })
    .await;
}

#[test]
fn work_that_was_aborted_is_not_polled_by_a_task_that_has_nothing_left() {
    let source = AbortSource::new();
    source.abort(Aborted);
    let work = async { panic!("it is polled although there is a reason") };
    let run = async {
        spend_all().await;
        source.run(work).await
    };
    assert_eq!(executor().block_on(run), Err(Aborted));
}

#[test]
fn what_is_there_counts_however_late_and_however_much_others_have_spent() {
    let mut executor = executor();
    let local = executor.local();
    executor.block_on(async {
        let (units, limit) = (Semaphore::new(0), Duration::from_nanos(1));
        let mut unit = pin!(Timeout::new(local, limit, units.acquire(1)));
        let polled = poll_fn(|cx| Poll::Ready(unit.as_mut().poll(cx).is_pending()));
        assert!(polled.await);
        // The unit and the deadline come both.
        units.release(1);
        Sleep::new(local, Duration::from_millis(1)).await;
        spend_all().await;
        assert!(unit.await.is_ok(), "it is late, and it is there");
    });
}
