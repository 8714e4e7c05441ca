//! `[shared]` polled by hand: who polls, who takes over, and one deadline each.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, acting_on_clone, now, panicking, poll_once, poll_with,
};
use crate::error::{BrokenPromise, TimedOut};
use crate::kept::forget;
use crate::sync::Semaphore;
use crate::timer::{ManualClock, Timeout};
use core::cell::Cell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

const MS: Duration = Duration::from_millis(1);

fn clock() -> &'static ManualClock {
    crate::kept::forever(ManualClock::new())
}

#[test]
fn all_who_wait_and_all_who_come_later_get_a_clone() {
    let (future, promise) = SharedFuture::<String>::new();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(future.wait())).collect();
    waiting.iter_mut().for_each(|wait| assert!(poll_once(wait.as_mut()).is_pending()));
    promise.complete("done".into()).unwrap();
    for wait in &mut waiting {
        assert_eq!(poll_once(wait.as_mut()), Poll::Ready(Ok("done".into())));
    }
    assert_eq!(now(future.clone().wait()), Ok("done".into()));
}

#[test]
fn a_broken_promise_is_told_to_all_now_and_later() {
    let mut cell = SharedCell::<u32>::new();
    let (future, promise) = cell.split();
    let (counter, waker) = Counter::new();
    let mut wait = pin!(future.wait());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(promise);
    assert_eq!((counter.wakes(), poll_once(wait)), (1, Poll::Ready(Err(BrokenPromise))));
    assert_eq!(now(future.wait()), Err(BrokenPromise));
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let (future, promise) = SharedFuture::<u32>::new();
    let (counter, waker) = Counter::new();
    let mut wait = pin!(future.wait());
    for _ in 0..100 {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    assert_eq!(future.waiters(), 1);
    promise.complete(1).unwrap();
    assert_eq!((counter.wakes(), poll_once(wait)), (1, Poll::Ready(Ok(1))));
}

#[test]
fn each_waiter_has_a_deadline_of_its_own() {
    let (clock, (future, promise)) = (clock(), SharedFuture::<u32>::new());
    let mut waits: Vec<_> =
        (1..=3).map(|i| Box::pin(Timeout::new(clock, i * MS, future.wait()))).collect();
    waits.iter_mut().for_each(|wait| assert!(poll_once(wait.as_mut()).is_pending()));
    clock.advance(MS);
    assert_eq!(poll_once(waits.remove(0).as_mut()), Poll::Ready(Err(TimedOut)));
    assert_eq!((future.waiters(), clock.armed()), (2, 2));
    promise.complete(5).unwrap();
    for mut wait in waits {
        assert_eq!(poll_once(wait.as_mut()), Poll::Ready(Ok(Ok(5))));
    }
    assert_eq!(clock.armed(), 0);
}

#[test]
fn a_promise_without_futures_gives_the_value_back() {
    let (future, promise) = SharedFuture::new();
    let second = future.clone();
    drop(future);
    assert!(!promise.is_abandoned());
    drop(second);
    assert_eq!(promise.complete(1), Err(1));
}

#[test]
fn a_wait_that_is_dropped_or_leaked_harms_no_one() {
    let (future, promise) = SharedFuture::<u32>::new();
    let mut leaked = Box::pin(future.wait());
    let mut dropped = Box::pin(future.wait());
    assert!(poll_once(leaked.as_mut()).is_pending());
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    forget(leaked);
    assert_eq!(future.waiters(), 1);
    promise.complete(1).unwrap();
    assert_eq!(now(future.wait()), Ok(1));
}

#[test]
fn wakers_may_wait_in_turn_and_panic() {
    let (future, promise) = SharedFuture::<u32>::new();
    let again = future.clone();
    let (mut first, mut second) = (pin!(future.wait()), pin!(future.wait()));
    assert!(
        poll_with(first.as_mut(), &acting(move || assert_eq!(now(again.wait()), Ok(1))))
            .is_pending()
    );
    let mut third = pin!(future.wait());
    assert!(poll_with(second.as_mut(), &panicking()).is_pending());
    assert!(poll_once(third.as_mut()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| promise.complete(1))).is_err());
    assert_eq!(future.waiters(), 0);
    assert_eq!(poll_once(third), Poll::Ready(Ok(1)));
}

#[test]
fn a_waker_whose_clone_completes_is_not_forgotten() {
    let (future, promise) = SharedFuture::new();
    let waker = acting_on_clone(move || promise.complete(7).unwrap());
    assert_eq!(poll_with(pin!(future.wait()), &waker), Poll::Ready(Ok(7)));
}

/// A future that is ready when `ready` is, and knows the last waker it saw.
#[derive(Default)]
struct Source {
    ready: Cell<bool>,
    polls: Cell<u32>,
    waker: Cell<Option<Waker>>,
}

