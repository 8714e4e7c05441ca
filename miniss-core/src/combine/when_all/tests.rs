//! `[when_all]` over tuples, arrays and vectors.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use crate::sync::Semaphore;
use core::cell::Cell;
use core::future::{pending, poll_fn, ready};
use core::marker::PhantomPinned;
use core::pin::pin;
use std::rc::Rc;

type Outcome = Result<u32, &'static str>;

async fn late(outcome: Outcome) -> Outcome {
    yield_now().await;
    yield_now().await;
    outcome
}

#[test]
fn a_fu_11_when_all_of_a_tuple_gives_every_outcome_in_order() {
    let all = when_all((ready(Outcome::Ok(1)), ready(Outcome::Err("two")), late(Ok(3))));
    let mut all = pin!(all);
    assert!(poll_once(all.as_mut()).is_pending());
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(poll_once(all), Poll::Ready((Ok(1), Err("two"), Ok(3))));
}

#[cfg(feature = "alloc")]
#[test]
fn a_fu_11_when_all_of_a_vec_gives_every_outcome_in_order() {
    let mut late_first = pin!(when_all(std::vec![late(Ok(1)), late(Err("two")), late(Ok(3))]));
    assert!(poll_once(late_first.as_mut()).is_pending());
    assert!(poll_once(late_first.as_mut()).is_pending());
    assert_eq!(poll_once(late_first), Poll::Ready(std::vec![Ok(1), Err("two"), Ok(3)]));
}

#[test]
fn a_fu_11_when_all_of_an_array_needs_no_heap() {
    assert_eq!(now(when_all([ready(Outcome::Ok(1)), ready(Err("two"))])), [Ok(1), Err("two")]);
}

#[test]
fn none_and_eight() {
    assert_eq!(now(when_all([0; 0].map(ready))), []);
    let [a, b, c, d] = [1, 2, 3, 4].map(ready);
    let [e, f, g, h] = [5, 6, 7, 8].map(ready);
    assert_eq!(now(when_all((a, b, c, d, e, f, g, h))), (1, 2, 3, 4, 5, 6, 7, 8));
}

#[test]
fn one_that_is_done_is_not_polled_again_and_is_dropped_at_once() {
    let alive = Rc::new(());
    let guard = Rc::clone(&alive);
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let quick = poll_fn(move |_| {
        let _ = &guard;
        counted.set(counted.get() + 1);
        Poll::Ready(())
    });
    let mut all = pin!(when_all((quick, late(Ok(1)))));
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(Rc::strong_count(&alive), 1);
    assert!(poll_once(all.as_mut()).is_pending());
    assert!(poll_once(all).is_ready());
    assert_eq!(polls.get(), 1);
}

#[test]
fn dropping_it_drops_the_running_and_the_outputs() {
    let alive = Rc::new(());
    let (output, held) = (Rc::clone(&alive), Rc::clone(&alive));
    let running = async move {
        let _held = held;
        pending::<()>().await;
    };
    let mut all = std::boxed::Box::pin(when_all((ready(output), running)));
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(Rc::strong_count(&alive), 3);
    drop(all);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn futures_that_must_not_move_stay_put() {
    let semaphore = Semaphore::new(0);
    let mut all = pin!(when_all([semaphore.acquire(1), semaphore.acquire(2)]));
    assert!(poll_once(all.as_mut()).is_pending());
    assert_eq!(semaphore.waiters(), 2);
    semaphore.release(3);
    let Poll::Ready(units) = poll_once(all) else { panic!("all have their units") };
    assert_eq!(units.iter().map(|units| units.as_ref().unwrap().len()).sum::<usize>(), 3);
}

#[test]
fn an_output_that_must_not_move_is_no_obstacle() {
    fn unpin<T: Unpin>(_: &T) {}
    unpin(&when_all([ready(PhantomPinned)]));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_again_after_ready_panics() {
    let mut all = pin!(when_all([ready(1)]));
    assert!(poll_once(all.as_mut()).is_ready());
    let _ = poll_once(all);
}
