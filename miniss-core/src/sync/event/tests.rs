//! `[event]` polled by hand: who is woken by which `set`.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, now, panicking, poll_once, poll_with, waiting,
};
use crate::kept::{forever, forget};
use core::task::Waker;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn set_lets_everyone_through_until_reset() {
    let event = Event::new();
    event.set();
    now(event.wait());
    now(event.wait());
    event.reset();
    assert!(poll_once(pin!(event.wait())).is_pending());
}

#[test]
fn a_set_and_reset_at_once_wakes_all_who_waited_and_no_one_later() {
    let event = Event::new();
    let (counter, waker) = Counter::new();
    let mut early = [waiting(event.wait(), &waker), waiting(event.wait(), &waker)];
    event.set();
    event.reset();
    assert_eq!((counter.wakes(), event.waiters()), (2, 0));
    let mut late = waiting(event.wait(), &waker);
    assert!(early.iter_mut().all(|wait| poll_once(wait.as_mut()).is_ready()));
    assert!(poll_once(late.as_mut()).is_pending());
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let event = Event::new();
    let (counter, waker) = Counter::new();
    let mut wait = Box::pin(event.wait());
    for _ in 0..100 {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    assert_eq!(event.waiters(), 1);
    event.set();
    event.set();
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_waiter_dropped_queued_or_woken_takes_nothing_from_others() {
    let event = Event::new();
    let (counter, waker) = Counter::new();
    let [queued, woken] = [(); 2].map(|()| waiting(event.wait(), &waker));
    let mut stays = waiting(event.wait(), &waker);
    drop(queued);
    assert_eq!(event.waiters(), 2);
    event.set();
    drop(woken);
    assert_eq!(counter.wakes(), 2);
    assert!(poll_once(stays.as_mut()).is_ready());
}

#[test]
fn a_leaked_waiter_does_no_harm() {
    let event = Event::new();
    forget(waiting(event.wait(), Waker::noop()));
    let mut behind = waiting(event.wait(), Waker::noop());
    event.set();
    assert!(poll_once(behind.as_mut()).is_ready());
    drop(behind);
    let moved = Box::new(event);
    assert_eq!(moved.waiters(), 0);
}

#[test]
fn who_waits_again_inside_a_wake_belongs_to_the_next_set() {
    let event = forever(Event::new());
    let again = || {
        event.reset();
        forget(waiting(event.wait(), Waker::noop()));
    };
    let _first = waiting(event.wait(), &acting(again));
    let mut second = waiting(event.wait(), Waker::noop());
    event.set();
    assert!(poll_once(second.as_mut()).is_ready());
    assert_eq!((event.waiters(), event.is_set()), (1, false));
}

#[test]
fn a_panic_in_a_wake_strands_no_one() {
    let event = Event::new();
    let _first = waiting(event.wait(), &panicking());
    let (counter, waker) = Counter::new();
    let _second = waiting(event.wait(), &waker);
    assert!(catch_unwind(AssertUnwindSafe(|| event.set())).is_err());
    assert_eq!(counter.wakes(), 1);
}
