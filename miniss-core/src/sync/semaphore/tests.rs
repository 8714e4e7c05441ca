//! `[semaphore]` polled by hand: order, cancellation at every stage, and wakers that misbehave.

use super::*;
use crate::collections::test_waker::{Counter, acting, now, panicking, poll_once, poll_with};
use crate::error::TimedOut;
use crate::kept::forget;
use crate::timer::{ManualClock, Timeout};
use core::cell::RefCell;
use core::pin::{Pin, pin};
use core::ptr;
use core::task::{Poll, RawWaker, RawWakerVTable, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

type Pinned<'a> = Pin<Box<Acquire<'a>>>;

/// A request that has been polled once and waits.
fn queued<'a>(semaphore: &'a Semaphore, units: usize, waker: &Waker) -> Pinned<'a> {
    let mut acquire = Box::pin(semaphore.acquire(units));
    assert!(poll_with(acquire.as_mut(), waker).is_pending());
    acquire
}

fn ready<'a>(acquire: &mut Pinned<'a>) -> Result<Units<'a>, Closed> {
    match poll_once(acquire.as_mut()) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("still waiting"),
    }
}

fn leaked(units: usize) -> &'static Semaphore {
    crate::kept::forever(Semaphore::new(units))
}

#[test]
fn a_sem_1_one_unit_is_ready_at_once() {
    let semaphore = Semaphore::new(1);
    let unit = now(semaphore.acquire(1)).unwrap();
    assert_eq!((unit.len(), semaphore.available()), (1, 0));
}

#[test]
fn a_sem_2_release_of_three_wakes_three_in_order() {
    let semaphore = leaked(0);
    std::thread_local! {
        static ORDER: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }
    struct Note(usize);
    impl std::task::Wake for Note {
        fn wake(self: std::sync::Arc<Self>) {
            ORDER.with(|order| order.borrow_mut().push(self.0));
        }
    }
    let mut waiters: Vec<_> =
        (0..3).map(|i| queued(semaphore, 1, &Waker::from(std::sync::Arc::new(Note(i))))).collect();
    semaphore.release(3);
    ORDER.with(|order| assert_eq!(*order.borrow(), [0, 1, 2]));
    let units: Vec<_> = waiters.iter_mut().map(|waiter| ready(waiter).unwrap()).collect();
    assert_eq!((units.len(), semaphore.available(), semaphore.waiters()), (3, 0, 0));
}

#[test]
fn a_small_request_does_not_overtake_a_large_one() {
    let semaphore = Semaphore::new(2);
    let mut large = queued(&semaphore, 3, Waker::noop());
    let mut small = queued(&semaphore, 1, Waker::noop());
    assert_eq!(semaphore.try_acquire(1).unwrap_err(), TryAcquireError::NoUnits);
    semaphore.release(1);
    assert!(poll_once(small.as_mut()).is_pending());
    drop(ready(&mut large));
    assert!(ready(&mut small).is_ok());
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let semaphore = Semaphore::new(0);
    let (counter, waker) = Counter::new();
    let mut acquire = queued(&semaphore, 1, &waker);
    for _ in 0..100 {
        assert!(poll_with(acquire.as_mut(), &waker).is_pending());
    }
    assert_eq!(semaphore.waiters(), 1);
    semaphore.release(1);
    assert_eq!(counter.wakes(), 1);
    forget(ready(&mut acquire));
}

#[test]
fn consume_goes_into_debt_and_no_one_is_served_until_it_is_paid() {
    let semaphore = Semaphore::new(1);
    semaphore.consume(3);
    let mut nothing = queued(&semaphore, 0, Waker::noop());
    let mut one = queued(&semaphore, 1, Waker::noop());
    semaphore.release(1);
    assert_eq!((semaphore.available(), semaphore.waiters()), (-1, 2));
    semaphore.release(1);
    assert!(ready(&mut nothing).is_ok());
    assert!(poll_once(one.as_mut()).is_pending());
    semaphore.release(1);
    assert!(ready(&mut one).is_ok());
}

