//! `[barrier]` polled by hand: rounds, leaders, and those who leave.

use super::*;
use crate::collections::test_waker::{Counter, acting, now, poll_once, poll_with, waiting};
use crate::kept::forget;
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};
use std::boxed::Box;

fn leads(wait: Pin<&mut impl Future<Output = BarrierWaitResult>>) -> bool {
    match poll_once(wait) {
        Poll::Ready(result) => result.is_leader(),
        Poll::Pending => panic!("still waiting"),
    }
}

#[test]
fn it_opens_for_the_last_one_again_and_again() {
    let barrier = Barrier::new(3);
    for _ in 0..3 {
        let (counter, waker) = Counter::new();
        let mut others = [(); 2].map(|()| waiting(barrier.wait(), &waker));
        assert_eq!((barrier.arrived(), counter.wakes()), (2, 0));
        assert!(now(barrier.wait()).is_leader());
        assert_eq!((barrier.arrived(), counter.wakes()), (0, 2));
        assert!(others.iter_mut().all(|wait| !leads(wait.as_mut())));
    }
}

#[test]
fn none_and_one_never_wait() {
    for parties in 0..2 {
        let barrier = Barrier::new(parties);
        assert!(now(barrier.wait()).is_leader() && now(barrier.wait()).is_leader());
        assert_eq!(barrier.arrived(), 0);
    }
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_arrives_once() {
    let barrier = Barrier::new(3);
    let (counter, waker) = Counter::new();
    let mut wait = Box::pin(barrier.wait());
    for _ in 0..100 {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    assert_eq!((barrier.arrived(), barrier.queue.len()), (1, 1));
    let _second = waiting(barrier.wait(), Waker::noop());
    assert!(now(barrier.wait()).is_leader());
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn dropped_before_the_opening_it_has_not_arrived() {
    let barrier = Barrier::new(2);
    drop(barrier.wait());
    drop(waiting(barrier.wait(), Waker::noop()));
    assert_eq!((barrier.arrived(), barrier.queue.len()), (0, 0));
    let mut first = waiting(barrier.wait(), Waker::noop());
    assert!(now(barrier.wait()).is_leader());
    assert!(!leads(first.as_mut()));
}

#[test]
fn dropped_after_the_opening_it_takes_no_one_back() {
    let barrier = Barrier::new(3);
    let [gone, mut stays] = [(); 2].map(|()| waiting(barrier.wait(), Waker::noop()));
    assert!(now(barrier.wait()).is_leader());
    let _next = waiting(barrier.wait(), Waker::noop());
    drop(gone);
    assert_eq!(barrier.arrived(), 1);
    assert!(!leads(stays.as_mut()));
}

#[test]
fn a_leaked_waiter_has_arrived() {
    let barrier = Barrier::new(2);
    forget(waiting(barrier.wait(), Waker::noop()));
    assert!(now(barrier.wait()).is_leader());
    let moved = Box::new(barrier);
    assert_eq!(moved.arrived(), 0);
}

#[test]
fn who_comes_again_inside_a_wake_waits_for_the_next_opening() {
    let barrier: &Barrier = crate::kept::forever(Barrier::new(3));
    let _first =
        waiting(barrier.wait(), &acting(|| forget(waiting(barrier.wait(), Waker::noop()))));
    let mut second = waiting(barrier.wait(), Waker::noop());
    assert!(now(barrier.wait()).is_leader());
    assert!(!leads(second.as_mut()));
    assert_eq!((barrier.arrived(), barrier.queue.len()), (1, 1));
}

#[test]
fn a_wake_may_drop_the_waiters_that_come_next() {
    let barrier: &Barrier = crate::kept::forever(Barrier::new(3));
    let mut first = Box::pin(barrier.wait());
    assert!(poll_once(first.as_mut()).is_pending());
    let second = waiting(barrier.wait(), Waker::noop());
    assert!(poll_with(first.as_mut(), &acting(move || drop(second))).is_pending());
    assert!(now(barrier.wait()).is_leader());
    assert_eq!((barrier.arrived(), barrier.queue.len()), (0, 0));
}
