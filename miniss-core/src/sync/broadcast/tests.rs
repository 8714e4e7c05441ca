//! `[broadcast]` polled by hand: who sees what, who lags, and values that misbehave.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, acting_on_clone, now, panicking, poll_once, poll_with,
};
use crate::kept::forget;
use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn each_receiver_sees_what_was_sent_after_it_subscribed() {
    let (sender, mut early) = channel(4);
    sender.send(1).unwrap();
    let mut late = sender.subscribe();
    assert_eq!(sender.send(2), Ok(2));
    assert_eq!((early.try_recv(), early.try_recv()), (Ok(1), Ok(2)));
    assert_eq!((late.try_recv(), late.try_recv()), (Ok(2), Err(TryRecvError::Empty)));
}

#[test]
fn a_slow_receiver_lags_alone_and_goes_on_at_the_oldest_kept() {
    let (sender, mut slow) = channel(2);
    let mut fast = slow.clone();
    for i in 0..5 {
        sender.send(i).unwrap();
        assert_eq!(fast.try_recv(), Ok(i));
    }
    assert_eq!(now(slow.recv()), Err(RecvError::Lagged(3)));
    assert_eq!((now(slow.recv()), now(slow.recv())), (Ok(3), Ok(4)));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let mut broadcast = Broadcast::<u32, 2>::new();
    let (sender, mut receiver) = broadcast.split();
    let (counter, waker) = Counter::new();
    let mut receiving = pin!(receiver.recv());
    for _ in 0..100 {
        assert!(poll_with(receiving.as_mut(), &waker).is_pending());
    }
    assert_eq!(sender.waiters(), 1);
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!((counter.wakes(), poll_once(receiving)), (1, Poll::Ready(Ok(1))));
}

#[test]
fn all_who_wait_are_woken_in_the_order_in_which_they_came() {
    let (sender, mut first) = channel(2);
    let mut second = sender.subscribe();
    let order = Rc::new(RefCell::new(std::vec![]));
    let (counter, waker) = Counter::new();
    let note = {
        let (order, counter) = (order.clone(), counter.clone());
        acting(move || order.borrow_mut().push(counter.wakes()))
    };
    let (mut first, mut second) = (pin!(first.recv()), pin!(second.recv()));
    assert!(poll_with(first.as_mut(), &note).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    sender.send('a').unwrap();
    assert_eq!((order.take().as_slice(), counter.wakes()), (&[0][..], 1));
    assert_eq!(poll_once(first), Poll::Ready(Ok('a')));
    assert_eq!(poll_once(second), Poll::Ready(Ok('a')));
}

#[test]
fn a_wait_that_is_dropped_loses_nothing_and_a_leaked_one_harms_no_one() {
    let (sender, mut receiver) = channel(2);
    let mut leaked = receiver.clone();
    let mut leaked = Box::pin(async move { leaked.recv().await });
    assert!(poll_once(leaked.as_mut()).is_pending());
    forget(leaked);
    {
        let mut dropped = pin!(receiver.recv());
        assert!(poll_once(dropped.as_mut()).is_pending());
        sender.send(1).unwrap();
    }
    assert_eq!(sender.waiters(), 0);
    assert_eq!(now(receiver.recv()), Ok(1));
}

#[test]
fn what_was_sent_is_received_before_the_end() {
    let (sender, mut receiver) = channel(2);
    let other = sender.clone();
    drop(sender);
    other.send(1).unwrap();
    drop(other);
    assert_eq!(now(receiver.recv()), Ok(1));
    assert_eq!(now(receiver.recv()), Err(RecvError::Closed));
}

#[test]
fn who_waits_is_woken_by_the_end() {
    let (sender, mut receiver) = channel::<u32>(2);
    let (counter, waker) = Counter::new();
    let mut receiving = pin!(receiver.recv());
    assert!(poll_with(receiving.as_mut(), &waker).is_pending());
    drop(sender);
    assert_eq!((counter.wakes(), poll_once(receiving)), (1, Poll::Ready(Err(RecvError::Closed))));
}

#[test]
fn values_go_with_the_last_receiver() {
    let (sender, receiver) = channel(2);
    let value = Rc::new(());
    sender.send(value.clone()).unwrap();
    let second = receiver.clone();
    drop(receiver);
    assert_eq!(Rc::strong_count(&value), 2);
    drop(second);
    assert_eq!(Rc::strong_count(&value), 1);
    let mut late = sender.subscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn each_side_is_closed_when_the_other_is_gone() {
    let (sender, receiver) = channel::<u32>(1);
    assert!(!sender.is_closed() && !receiver.is_closed());
    let (counter, waker) = Counter::new();
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    drop(receiver);
    assert_eq!((counter.wakes(), sender.is_closed()), (1, true));
    assert!(poll_once(closed.as_mut()).is_ready());
    let receiver = sender.subscribe();
    assert!(!sender.is_closed());
    drop(closed);
    drop(sender);
    assert!(receiver.is_closed());
}

#[test]
fn that_no_one_receives_any_more_is_told_even_if_a_value_panics_as_it_goes() {
    struct Panics(bool);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "a drop that panics");
        }
    }
    let (sender, receiver) = channel(1);
    assert!(sender.send(Rc::new(Panics(true))).is_ok());
    let (counter, waker) = Counter::new();
    let mut closed = pin!(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!((counter.wakes(), poll_once(closed)), (1, Poll::Ready(())));
}