#[test]
fn close_fails_all_now_and_later_but_keeps_what_was_granted() {
    let semaphore = Semaphore::new(0);
    let (counter, waker) = Counter::new();
    let mut granted = queued(&semaphore, 1, &waker);
    let mut waiting = queued(&semaphore, 1, &waker);
    semaphore.release(1);
    semaphore.close();
    assert_eq!(counter.wakes(), 2);
    let unit = ready(&mut granted).unwrap();
    assert_eq!(ready(&mut waiting).unwrap_err(), Closed);
    drop(unit);
    assert_eq!(semaphore.available(), 1);
    assert_eq!(now(semaphore.acquire(1)).unwrap_err(), Closed);
    assert_eq!(semaphore.try_acquire(0).unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn dropped_while_queued_lets_those_behind_it_pass() {
    let semaphore = Semaphore::new(1);
    let (counter, waker) = Counter::new();
    let large = queued(&semaphore, 2, Waker::noop());
    let mut small = queued(&semaphore, 1, &waker);
    drop(large);
    assert_eq!((counter.wakes(), semaphore.waiters()), (1, 0));
    assert!(ready(&mut small).is_ok());
}

#[test]
fn dropped_after_being_granted_passes_the_units_on() {
    let semaphore = Semaphore::new(0);
    let (counter, waker) = Counter::new();
    let first = queued(&semaphore, 1, Waker::noop());
    let mut second = queued(&semaphore, 1, &waker);
    semaphore.release(1);
    assert_eq!(counter.wakes(), 0);
    drop(first);
    assert_eq!(counter.wakes(), 1);
    drop(ready(&mut second));
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn dropped_after_delivery_or_before_the_first_poll_gives_nothing_back() {
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire(1));
    let unit = now(semaphore.acquire(1));
    assert_eq!(semaphore.available(), 0);
    drop(unit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_wake_may_ask_and_release_in_turn() {
    let semaphore = leaked(0);
    let action = || {
        assert!(semaphore.try_acquire(1).is_err(), "there is one unit, but the next is first");
        crate::kept::forever(queued(semaphore, 1, Waker::noop()));
        semaphore.release(1);
    };
    let first = queued(semaphore, 1, &acting(action));
    let mut second = queued(semaphore, 1, Waker::noop());
    semaphore.release(2);
    assert_eq!((semaphore.available(), semaphore.waiters()), (0, 0));
    drop((first, ready(&mut second)));
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_wake_may_drop_the_waiters_that_come_next() {
    let semaphore = leaked(0);
    let (counter, waker) = Counter::new();
    let mut first = Box::pin(semaphore.acquire(1));
    assert!(poll_once(first.as_mut()).is_pending());
    let next = queued(semaphore, 1, &waker);
    assert!(poll_with(first.as_mut(), &acting(move || drop(next))).is_pending());
    semaphore.release(2);
    assert_eq!((counter.wakes(), semaphore.available(), semaphore.waiters()), (0, 1, 0));
}

#[test]
fn a_wake_may_close_the_semaphore_that_is_serving() {
    let semaphore = leaked(0);
    let mut first = queued(semaphore, 1, &acting(|| semaphore.close()));
    let mut second = queued(semaphore, 1, Waker::noop());
    semaphore.release(2);
    assert!(ready(&mut first).is_ok());
    assert_eq!(ready(&mut second).unwrap_err(), Closed);
}

#[test]
fn a_release_inside_a_close_saves_no_one() {
    let semaphore = leaked(0);
    let mut first = queued(semaphore, 1, &acting(|| semaphore.release(2)));
    let mut second = queued(semaphore, 1, Waker::noop());
    semaphore.close();
    assert_eq!(ready(&mut first).unwrap_err(), Closed);
    assert_eq!(ready(&mut second).unwrap_err(), Closed);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_panic_in_a_wake_strands_no_one_and_loses_no_unit() {
    let semaphore = Semaphore::new(0);
    let (counter, waker) = Counter::new();
    let first = queued(&semaphore, 1, &panicking());
    let mut second = queued(&semaphore, 1, &waker);
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.release(2))).is_err());
    assert_eq!(counter.wakes(), 1);
    drop(ready(&mut second));
    drop(first);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_panic_in_a_wake_does_not_stop_a_close() {
    let semaphore = Semaphore::new(0);
    let _first = queued(&semaphore, 1, &panicking());
    let mut second = queued(&semaphore, 1, Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.close())).is_err());
    assert_eq!(ready(&mut second).unwrap_err(), Closed);
}

#[test]
fn a_wait_that_times_out_lets_those_behind_it_pass() {
    let clock: &'static ManualClock = crate::kept::forever(ManualClock::new());
    let semaphore = Semaphore::new(1);
    let second = Duration::from_secs(1);
    let mut large = Box::pin(Timeout::new(clock, second, semaphore.acquire(2)));
    assert!(poll_once(large.as_mut()).is_pending());
    let mut small = queued(&semaphore, 1, Waker::noop());
    clock.advance(second);
    assert!(matches!(poll_once(large.as_mut()), Poll::Ready(Err(TimedOut))));
    drop(large);
    assert!(ready(&mut small).is_ok());
}

#[test]
fn a_grant_in_time_wins_over_the_deadline() {
    let clock: &'static ManualClock = crate::kept::forever(ManualClock::new());
    let semaphore = Semaphore::new(0);
    let second = Duration::from_secs(1);
    let mut wait = Box::pin(Timeout::new(clock, second, semaphore.acquire(1)));
    assert!(poll_once(wait.as_mut()).is_pending());
    semaphore.release(1);
    clock.advance(second);
    assert!(matches!(poll_once(wait.as_mut()), Poll::Ready(Ok(Ok(_)))));
}

#[cfg(feature = "alloc")]
#[test]
fn aborting_a_task_that_waits_or_was_granted_loses_nothing() {
    use crate::combine::yield_now;
    let semaphore = leaked(0);
    let mut executor = crate::doctest::executor();
    let local = executor.local();
    executor.block_on(async {
        let wait = || local.spawn(async { semaphore.acquire(1).await.map(Units::forget) }).unwrap();
        let [waits, granted, lives] = [wait(), wait(), wait()];
        yield_now().await;
        assert_eq!(semaphore.waiters(), 3);
        waits.abort();
        assert!(waits.await.is_err());
        semaphore.release(1);
        granted.abort();
        assert!(granted.await.is_err());
        assert_eq!(lives.await.unwrap(), Ok(1));
    });
}

#[test]
fn adopted_units_are_given_back_like_any_other() {
    let semaphore = Semaphore::new(3);
    semaphore.consume(5);
    let mut waits = queued(&semaphore, 2, Waker::noop());
    let mut adopted = semaphore.adopt(5);
    drop(adopted.split(1));
    assert_eq!((adopted.len(), semaphore.available()), (4, -1));
    drop(adopted);
    drop(ready(&mut waits));
    assert_eq!(semaphore.available(), 3);
}

#[cfg(feature = "alloc")]
#[test]
fn units_are_empty_once_all_of_them_are_elsewhere() {
    let semaphore = Rc::new(Semaphore::new(4));
    let mut units = semaphore.try_acquire(2).unwrap();
    let mut owned = semaphore.try_acquire_owned(2).unwrap();
    assert!(!units.is_empty() && !owned.is_empty());
    let _elsewhere = (units.split(2), owned.split(2));
    assert!(units.is_empty() && owned.is_empty());
}

#[test]
fn a_leaked_waiter_stays_in_line_and_takes_its_units_with_it() {
    let semaphore = Semaphore::new(0);
    forget(queued(&semaphore, 1, Waker::noop()));
    let mut behind = queued(&semaphore, 1, Waker::noop());
    semaphore.release(1);
    assert!(poll_once(behind.as_mut()).is_pending());
    semaphore.release(1);
    drop(ready(&mut behind));
    drop(behind);
    let moved = Box::new(semaphore);
    assert_eq!((moved.available(), moved.waiters()), (1, 0));
}

#[test]
fn splitting_and_merging_loses_no_unit() {
    let semaphore = Semaphore::new(10);
    let mut units = now(semaphore.acquire(7)).unwrap();
    let part = units.split(3).unwrap();
    assert!(units.split(5).is_none());
    assert_eq!((units.len(), part.len(), semaphore.available()), (4, 3, 3));
    units.merge(part);
    assert_eq!(units.forget(), 7);
    assert_eq!(semaphore.available(), 3);
}

#[test]
#[should_panic(expected = "units of two semaphores")]
fn units_of_two_semaphores_do_not_mix() {
    let (a, b) = (Semaphore::new(1), Semaphore::new(1));
    a.try_acquire(1).unwrap().merge(b.try_acquire(1).unwrap());
}

#[test]
#[should_panic(expected = "more units than a semaphore can count")]
fn releasing_beyond_the_count_is_refused() {
    Semaphore::new(Semaphore::UNITS_MAX).release(1);
}

#[test]
fn a_request_beyond_every_count_waits() {
    let semaphore = Semaphore::new(Semaphore::UNITS_MAX);
    drop(queued(&semaphore, usize::MAX, Waker::noop()));
    assert_eq!(semaphore.available(), isize::MAX);
}

#[cfg(feature = "alloc")]
mod owned {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn owned_units_are_split_merged_and_forgotten_without_losing_one() {
        let semaphore = Rc::new(Semaphore::new(10));
        let mut units = semaphore.try_acquire_owned(6).unwrap();
        let part = units.split(2).unwrap();
        assert!(units.split(5).is_none());
        units.merge(part);
        assert_eq!((units.len(), semaphore.available()), (6, 4));
        assert_eq!((units.forget(), semaphore.available()), (6, 4));
        assert_eq!(Rc::strong_count(&semaphore), 1, "what is forgotten holds no share");
        semaphore.release(6);
    }

    #[test]
    #[should_panic(expected = "units of two semaphores")]
    fn owned_units_of_two_semaphores_do_not_mix() {
        let [a, b] = [(); 2].map(|()| Rc::new(Semaphore::new(1)));
        a.try_acquire_owned(1).unwrap().merge(b.try_acquire_owned(1).unwrap());
    }

    #[test]
    fn a_task_holds_units_of_a_semaphore_that_no_one_else_has_any_more() {
        let semaphore = Rc::new(Semaphore::new(1));
        let unit = semaphore.try_acquire_owned(1).unwrap();
        let mut waits = Box::pin(semaphore.acquire_owned(1));
        assert!(poll_once(waits.as_mut()).is_pending());
        drop(semaphore);
        drop(unit);
        let Poll::Ready(Ok(unit)) = poll_once(waits.as_mut()) else { panic!("it was its turn") };
        assert_eq!(unit.semaphore().available(), 0);
    }

    #[test]
    fn a_close_fails_an_owned_wait_and_a_dropped_one_passes_its_units_on() {
        let semaphore = Rc::new(Semaphore::new(0));
        let mut granted = Box::pin(semaphore.acquire_owned(1));
        let mut next = Box::pin(semaphore.acquire_owned(1));
        let mut last = Box::pin(semaphore.acquire_owned(1));
        for wait in [&mut granted, &mut next, &mut last] {
            assert!(poll_once(wait.as_mut()).is_pending());
        }
        semaphore.release(1);
        drop(granted);
        let Poll::Ready(Ok(unit)) = poll_once(next.as_mut()) else { panic!("it was its turn") };
        semaphore.close();
        assert!(matches!(poll_once(last.as_mut()), Poll::Ready(Err(Closed))));
        drop(unit);
        assert_eq!(semaphore.try_acquire_owned(1).unwrap_err(), TryAcquireError::Closed);
    }
}

#[test]
fn a_waker_whose_clone_releases_units_is_not_forgotten() {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(release, |_| (), |_| (), |_| ());
    fn release(data: *const ()) -> RawWaker {
        // SAFETY: `data` is the leaked semaphore below.
        unsafe { &*data.cast::<Semaphore>() }.release(1);
        RawWaker::new(data, &VTABLE)
    }
    let semaphore: &'static Semaphore = crate::kept::forever(Semaphore::new(0));
    // SAFETY: the functions only release a unit of a semaphore that lives forever, and the
    // waker never leaves this thread.
    let waker = unsafe { Waker::new(ptr::from_ref(semaphore).cast(), &VTABLE) };
    let mut acquire = pin!(semaphore.acquire(1));
    assert!(poll_with(acquire.as_mut(), &waker).is_ready());
}
