//! `[watch]` polled by hand: what is seen, who is woken, and values that call back.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, acting_on_clone, now, panicking, poll_once, poll_with,
};
use crate::kept::forget;
use crate::sync::Closed;
use core::cell::RefCell;
use core::pin::pin;
use core::task::{Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn a_new_receiver_has_seen_the_current_value() {
    let (sender, _first) = channel(1);
    sender.send(2).unwrap();
    let mut second = sender.subscribe();
    assert!(!second.has_changed());
    assert!(poll_once(pin!(second.changed())).is_pending());
    assert_eq!(*second.borrow(), 2);
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let (sender, mut receiver) = channel(1);
    let (counter, waker) = Counter::new();
    {
        let mut changed = pin!(receiver.changed());
        for _ in 0..100 {
            assert!(poll_with(changed.as_mut(), &waker).is_pending());
        }
        assert_eq!(sender.waiters(), 1);
        sender.send(2).unwrap();
        sender.send(3).unwrap();
        assert_eq!(counter.wakes(), 1);
        assert_eq!(poll_once(changed), Poll::Ready(Ok(())));
    }
    assert_eq!(*receiver.borrow(), 3);
    assert!(poll_once(pin!(receiver.changed())).is_pending(), "two changes at once are one");
}

#[test]
fn all_who_wait_are_woken_in_the_order_in_which_they_came() {
    let (sender, mut first) = channel(0);
    let mut second = sender.subscribe();
    let order = Rc::new(RefCell::new(std::vec![]));
    let note = |name| {
        let order = order.clone();
        move || order.borrow_mut().push(name)
    };
    let (mut first, mut second) = (pin!(first.changed()), pin!(second.changed()));
    assert!(poll_with(first.as_mut(), &acting(note(1))).is_pending());
    let (counter, waker) = Counter::new();
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!((order.take().as_slice(), counter.wakes()), (&[1][..], 1));
    assert!(poll_once(first).is_ready() && poll_once(second).is_ready());
}

#[test]
fn a_wait_that_is_dropped_or_leaked_harms_no_one() {
    let (sender, mut receiver) = channel(0);
    let (mut dropped, mut leaked) = (receiver.clone(), receiver.clone());
    let mut dropped = Box::pin(dropped.changed());
    let mut leaked = Box::pin(async move { leaked.changed().await });
    let mut kept = pin!(receiver.changed());
    assert!(poll_once(dropped.as_mut()).is_pending());
    assert!(poll_once(leaked.as_mut()).is_pending());
    assert!(poll_once(kept.as_mut()).is_pending());
    drop(dropped);
    forget(leaked);
    assert_eq!(sender.waiters(), 2);
    sender.send(1).unwrap();
    assert_eq!((sender.waiters(), poll_once(kept)), (0, Poll::Ready(Ok(()))));
}

#[test]
fn dropped_after_it_was_woken_it_has_seen_nothing() {
    let (sender, mut receiver) = channel(0);
    {
        let mut changed = pin!(receiver.changed());
        assert!(poll_once(changed.as_mut()).is_pending());
        sender.send(1).unwrap();
    }
    assert_eq!(now(receiver.changed()), Ok(()));
}

#[test]
fn the_last_value_is_seen_before_the_end() {
    let (sender, mut receiver) = channel(0);
    let other = sender.clone();
    drop(sender);
    other.send(1).unwrap();
    drop(other);
    assert_eq!(now(receiver.changed()), Ok(()));
    assert_eq!(now(receiver.changed()), Err(Closed));
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn who_waits_is_woken_by_the_end() {
    let mut watch = Watch::new(0);
    let (sender, mut receiver) = watch.split();
    let (counter, waker) = Counter::new();
    let mut changed = pin!(receiver.changed());
    assert!(poll_with(changed.as_mut(), &waker).is_pending());
    drop(sender);
    assert_eq!((counter.wakes(), poll_once(changed)), (1, Poll::Ready(Err(Closed))));
}

#[test]
fn each_side_is_closed_when_the_other_is_gone() {
    let (sender, receiver) = channel(0);
    assert!(!sender.is_closed() && !receiver.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    let receiver = sender.subscribe();
    assert!(!sender.is_closed());
    drop(sender);
    assert!(receiver.is_closed());
}

#[test]
fn the_last_receiver_that_goes_is_noticed_also_if_another_comes() {
    let (sender, receiver) = channel(0);
    let (again, kept) = (sender.clone(), Rc::new(RefCell::new(None)));
    let place = kept.clone();
    let (mut first, mut second) = (pin!(sender.closed()), pin!(sender.closed()));
    let subscribe = acting(move || *place.borrow_mut() = Some(again.subscribe()));
    let (counter, waker) = Counter::new();
    assert!(poll_with(first.as_mut(), &subscribe).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    let other = receiver.clone();
    drop(receiver);
    drop(other);
    assert_eq!((sender.receiver_count(), counter.wakes()), (1, 0));
    drop(kept.take());
    assert_eq!(counter.wakes(), 1);
    assert!(poll_once(first).is_ready() && poll_once(second).is_ready());
}

#[test]
fn borrow_is_that_of_the_handles_whatever_traits_are_in_scope() {
    #[expect(
        unused_imports,
        reason = "the method of the handles comes before that of the trait"
    )]
    use std::borrow::Borrow as _;
    let (sender, receiver) = channel(7);
    let sum: i32 = *sender.borrow() + *receiver.borrow();
    assert_eq!(sum, 14);
}

#[test]
fn a_value_can_be_marked_seen_and_unseen() {
    let (sender, mut receiver) = channel(0);
    receiver.mark_changed();
    assert_eq!((receiver.has_changed(), now(receiver.changed())), (true, Ok(())));
    assert!(poll_once(pin!(receiver.changed())).is_pending());
    sender.send(1).unwrap();
    receiver.mark_unchanged();
    assert!(poll_once(pin!(receiver.changed())).is_pending());
    receiver.mark_changed();
    sender.send(2).unwrap();
    assert_eq!(now(receiver.changed()), Ok(()));
    assert!(!receiver.has_changed());
}

#[test]
fn waiting_for_a_condition_passes_over_other_values() {
    let (sender, mut receiver) = channel(0);
    let mut even = pin!(async { receiver.wait_for(|value| *value > 1).await.map(|value| *value) });
    assert!(poll_once(even.as_mut()).is_pending());
    sender.send(1).unwrap();
    assert!(poll_once(even.as_mut()).is_pending());
    sender.send(2).unwrap();
    assert_eq!(poll_once(even), Poll::Ready(Ok(2)));
}

#[test]
fn a_waker_may_change_the_value_and_wait_again() {
    let (sender, receiver) = channel(0);
    let again = sender.clone();
    let mut waits_again = receiver.clone();
    let waker = acting(move || {
        let mut newer = Box::pin(async move {
            waits_again.changed().await.unwrap();
            waits_again.changed().await.unwrap();
        });
        assert!(poll_once(newer.as_mut()).is_pending());
        again.send(2).unwrap();
        assert!(poll_once(newer.as_mut()).is_ready());
    });
    let mut receiver = receiver;
    let mut changed = pin!(receiver.changed());
    assert!(poll_with(changed.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!((sender.waiters(), poll_once(changed)), (0, Poll::Ready(Ok(()))));
}

#[test]
fn a_waker_whose_clone_sends_is_not_forgotten() {
    let (sender, mut receiver) = channel(0);
    let waker = acting_on_clone(move || sender.send(1).unwrap());
    assert_eq!(poll_with(pin!(receiver.changed()), &waker), Poll::Ready(Ok(())));
}

#[test]
fn a_panic_in_a_wake_strands_no_one() {
    let (sender, mut first) = channel(0);
    let mut second = sender.subscribe();
    let (mut first, mut second) = (pin!(first.changed()), pin!(second.changed()));
    let (counter, waker) = Counter::new();
    assert!(poll_with(first.as_mut(), &panicking()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.send(1))).is_err());
    assert_eq!(counter.wakes(), 1);
    assert!(poll_once(first).is_ready() && poll_once(second).is_ready());
}

#[test]
fn a_value_may_change_its_watch_as_it_is_dropped() {
    struct Restores(u32, Option<Sender<Option<Restores>>>);
    impl Drop for Restores {
        fn drop(&mut self) {
            let sender = self.1.take();
            sender.into_iter().for_each(|sender| drop(sender.send_replace(None)));
        }
    }
    let (sender, receiver) = channel(None);
    assert!(sender.send(Some(Restores(1, Some(sender.clone())))).is_ok());
    assert!(sender.send(Some(Restores(2, None))).is_ok());
    assert!(receiver.borrow().as_ref().map(|value| value.0).is_none());
}

#[test]
#[should_panic(expected = "cannot change while it is borrowed")]
fn a_value_that_is_borrowed_cannot_be_changed() {
    let (sender, receiver) = channel(0);
    let _borrow = receiver.borrow();
    let _sent = sender.send(1);
}

#[test]
fn a_change_that_panics_tells_no_one_and_leaves_the_watch_in_order() {
    let (sender, mut receiver) = channel(0);
    let change = || {
        sender.send_modify(|value| {
            *value = 1;
            panic!("half way");
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(change)).is_err());
    assert!(!receiver.has_changed());
    assert!(poll_with(pin!(receiver.changed()), Waker::noop()).is_pending());
    assert_eq!(sender.send_replace(2), 1);
}
