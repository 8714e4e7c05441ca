//! `[chain]` and the combinators made of it: order, passing by, size and misuse.

use crate::collections::test_waker::{now, poll_once};
use crate::combine::{FutureExt, yield_now};
use core::cell::Cell;
use core::future::{Future, pending, ready};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn ok(value: i32) -> impl Future<Output = Result<i32, &'static str>> {
    ready(Ok(value))
}

fn failed() -> impl Future<Output = Result<i32, &'static str>> {
    ready(Err("first"))
}

async fn late<T>(value: T) -> T {
    yield_now().await;
    value
}

#[test]
fn a_fu_1_then_on_a_ready_value() {
    assert_eq!(now(ok(3).and_then(|x| ok(x + 1))), Ok(4));
    assert_eq!(now(ok(3).map_ok(|x| x + 1)), Ok(4));
    assert_eq!(now(ok(3).map_err(|_| "not called")), Ok(3));
    assert_eq!(now(failed().map_err(str::len)), Err(5));
}

#[test]
fn a_fu_2_then_and_map_pass_an_error_by() {
    let called = Cell::new(false);
    let chained = failed().and_then(|x| {
        called.set(true);
        ok(x)
    });
    assert_eq!(now(chained), Err("first"));
    assert_eq!(now(failed().map_ok(|_| called.set(true))), Err("first"));
    assert!(!called.get());
}

#[test]
fn a_fu_3_then_wrapped_sees_value_and_error() {
    assert_eq!(now(ok(3).then_wrapped(ready)), Ok(3));
    assert!(now(failed().then_wrapped(|outcome| ready(outcome.is_err()))));
}

#[test]
fn a_fu_6_handle_exception_recovers() {
    assert_eq!(now(failed().or_else(|_| ok(0))), Ok(0));
    assert_eq!(now(ok(3).or_else(|_| ok(0))), Ok(3));
}

#[test]
fn a_fu_6_handle_exception_type_recovers_on_a_match_only() {
    assert_eq!(now(failed().handle_error_if(|e| *e == "first", |_| ok(0))), Ok(0));
    assert_eq!(now(failed().handle_error_if(|e| *e == "other", |_| ok(0))), Err("first"));
    assert_eq!(now(ok(3).handle_error_if(|_| true, |_| ok(0))), Ok(3));
}

#[test]
fn a_fu_12_an_async_fn_that_awaits_a_failed_future_fails() {
    async fn outer(reached: &Cell<bool>) -> Result<i32, &'static str> {
        let value = late(failed()).await.await?;
        reached.set(true);
        Ok(value)
    }
    let reached = Cell::new(false);
    let mut outer = pin!(outer(&reached));
    assert!(poll_once(outer.as_mut()).is_pending());
    assert_eq!(poll_once(outer), Poll::Ready(Err("first")));
    assert!(!reached.get());
}

#[test]
fn both_stages_may_suspend() {
    let mut chained = pin!(late(Ok::<_, ()>(3)).and_then(|x| late(Ok(x + 1))));
    assert!(poll_once(chained.as_mut()).is_pending());
    assert!(poll_once(chained.as_mut()).is_pending());
    assert_eq!(poll_once(chained), Poll::Ready(Ok(4)));
}

#[test]
fn the_first_future_is_gone_before_the_second_is_made() {
    struct Held<'a>(&'a Cell<bool>);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    let held = Cell::new(true);
    let guard = Held(&held);
    let first = core::future::poll_fn(move |_| {
        let _ = &guard;
        Poll::Ready(Ok::<_, ()>(1))
    });
    assert_eq!(now(first.and_then(|_| ready(Ok(held.get())))), Ok(false));
}

