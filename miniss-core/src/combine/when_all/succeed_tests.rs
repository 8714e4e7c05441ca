//! `[when_all_succeed]`: all values, or the first error in order.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use core::future::ready;
use core::pin::pin;

type Outcome = Result<u32, &'static str>;

async fn late(outcome: Outcome) -> Outcome {
    yield_now().await;
    outcome
}

#[test]
fn the_values_come_in_the_order_of_the_input() {
    assert_eq!(now(when_all_succeed([1, 2, 3].map(|i| ready(Outcome::Ok(i))))), Ok([1, 2, 3]));
    let mut pair = pin!(when_all_succeed((late(Ok(1)), ready(Ok::<_, &str>('b')))));
    assert!(poll_once(pair.as_mut()).is_pending());
    assert_eq!(poll_once(pair), Poll::Ready(Ok((1, 'b'))));
    assert_eq!(now(when_all_succeed([0; 0].map(|i| ready(Outcome::Ok(i))))), Ok([]));
}

#[test]
fn the_error_is_the_first_in_order_not_in_time_once_all_are_done() {
    let mut row = pin!(when_all_succeed([late(Ok(1)), late(Err("two")), late(Err("three"))]));
    assert!(poll_once(row.as_mut()).is_pending());
    assert_eq!(poll_once(row), Poll::Ready(Err("two")));
    let mut tuple = pin!(when_all_succeed((late(Err("late")), ready(Outcome::Err("early")))));
    assert!(poll_once(tuple.as_mut()).is_pending(), "one that fails does not end the wait");
    assert_eq!(poll_once(tuple), Poll::Ready(Err("late")));
}

#[cfg(feature = "alloc")]
#[test]
fn a_vec_gives_a_vec() {
    let all = |last| when_all_succeed(std::vec![ready(Outcome::Ok(1)), ready(last)]);
    assert_eq!(now(all(Ok(2))), Ok(std::vec![1, 2]));
    assert_eq!(now(all(Err("no"))), Err("no"));
}