impl Source {
    fn finish(&self) {
        self.ready.set(true);
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn future(self: &Rc<Self>) -> impl Future<Output = u32> + use<> {
        let source = self.clone();
        poll_fn(move |cx| {
            source.polls.set(source.polls.get() + 1);
            source.waker.set(Some(cx.waker().clone()));
            if source.ready.get() { Poll::Ready(9) } else { Poll::Pending }
        })
    }
}

#[test]
fn one_polls_and_all_get_the_output() {
    let source = Rc::<Source>::default();
    let shared = pin!(Shared::new(source.future()));
    let shared = shared.as_ref();
    let (counter, waker) = Counter::new();
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(shared.wait())).collect();
    for wait in &mut waits {
        for _ in 0..100 {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
    }
    assert_eq!((source.polls.get(), shared.waiters()), (100, 2), "only one of them polls it");
    source.finish();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(poll_once(waits[0].as_mut()), Poll::Ready(9));
    assert_eq!((counter.wakes(), Rc::strong_count(&source)), (3, 1), "dropped once it is ready");
    assert_eq!(poll_once(waits[1].as_mut()), Poll::Ready(9));
    assert_eq!(now(shared.wait()), 9);
}

#[test]
fn when_the_poller_goes_the_next_takes_over() {
    let source = Rc::<Source>::default();
    let shared = pin!(Shared::new(source.future()));
    let shared = shared.as_ref();
    let mut driver = Box::pin(shared.wait());
    let ((counter_2, waker_2), (counter_3, waker_3)) = (Counter::new(), Counter::new());
    let (mut second, mut third) = (Box::pin(shared.wait()), Box::pin(shared.wait()));
    assert!(poll_once(driver.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker_2).is_pending());
    assert!(poll_with(third.as_mut(), &waker_3).is_pending());
    drop(driver);
    assert_eq!((counter_2.wakes(), counter_3.wakes()), (1, 0));
    drop(second);
    assert_eq!(counter_3.wakes(), 1, "dropped before it took over, it hands on");
    assert!(poll_with(third.as_mut(), &waker_3).is_pending());
    source.finish();
    assert_eq!((counter_3.wakes(), poll_once(third.as_mut())), (2, Poll::Ready(9)));
}

#[test]
fn with_no_waiter_it_rests_and_goes_on_with_the_next() {
    let source = Rc::<Source>::default();
    let shared = pin!(Shared::new(source.future()));
    let shared = shared.as_ref();
    {
        let mut gives_up = pin!(shared.wait());
        assert!(poll_once(gives_up.as_mut()).is_pending());
    }
    source.finish();
    assert_eq!((shared.peek(), now(shared.wait())), (None, 9));
}

#[test]
fn a_poller_that_times_out_does_not_disturb_the_rest() {
    let (clock, source) = (clock(), Rc::<Source>::default());
    let shared = Rc::pin(Shared::new(source.future()));
    let mut hasty = Box::pin(Timeout::new(clock, MS, shared.as_ref().wait()));
    let mut patient = pin!(Timeout::new(clock, 5 * MS, shared.as_ref().wait()));
    let (counter, waker) = Counter::new();
    assert!(poll_once(hasty.as_mut()).is_pending());
    assert!(poll_with(patient.as_mut(), &waker).is_pending());
    clock.advance(MS);
    assert_eq!(poll_once(hasty.as_mut()), Poll::Ready(Err(TimedOut)));
    drop(hasty);
    assert_eq!(counter.wakes(), 1);
    assert!(poll_with(patient.as_mut(), &waker).is_pending());
    source.finish();
    assert_eq!((counter.wakes(), poll_once(patient)), (2, Poll::Ready(Ok(9))));
}

#[test]
fn a_panic_in_the_future_lets_the_next_one_poll() {
    let polls = Rc::new(Cell::new(0));
    let counts = polls.clone();
    let shared = pin!(Shared::new(poll_fn(move |_| {
        counts.set(counts.get() + 1);
        assert_ne!(counts.get(), 2, "the second poll panics");
        if counts.get() > 2 { Poll::Ready('x') } else { Poll::Pending }
    })));
    let shared = shared.as_ref();
    let (mut first, mut second) = (pin!(shared.wait()), pin!(shared.wait()));
    assert!(poll_once(first.as_mut()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(first.as_mut()))).is_err());
    assert_eq!(poll_once(second), Poll::Ready('x'));
}

#[test]
fn a_future_may_wait_for_itself_as_it_is_polled_and_dropped() {
    struct Nested(Rc<Cell<u32>>);
    impl Drop for Nested {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert_eq!(self.0.get(), 2, "polled once, dropped once");
        }
    }
    type Inner = Pin<Box<dyn Future<Output = u32>>>;
    type Place = Cell<Option<Pin<Rc<Shared<Inner>>>>>;
    let place = Rc::<Place>::default();
    let (outer, seen) = (place.clone(), Rc::new(Cell::new(0)));
    let nested = Nested(seen.clone());
    let shared = Rc::pin(Shared::<Inner>::new(Box::pin(async move {
        let this = outer.take().expect("set before the first poll");
        assert!(poll_once(pin!(this.as_ref().wait())).is_pending());
        nested.0.set(1);
        7
    })));
    place.set(Some(shared.clone()));
    assert_eq!((now(shared.as_ref().wait()), seen.get()), (7, 2));
}

#[test]
fn a_wait_that_is_leaked_while_it_polls_stops_the_others_and_nothing_else() {
    let semaphore = Semaphore::new(1);
    let shared = Rc::pin(Shared::new(async { semaphore.acquire(2).await.is_ok() }));
    let mut leaked = Box::pin(shared.as_ref().wait());
    assert!(poll_once(leaked.as_mut()).is_pending());
    forget(leaked);
    assert!(poll_once(pin!(shared.as_ref().wait())).is_pending());
    assert_eq!(shared.peek(), None);
}
