//! `[map_reduce]`: order, and what is dropped.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use core::cell::Cell;
use core::future::{pending, ready};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::{String, ToString};

#[test]
fn outputs_are_folded_in_the_order_of_the_items() {
    let ended = Cell::new(0);
    let map = async |turns: u32| {
        for _ in 0..turns {
            yield_now().await;
        }
        ended.set(ended.get() * 10 + turns);
        turns
    };
    let join = |text: String, n: u32| text + &n.to_string();
    let mut all = pin!(map_reduce([3, 1, 2], map, String::new(), join));
    for _ in 0..3 {
        assert!(poll_once(all.as_mut()).is_pending());
    }
    assert_eq!(poll_once(all), Poll::Ready("312".into()));
    assert_eq!(ended.get(), 123);
}

#[test]
fn no_items_give_the_initial_value() {
    let nothing = core::iter::empty::<u32>();
    assert_eq!(now(map_reduce(nothing, ready, 7, |sum, n| sum + n)), 7);
}

#[test]
fn a_reduce_may_keep_the_first_error() {
    let map = |n: u32| ready(if n.is_multiple_of(2) { Err(n) } else { Ok(n) });
    let sum = |sum: Result<u32, u32>, n: Result<u32, u32>| Ok(sum? + n?);
    assert_eq!(now(map_reduce([1, 3], map, Ok(0), sum)), Ok(4));
    assert_eq!(now(map_reduce([1, 4, 2], map, Ok(0), sum)), Err(4));
}

#[test]
fn dropping_it_or_a_panic_drops_running_ones_and_outputs_once() {
    let alive = Rc::new(());
    for panics in [false, true] {
        let map = |item: u32| {
            let held = alive.clone();
            async move {
                match item {
                    0 => {}
                    1 => pending().await,
                    _ if panics => panic!("the last one panics"),
                    _ => pending().await,
                }
                held
            }
        };
        let mut all = Box::pin(map_reduce(0..3, map, (), |(), _| ()));
        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(all.as_mut())));
        assert_eq!(polled.is_err(), panics);
        assert_eq!(Rc::strong_count(&alive), if panics { 3 } else { 4 });
        drop(all);
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}
