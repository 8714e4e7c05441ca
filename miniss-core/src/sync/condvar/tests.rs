//! `[condvar]` polled by hand: who gets which signal, and what becomes of those not taken.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, now, panicking, poll_once, poll_with, waiting,
};
use crate::kept::{forever, forget};
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

type Outcome = Poll<Result<(), Closed>>;

const NOTIFIED: Outcome = Poll::Ready(Ok(()));
const CLOSED: Outcome = Poll::Ready(Err(Closed));

fn leaked() -> &'static Condvar {
    forever(Condvar::new())
}

fn poll_all<F: Future>(waits: &mut [Pin<Box<F>>]) -> Vec<bool> {
    waits.iter_mut().map(|wait| poll_once(wait.as_mut()).is_ready()).collect()
}

#[test]
fn one_signal_wakes_one_waiter_first_come_first_served() {
    let condvar = Condvar::new();
    let mut waits: Vec<_> = (0..3).map(|_| waiting(condvar.wait(), Waker::noop())).collect();
    condvar.notify_one();
    assert_eq!(poll_all(&mut waits), [true, false, false]);
    condvar.notify_one();
    assert_eq!(poll_all(&mut waits[1..]), [true, false]);
    assert_eq!(condvar.waiters(), 1);
}

#[test]
fn a_signal_that_finds_no_one_is_remembered_once() {
    let condvar = Condvar::new();
    condvar.notify_one();
    condvar.notify_one();
    assert_eq!(now(condvar.wait()), Ok(()));
    drop(waiting(condvar.wait(), Waker::noop()));
}

#[test]
fn a_signal_to_all_reaches_all_who_wait_and_is_not_remembered() {
    let condvar = Condvar::new();
    condvar.notify_all();
    let (counter, waker) = Counter::new();
    let mut waits = [(); 3].map(|()| waiting(condvar.wait(), &waker));
    condvar.notify_all();
    assert_eq!(counter.wakes(), 3);
    drop(waiting(condvar.wait(), Waker::noop()));
    assert_eq!(poll_all(&mut waits), [true; 3]);
}

#[test]
fn a_waiter_dropped_with_its_signal_hands_it_on() {
    let condvar = Condvar::new();
    let (counter, waker) = Counter::new();
    let first = waiting(condvar.wait(), Waker::noop());
    let second = waiting(condvar.wait(), &waker);
    condvar.notify_one();
    drop(first);
    assert_eq!(counter.wakes(), 1);
    drop(second);
    assert_eq!(now(condvar.wait()), Ok(()), "no one was left, so it is remembered");
}

#[test]
fn a_waiter_dropped_while_queued_or_woken_with_all_leaves_no_signal() {
    let condvar = Condvar::new();
    let queued = waiting(condvar.wait(), Waker::noop());
    drop(queued);
    let woken = waiting(condvar.wait(), Waker::noop());
    condvar.notify_all();
    drop(woken);
    drop(waiting(condvar.wait(), Waker::noop()));
}