#[test]
fn the_length_is_what_can_still_be_received() {
    let (sender, mut receiver) = channel(2);
    (0..5).for_each(|i| assert_eq!(sender.send(i), Ok(1)));
    assert_eq!((receiver.len(), sender.subscribe().len()), (2, 0));
    assert_eq!((receiver.try_recv(), receiver.len()), (Err(TryRecvError::Lagged(3)), 2));
    assert_eq!((receiver.try_recv(), receiver.len()), (Ok(3), 1));
    assert_eq!((receiver.try_recv(), receiver.is_empty()), (Ok(4), true));
}

#[test]
fn a_waker_may_send_and_receive_in_turn() {
    let (sender, mut receiver) = channel(4);
    let (again, mut other) = (sender.clone(), sender.subscribe());
    let seen = Rc::new(Cell::new(0));
    let sees = seen.clone();
    let waker = acting(move || {
        again.send(2).unwrap();
        sees.set(other.try_recv().unwrap() + 10 * other.try_recv().unwrap());
    });
    let mut receiving = pin!(receiver.recv());
    assert!(poll_with(receiving.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!((seen.get(), poll_once(receiving)), (21, Poll::Ready(Ok(1))));
}

#[test]
fn a_waker_whose_clone_sends_is_not_forgotten() {
    let (sender, mut receiver) = channel(1);
    let waker = acting_on_clone(move || assert_eq!(sender.send(7), Ok(1)));
    assert_eq!(poll_with(pin!(receiver.recv()), &waker), Poll::Ready(Ok(7)));
}

#[test]
fn a_panic_in_a_wake_strands_no_one() {
    let (sender, mut first) = channel(1);
    let mut second = sender.subscribe();
    let (mut first, mut second) = (pin!(first.recv()), pin!(second.recv()));
    assert!(poll_with(first.as_mut(), &panicking()).is_pending());
    assert!(poll_once(second.as_mut()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.send(1))).is_err());
    assert_eq!(poll_once(first), Poll::Ready(Ok(1)));
    assert_eq!(poll_once(second), Poll::Ready(Ok(1)));
}

type Hook = Rc<RefCell<Option<Box<dyn Fn()>>>>;

struct Hooked(Hook);

impl Clone for Hooked {
    fn clone(&self) -> Self {
        self.0.borrow().iter().for_each(|act| act());
        Self(self.0.clone())
    }
}

#[test]
fn a_clone_that_panics_loses_nothing() {
    let hook = Hook::default();
    let (sender, mut receiver) = channel(1);
    sender.send(Hooked(hook.clone())).unwrap();
    *hook.borrow_mut() = Some(Box::new(|| panic!("cannot be cloned now")));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver.try_recv()))).is_err());
    hook.take();
    assert!(receiver.try_recv().is_ok());
    sender.send(Hooked(hook)).unwrap();
}

#[test]
fn a_clone_may_receive() {
    let hook = Hook::default();
    let (sender, mut receiver) = channel(2);
    sender.send(Hooked(Hook::default())).unwrap();
    let other = RefCell::new(receiver.clone());
    sender.send(Hooked(hook.clone())).unwrap();
    *hook.borrow_mut() = Some(Box::new(move || assert!(other.borrow_mut().try_recv().is_ok())));
    assert!(receiver.try_recv().is_ok());
    assert!(receiver.try_recv().is_ok());
    hook.take();
}

#[test]
#[should_panic(expected = "cannot send while a value is cloned")]
fn a_clone_may_not_send() {
    let hook = Hook::default();
    let (sender, mut receiver) = channel(2);
    sender.send(Hooked(hook.clone())).unwrap();
    *hook.borrow_mut() =
        Some(Box::new(move || assert!(sender.send(Hooked(Hook::default())).is_ok())));
    drop(receiver.try_recv());
}

#[test]
fn the_value_that_has_to_go_may_send_as_it_is_dropped() {
    struct Sends(Option<Rc<Sender<Option<Rc<Sends>>>>>);
    impl Drop for Sends {
        fn drop(&mut self) {
            let sender = self.0.take();
            sender.into_iter().for_each(|sender| assert!(sender.send(None).is_ok()));
        }
    }
    let (sender, mut receiver) = channel(1);
    let sender = Rc::new(sender);
    assert!(sender.send(Some(Rc::new(Sends(Some(sender.clone()))))).is_ok());
    assert!(sender.send(Some(Rc::new(Sends(None)))).is_ok());
    assert!(matches!(receiver.try_recv(), Err(TryRecvError::Lagged(2))));
    assert!(matches!(receiver.try_recv(), Ok(None)));
}

#[test]
fn who_receives_inside_of_a_wake_waits_for_the_next_value() {
    let (sender, mut receiver) = channel(2);
    let receives = async move {
        loop {
            receiver.recv().await.unwrap();
        }
    };
    let receives: Rc<RefCell<core::pin::Pin<Box<dyn Future<Output = ()>>>>> =
        Rc::new(RefCell::new(Box::pin(receives)));
    let (counter, waker) = Counter::new();
    let again = receives.clone();
    let at_once =
        acting(move || assert!(poll_with(again.borrow_mut().as_mut(), &waker).is_pending()));
    assert!(poll_with(receives.borrow_mut().as_mut(), &at_once).is_pending());
    sender.send(1).unwrap();
    assert_eq!(counter.wakes(), 0, "it has had that");
    sender.send(2).unwrap();
    assert_eq!(counter.wakes(), 1);
}
