//! `[mutex]` polled by hand: exclusion over awaits, order, and bodies that fail.

use super::*;
use crate::collections::test_waker::{Counter, acting, now, poll_once, poll_with};
use core::future::{pending, poll_fn};
use core::pin::pin;
use core::task::{Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

#[test]
fn a_fu_10_with_lock_whose_body_fails_leaves_the_lock_free() {
    let mutex = Mutex::new(1);
    let failed: Result<(), &str> = now(mutex.with_lock(async |value| {
        *value = 2;
        Err("the body failed")
    }));
    assert_eq!(failed, Err("the body failed"));
    assert_eq!(*mutex.try_lock().unwrap(), 2);
}

#[test]
fn a_fu_10_with_lock_whose_body_panics_leaves_the_lock_free() {
    let mutex = Mutex::new(1);
    let body = async |_: &mut i32| panic!("the body panics");
    assert!(catch_unwind(AssertUnwindSafe(|| now(mutex.with_lock::<()>(body)))).is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 1);
}

#[test]
fn a_body_dropped_over_an_await_leaves_the_lock_free() {
    let mutex = Mutex::new(1);
    let mut locked = Box::pin(mutex.with_lock(async |_| pending::<()>().await));
    assert!(poll_once(locked.as_mut()).is_pending());
    assert!(mutex.try_lock().is_none());
    drop(locked);
    assert!(mutex.try_lock().is_some());
}

#[test]
fn the_lock_goes_round_in_order_even_past_a_waiter_that_left() {
    let mutex = Mutex::new(Vec::new());
    let guard = mutex.try_lock().unwrap();
    let mut waiting: Vec<_> = (0..4)
        .map(|i| Some(Box::pin(mutex.with_lock(async move |seen: &mut Vec<i32>| seen.push(i)))))
        .collect();
    for future in waiting.iter_mut().flatten() {
        assert!(poll_once(future.as_mut()).is_pending());
    }
    waiting[1] = None;
    assert_eq!(mutex.waiters(), 3);
    drop(guard);
    // The lock was handed to the first when the guard went; dropping that one passes it on.
    waiting[0] = None;
    assert!(mutex.try_lock().is_none());
    for future in waiting.iter_mut().flatten() {
        assert!(poll_once(future.as_mut()).is_ready());
    }
    drop(waiting);
    assert_eq!(mutex.into_inner(), [2, 3]);
}

#[test]
fn the_lock_excludes_others_over_an_await() {
    let mutex = Mutex::new(0);
    let mut first = Box::pin(mutex.lock());
    let Poll::Ready(mut guard) = poll_once(first.as_mut()) else { panic!("the lock is free") };
    let (counter, waker) = Counter::new();
    let mut second = Box::pin(mutex.lock());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    *guard += 1;
    drop(guard);
    assert_eq!(counter.wakes(), 1);
    let Poll::Ready(guard) = poll_once(second.as_mut()) else { panic!("the lock was handed over") };
    assert_eq!(*guard, 1);
}

#[test]
fn a_wake_may_try_the_lock_that_is_being_handed_over() {
    let mutex: &Mutex<i32> = crate::kept::forever(Mutex::new(0));
    let guard = mutex.try_lock().unwrap();
    let mut next = pin!(mutex.lock());
    let waker = acting(|| assert!(mutex.try_lock().is_none()));
    assert!(poll_with(next.as_mut(), &waker).is_pending());
    drop(guard);
    assert!(poll_with(next, Waker::noop()).is_ready());
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let mutex = Mutex::new(0);
    let guard = mutex.try_lock().unwrap();
    let (counter, waker) = Counter::new();
    let mut waiting = Box::pin(mutex.lock());
    for _ in 0..100 {
        assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    }
    assert_eq!(mutex.waiters(), 1);
    drop(guard);
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn a_leaked_waiter_keeps_the_lock_once_it_was_handed_over() {
    let mutex = Mutex::new(1);
    let guard = mutex.try_lock().unwrap();
    let mut waiting = Box::pin(mutex.lock());
    assert!(poll_once(waiting.as_mut()).is_pending());
    crate::kept::forget(waiting);
    drop(guard);
    assert!(mutex.try_lock().is_none());
    assert_eq!(Box::new(mutex).into_inner(), 1);
}

#[test]
fn an_unsized_value_and_a_borrowing_body_are_fine() {
    let mutex: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
    let sum = now(mutex.with_lock(async |values| {
        poll_fn(|_| Poll::Ready(())).await;
        values.iter().sum::<i32>()
    }));
    assert_eq!(sum, 6);
}

#[cfg(feature = "alloc")]
mod owned {
    use super::*;
    use crate::collections::test_waker::panicking;
    use std::rc::Rc;

    #[test]
    fn owned_and_borrowing_guards_stand_in_one_queue() {
        let mutex = Rc::new(Mutex::new(std::vec![0]));
        let mut first = mutex.try_lock_owned().unwrap();
        assert!(mutex.try_lock().is_none() && mutex.try_lock_owned().is_none());
        let (counter, waker) = Counter::new();
        let mut second = Box::pin(mutex.lock());
        let mut third = Box::pin(mutex.lock_owned());
        assert!(poll_with(second.as_mut(), &waker).is_pending());
        assert!(poll_with(third.as_mut(), &waker).is_pending());
        first.push(1);
        drop(first);
        assert_eq!(counter.wakes(), 1);
        let Poll::Ready(guard) = poll_once(second.as_mut()) else { panic!("it was its turn") };
        assert!(poll_with(third.as_mut(), &waker).is_pending());
        drop(guard);
        let Poll::Ready(guard) = poll_once(third.as_mut()) else { panic!("it was its turn") };
        assert_eq!((counter.wakes(), &**guard), (2, [0, 1].as_slice()));
    }

    #[test]
    fn an_owned_lock_dropped_in_the_queue_or_after_the_hand_over_is_passed_on() {
        for handed_over in [false, true] {
            let mutex = Rc::new(Mutex::new(0));
            let guard = mutex.try_lock_owned().unwrap();
            let mut gives_up = Box::pin(mutex.lock_owned());
            let mut next = Box::pin(mutex.lock_owned());
            assert!(poll_once(gives_up.as_mut()).is_pending());
            assert!(poll_once(next.as_mut()).is_pending());
            let guard = (!handed_over).then_some(guard);
            drop(gives_up);
            drop(guard);
            assert!(poll_once(next.as_mut()).is_ready());
        }
    }

    #[test]
    fn the_last_share_in_a_lock_may_be_that_of_its_guard_or_of_a_future() {
        let held = Rc::new(());
        let mutex = Rc::new(Mutex::new(held.clone()));
        let guard = mutex.try_lock_owned().unwrap();
        let mut waits = Box::pin(mutex.lock_owned());
        assert!(poll_once(waits.as_mut()).is_pending());
        drop(mutex);
        drop(guard);
        let Poll::Ready(guard) = poll_once(waits.as_mut()) else { panic!("it was its turn") };
        drop(waits);
        assert_eq!(Rc::strong_count(&held), 2);
        drop(guard);
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[test]
    fn a_wake_that_panics_as_an_owned_guard_goes_hands_the_lock_over() {
        let mutex = Rc::new(Mutex::new(0));
        let guard = mutex.try_lock_owned().unwrap();
        let mut next = Box::pin(mutex.lock_owned());
        assert!(poll_with(next.as_mut(), &panicking()).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
        assert!(poll_once(next.as_mut()).is_ready());
        drop(next);
        assert_eq!(Rc::strong_count(&mutex), 1, "a share was lost");
    }

    #[test]
    fn a_leaked_owned_guard_keeps_the_lock_and_an_unsized_value_is_fine() {
        let mutex: Rc<Mutex<[i32]>> = Rc::new(Mutex::new([1, 2, 3]));
        now(mutex.lock_owned()).fill(2);
        crate::kept::forget(now(mutex.lock_owned()));
        assert!(mutex.try_lock().is_none());
        assert!(poll_once(pin!(mutex.lock_owned())).is_pending());
    }
}