#[test]
fn a_continuation_that_panics_leaves_a_chain_that_can_be_dropped() {
    let mut chained = Box::pin(ok(1).and_then(|_| -> core::future::Ready<Result<i32, _>> {
        panic!("the continuation panics")
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(chained.as_mut()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(chained.as_mut()))).is_err());
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_again_after_ready_panics() {
    let mut chained = Box::pin(ok(1).map_ok(|x| x));
    assert!(poll_once(chained.as_mut()).is_ready());
    let _ = poll_once(chained.as_mut());
}

#[test]
fn a_chain_grows_by_words_per_link_and_not_by_doubling() {
    async fn wide() -> Result<[u8; 512], ()> {
        let buffer = [0; 512];
        yield_now().await;
        Ok(core::hint::black_box(buffer))
    }
    let link = |_| wide();
    let chain = wide().and_then(link).and_then(link).and_then(link).and_then(link);
    assert!(size_of_val(&chain) < size_of_val(&wide()) + 4 * 64, "{}", size_of_val(&chain));
}

#[test]
fn a_boxed_and_unsized_future_chains_too() {
    type Boxed = core::pin::Pin<Box<dyn Future<Output = Result<i32, &'static str>>>>;
    let boxed: Boxed = Box::pin(ok(3));
    assert_eq!(now(boxed.map_ok(|x| x + 1)), Ok(4));
    let forever: Boxed = Box::pin(pending());
    assert!(poll_once(pin!(forever.or_else(|_| ok(0)))).is_pending());
}

#[cfg(feature = "alloc")]
mod with_promises {
    use super::*;
    use crate::Future;
    use crate::error::BrokenPromise;

    #[test]
    fn a_fu_12_a_broken_promise_fails_the_async_fn_that_awaits_it() {
        async fn outer(answer: Future<i32>) -> Result<i32, BrokenPromise> {
            Ok(answer.await? + 1)
        }
        let (answer, promise) = Future::new();
        let mut outer = pin!(outer(answer));
        assert!(poll_once(outer.as_mut()).is_pending());
        drop(promise);
        assert_eq!(poll_once(outer), Poll::Ready(Err(BrokenPromise)));
    }

    #[test]
    fn a_chain_starts_from_a_promise_and_goes_on_when_it_is_kept() {
        let (answer, promise) = Future::new();
        let mut chained = pin!(answer.and_then(|x| Future::ready(x + 1)).map_ok(|x| x * 2));
        assert!(poll_once(chained.as_mut()).is_pending());
        promise.complete(20).unwrap();
        assert_eq!(poll_once(chained), Poll::Ready(Ok(42)));
    }

    #[test]
    fn forward_to_brings_the_value_or_the_error() {
        let (mut answer, promise) = Future::<i32, Failed>::fallible();
        now(ready(Ok(3)).forward_to(promise));
        assert_eq!(answer.try_take(), Some(Ok(3)));
        let (mut answer, promise) = Future::<i32, Failed>::fallible();
        now(failed().map_err(Failed).forward_to(promise));
        assert_eq!(answer.try_take(), Some(Err(Failed("first"))));
    }

    #[test]
    fn forward_to_no_one_drops_the_result() {
        let (answer, promise) = Future::<std::rc::Rc<()>, Failed>::fallible();
        drop(answer);
        let value = std::rc::Rc::new(());
        now(ready(Ok(value.clone())).forward_to(promise));
        assert_eq!(std::rc::Rc::strong_count(&value), 1);
    }

    #[test]
    fn forward_to_dropped_in_the_middle_or_after_a_panic_breaks_the_promise_once() {
        for panics in [false, true] {
            let (mut answer, promise) = Future::<(), Failed>::fallible();
            let source = async {
                assert!(!panics, "the source panics");
                pending().await
            };
            let mut work = Box::pin(source.forward_to(promise));
            let polled = catch_unwind(AssertUnwindSafe(|| poll_once(work.as_mut())));
            assert_eq!(polled.is_err(), panics);
            drop(work);
            assert_eq!(answer.try_take(), Some(Err(Failed("broken"))));
        }
    }

    #[derive(Debug, PartialEq)]
    struct Failed(&'static str);

    impl From<BrokenPromise> for Failed {
        fn from(_: BrokenPromise) -> Self {
            Self("broken")
        }
    }
}
