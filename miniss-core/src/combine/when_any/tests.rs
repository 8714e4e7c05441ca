//! `[when_any]` over tuples, arrays and vectors.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use core::cell::Cell;
use core::future::{pending, poll_fn, ready};
use core::pin::pin;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec::Vec;

/// Ready with `value` at its poll number `turns + 1`.
async fn after(turns: usize, value: u32) -> u32 {
    for _ in 0..turns {
        yield_now().await;
    }
    value
}

#[test]
fn the_first_one_ends_a_tuple_and_the_others_go_on() {
    let mut never = pin!(pending::<()>());
    let mut slow = pin!(after(2, 1));
    let quick = pin!(after(1, 2));
    let mut any = when_any((never.as_mut(), slow.as_mut(), quick));
    assert!(poll_once(Pin::new(&mut any)).is_pending());
    let Poll::Ready((never, slow, quick)) = poll_once(Pin::new(&mut any)) else { panic!() };
    assert!(matches!(never, Raced::Running(_)));
    assert_eq!(quick.output(), Some(2));
    let Raced::Running(slow) = slow else { panic!("it is slower") };
    assert_eq!(poll_once(slow), Poll::Ready(1));
}

#[test]
fn of_several_that_are_ready_it_is_the_first_in_order_and_none_behind_it_is_polled() {
    let unpolled = || poll_fn(|_| -> Poll<u32> { panic!("polled") });
    let (pending, one, other) = now(when_any((pending::<()>(), ready(1), unpolled())));
    assert!(pending.output().is_none());
    assert_eq!(one.output(), Some(1));
    assert!(other.output().is_none());
}

#[test]
fn an_array_keeps_the_places() {
    let row = [after(2, 0), after(1, 1), after(1, 2)].map(Box::pin);
    let mut any = when_any(row);
    assert!(poll_once(Pin::new(&mut any)).is_pending());
    let Poll::Ready((1, 1, others)) = poll_once(Pin::new(&mut any)) else { panic!() };
    let left: Vec<_> = others.into_iter().map(|other| other.map(now)).collect();
    assert_eq!(left, [Some(0), None, Some(2)]);
}

#[cfg(feature = "alloc")]
#[test]
fn a_vec_is_emptied_one_by_one() {
    let mut left: Vec<_> = [6, 0, 4, 2].map(|turns| Box::pin(after(turns, turns as u32))).into();
    let mut order = Vec::new();
    while !left.is_empty() {
        let mut any = when_any(left);
        let (index, output, others) = loop {
            if let Poll::Ready(first) = poll_once(Pin::new(&mut any)) {
                break first;
            }
        };
        order.push((index, output));
        left = others;
    }
    assert_eq!(order, [(1, 0), (2, 2), (1, 4), (0, 6)]);
}

#[test]
fn dropping_it_drops_each_future_once_and_leaves_borrowed_ones_alone() {
    let alive = Rc::new(());
    let held = || {
        let held = alive.clone();
        Box::pin(async move {
            let _held = held;
            pending::<()>().await;
        })
    };
    let mut borrowed = held();
    let mut any = when_any([held(), held()]);
    assert!(poll_once(Pin::new(&mut any)).is_pending());
    let mut around = when_any((borrowed.as_mut(), any));
    assert!(poll_once(Pin::new(&mut around)).is_pending());
    assert_eq!(Rc::strong_count(&alive), 4);
    drop(around);
    assert_eq!(Rc::strong_count(&alive), 2);
    drop(borrowed);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn one_that_panics_leaves_the_others_to_be_polled_and_dropped() {
    let alive = Rc::new(Cell::new(0));
    let counted = alive.clone();
    let panics = Box::pin(async { panic!("one of them") });
    let counts = Box::pin(async move { counted.set(counted.get() + 1) });
    let mut any = when_any((counts, panics));
    assert!(poll_once(Pin::new(&mut any)).is_ready());
    let panics = Box::pin(async { panic!("one of them") });
    let mut any = when_any([panics]);
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(Pin::new(&mut any)))).is_err());
    drop(any);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
#[should_panic(expected = "none of no futures")]
fn no_one_can_be_first_of_none() {
    drop(when_any([0; 0].map(ready::<u32>)));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_again_after_ready_panics() {
    let mut any = when_any([ready(1)]);
    assert!(poll_once(Pin::new(&mut any)).is_ready());
    let _ = poll_once(Pin::new(&mut any));
}

#[cfg(feature = "alloc")]
#[test]
#[should_panic(expected = "none of no futures is ever ready")]
fn of_no_futures_none_is_waited_for() {
    drop(when_any(Vec::<core::future::Ready<()>>::new()));
}
