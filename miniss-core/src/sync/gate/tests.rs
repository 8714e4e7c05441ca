//! `[gate]` polled by hand: closers that come, go and come again.

use super::*;
use crate::collections::test_waker::{Counter, now, poll_once, poll_with, waiting};
use crate::kept::forget;
use core::cell::RefCell;
use core::future::{pending, poll_fn, ready};
use core::task::{Poll, Waker};
use std::boxed::Box;
#[cfg(feature = "alloc")]
use std::rc::Rc;
use std::vec::Vec;

#[test]
fn an_empty_gate_closes_at_once_and_forever() {
    let gate = Gate::new();
    now(gate.close());
    now(gate.close());
    assert_eq!(gate.enter().err(), Some(Closed));
    assert_eq!(now(gate.with(ready(1))), Err(Closed));
    assert_eq!(gate.count(), 0);
}

#[test]
fn close_waits_for_the_last_one_and_wakes_once() {
    let gate = Gate::new();
    let (first, second) = (gate.enter().unwrap(), gate.enter().unwrap());
    let (counter, waker) = Counter::new();
    let mut closing = waiting(gate.close(), &waker);
    drop(first);
    assert_eq!((counter.wakes(), gate.count()), (0, 1));
    drop(second);
    assert_eq!(counter.wakes(), 1);
    assert!(poll_once(closing.as_mut()).is_ready());
}

#[test]
fn the_call_closes_even_if_its_future_is_never_polled() {
    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    let mut closing = Box::pin(gate.close());
    assert!(gate.is_closed() && gate.enter().is_err());
    drop(pass);
    assert!(poll_once(closing.as_mut()).is_ready());
}

#[test]
fn a_dropped_closer_loses_nothing() {
    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    let (counter, waker) = Counter::new();
    let queued = waiting(gate.close(), &waker);
    let woken = waiting(gate.close(), &waker);
    drop(queued);
    assert!(gate.enter().is_err());
    let mut again = waiting(gate.close(), &waker);
    drop(pass);
    assert_eq!(counter.wakes(), 2);
    drop(woken);
    assert!(poll_once(again.as_mut()).is_ready());
    now(gate.close());
}

#[test]
fn polling_a_hundred_times_registers_one_waiter() {
    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    let (counter, waker) = Counter::new();
    let mut closing = Box::pin(gate.close());
    for _ in 0..100 {
        assert!(poll_with(closing.as_mut(), &waker).is_pending());
    }
    assert_eq!(gate.waiters(), 1);
    drop(pass);
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_leaked_closer_does_no_harm() {
    let gate = Gate::new();
    let pass = gate.enter().unwrap();
    forget(waiting(gate.close(), Waker::noop()));
    let mut behind = waiting(gate.close(), Waker::noop());
    drop(pass);
    assert!(poll_once(behind.as_mut()).is_ready());
}

#[test]
fn what_was_given_to_the_gate_is_inside_before_its_first_poll() {
    let gate = Gate::new();
    let mut work = Box::pin(gate.with(ready(5)));
    let mut closing = waiting(gate.close(), Waker::noop());
    assert_eq!(poll_once(work.as_mut()), Poll::Ready(Ok(5)));
    assert!(poll_once(closing.as_mut()).is_ready());
}

/// Notes, when it is dropped, how many are inside the gate.
struct Notes<'a>(&'a Gate, &'a RefCell<Vec<usize>>);

impl Drop for Notes<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0.count());
    }
}

#[test]
fn the_gate_is_left_only_after_the_work_is_gone_whether_polled_or_not() {
    let (gate, seen) = (Gate::new(), RefCell::default());
    let work = || {
        let notes = Notes(&gate, &seen);
        gate.with(async move {
            let _notes = &notes;
            pending::<()>().await;
        })
    };
    drop(work());
    drop(waiting(work(), Waker::noop()));
    let notes = Notes(&gate, &seen);
    let mut ready = Box::pin(gate.with(poll_fn(move |_| {
        let _notes = &notes;
        Poll::Ready(())
    })));
    assert_eq!(poll_once(ready.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(*seen.borrow(), [1, 1, 1]);
    assert_eq!(gate.count(), 0);
}

#[cfg(feature = "alloc")]
#[test]
fn an_owned_pass_keeps_its_gate_and_the_close_waits_for_it() {
    let gate = Rc::new(Gate::new());
    let (owned, borrowed) = (gate.enter_owned().unwrap(), gate.enter().unwrap());
    let (counter, waker) = Counter::new();
    let mut closing = waiting(gate.close(), &waker);
    assert_eq!(gate.enter_owned().err(), Some(Closed));
    drop(borrowed);
    assert_eq!((counter.wakes(), owned.gate().count()), (0, 1));
    drop(owned);
    assert_eq!((counter.wakes(), Rc::strong_count(&gate)), (1, 1));
    assert!(poll_once(closing.as_mut()).is_ready());
}

#[test]
fn the_work_is_held_once() {
    let gate = Gate::new();
    let work = async |size: [u8; 256]| {
        pending::<()>().await;
        size
    };
    let (plain, inside) = (work([0; 256]), gate.with(work([0; 256])));
    assert!(size_of_val(&inside) <= size_of_val(&plain) + 16);
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_finished_work_again_panics() {
    let gate = Gate::new();
    let mut work = Box::pin(gate.with(ready(())));
    let _ = (poll_once(work.as_mut()), poll_once(work.as_mut()));
}