#[test]
fn a_signal_that_was_taken_is_not_handed_on() {
    let condvar = Condvar::new();
    let mut taken = waiting(condvar.wait(), Waker::noop());
    condvar.notify_one();
    assert_eq!(poll_once(taken.as_mut()), NOTIFIED);
    drop(taken);
    drop(waiting(condvar.wait(), Waker::noop()));
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let condvar = Condvar::new();
    let (counter, waker) = Counter::new();
    let mut wait = Box::pin(condvar.wait());
    for _ in 0..100 {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    assert_eq!(condvar.waiters(), 1);
    condvar.notify_all();
    condvar.notify_all();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_leaked_waiter_costs_one_signal_and_no_more() {
    let condvar = Condvar::new();
    forget(waiting(condvar.wait(), Waker::noop()));
    let mut behind = waiting(condvar.wait(), Waker::noop());
    condvar.notify_one();
    condvar.notify_one();
    assert_eq!(poll_once(behind.as_mut()), NOTIFIED);
}

#[test]
fn close_fails_all_now_and_later_but_keeps_what_was_signalled() {
    let condvar = Condvar::new();
    let [mut signalled, mut fails] = [(); 2].map(|()| waiting(condvar.wait(), Waker::noop()));
    condvar.notify_one();
    condvar.close();
    assert_eq!(poll_once(signalled.as_mut()), NOTIFIED);
    assert_eq!(poll_once(fails.as_mut()), CLOSED);
    condvar.notify_one();
    assert_eq!(now(condvar.wait()), Err(Closed));
}

#[test]
fn wait_until_looks_first_and_after_every_signal() {
    let condvar = Condvar::new();
    let looks = Cell::new(0);
    let third = || looks.replace(looks.get() + 1) == 2;
    let mut wait = waiting(condvar.wait_until(third), Waker::noop());
    assert!(poll_once(wait.as_mut()).is_pending());
    assert_eq!(looks.get(), 1, "a poll without a signal does not look");
    condvar.notify_one();
    assert!(poll_once(wait.as_mut()).is_pending());
    condvar.notify_all();
    assert_eq!(poll_once(wait.as_mut()), NOTIFIED);
    assert_eq!(looks.get(), 3);
}

#[test]
fn wait_until_takes_what_holds_even_after_a_close() {
    let condvar = Condvar::new();
    let items = Cell::new(0);
    let wait = || condvar.wait_until(|| items.get() > 0);
    let [mut first, mut second] = [(); 2].map(|()| waiting(wait(), Waker::noop()));
    items.set(1);
    condvar.close();
    assert_eq!(poll_once(first.as_mut()), NOTIFIED);
    items.set(0);
    assert_eq!(poll_once(second.as_mut()), CLOSED);
}

#[test]
fn who_waits_again_inside_a_wake_is_not_woken_by_the_same_signal_to_all() {
    let condvar = leaked();
    let again = || forget(waiting(condvar.wait(), Waker::noop()));
    let _first = waiting(condvar.wait(), &acting(again));
    let mut second = waiting(condvar.wait(), Waker::noop());
    condvar.notify_all();
    assert_eq!(poll_once(second.as_mut()), NOTIFIED);
    assert_eq!(condvar.waiters(), 1);
}

#[test]
fn a_signal_inside_a_wake_of_all_is_not_spent_on_those_who_are_woken_anyway() {
    let condvar = leaked();
    let _first = waiting(condvar.wait(), &acting(|| condvar.notify_one()));
    let mut second = waiting(condvar.wait(), Waker::noop());
    condvar.notify_all();
    assert_eq!(poll_once(second.as_mut()), NOTIFIED);
    assert_eq!(now(condvar.wait()), Ok(()));
    drop(waiting(condvar.wait(), Waker::noop()));
}

#[test]
fn a_signal_inside_a_wake_of_all_is_kept_even_if_a_later_waker_panics() {
    let condvar = leaked();
    let _first = waiting(condvar.wait(), &acting(|| condvar.notify_one()));
    let _second = waiting(condvar.wait(), &panicking());
    assert!(catch_unwind(AssertUnwindSafe(|| condvar.notify_all())).is_err());
    assert_eq!(now(condvar.wait()), Ok(()));
    drop(waiting(condvar.wait(), Waker::noop()));
}

#[test]
fn a_close_inside_a_wake_of_all_takes_nothing_back() {
    let condvar = leaked();
    let _first = waiting(condvar.wait(), &acting(|| condvar.close()));
    let mut second = waiting(condvar.wait(), Waker::noop());
    condvar.notify_all();
    assert_eq!(poll_once(second.as_mut()), NOTIFIED);
}

#[test]
fn a_panic_in_a_wake_strands_no_one() {
    let condvar = Condvar::new();
    let _first = waiting(condvar.wait(), &panicking());
    let mut second = waiting(condvar.wait(), Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| condvar.notify_all())).is_err());
    assert_eq!(poll_once(second.as_mut()), NOTIFIED);
}

/// In tasks, which have a budget.
#[cfg(feature = "alloc")]
mod in_tasks {
    use super::*;
    use crate::combine::yield_now;
    use crate::coop::{UNITS, consume_budget};
    use crate::doctest::executor;
    use core::future::poll_fn;

    /// Leaves `units` of the budget of the poll under way.
    async fn spend_all_but(units: u32) {
        for _ in units..UNITS {
            consume_budget().await;
        }
    }

    #[test]
    fn who_gives_way_with_a_remembered_signal_misses_no_signal_to_all() {
        let (condvar, holds) = (Condvar::new(), Cell::new(false));
        condvar.notify_one();
        executor().scope(async |scope| {
            let waits = scope.spawn(async {
                spend_all_but(1).await;
                condvar.wait_until(|| holds.get()).await
            });
            yield_now().await;
            let mut other = pin!(condvar.wait());
            let _ = poll_once(other.as_mut());
            holds.set(true);
            condvar.notify_all();
            for _ in 0..10 {
                yield_now().await;
            }
            assert!(waits.is_ok_and(|waits| waits.is_finished()));
        });
    }

    #[test]
    fn who_is_dropped_as_it_gives_way_with_a_remembered_signal_hands_it_on() {
        let condvar = Condvar::new();
        condvar.notify_one();
        executor().block_on(async {
            spend_all_but(0).await;
            let mut gives_way = Box::pin(condvar.wait());
            let polled = poll_fn(|cx| Poll::Ready(gives_way.as_mut().poll(cx)));
            assert!(polled.await.is_pending());
            drop(gives_way);
            assert_eq!(condvar.wait().await, Ok(()));
        });
    }
}
