//! `[channel]` polled by hand: order, cancellation at every stage, both ends, misbehaving values.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, acting_on_clone, panicking, poll_once, poll_with,
};
use crate::kept::forget;
use core::cell::Cell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec::Vec;

/// A send that has been polled once and waits.
fn waiting<T>(
    sender: &Sender<T>,
    value: T,
) -> Pin<Box<impl Future<Output = Result<(), SendError<T>>>>> {
    let mut sending = Box::pin(sender.send(value));
    assert!(poll_once(sending.as_mut()).is_pending());
    sending
}

fn drained<T>(receiver: &mut Receiver<T>) -> Vec<T> {
    core::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
fn senders_that_wait_are_served_in_the_order_in_which_they_came() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let mut sending: Vec<_> = (1..4).map(|i| waiting(&sender, i)).collect();
    for served in 0..3 {
        assert_eq!(receiver.try_recv(), Ok(served));
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)), "the room is granted");
        for later in &mut sending[1..] {
            assert!(poll_once(later.as_mut()).is_pending());
        }
        assert_eq!(poll_once(sending.remove(0).as_mut()), Poll::Ready(Ok(())));
    }
    assert_eq!(drained(&mut receiver), [3]);
}

#[test]
fn polling_a_hundred_times_registers_one_sender_and_wakes_once() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let (counter, waker) = Counter::new();
    let mut sending = pin!(sender.send(1));
    for _ in 0..100 {
        assert!(poll_with(sending.as_mut(), &waker).is_pending());
    }
    assert_eq!(sender.queue.room().waiters(), 1);
    assert_eq!((receiver.try_recv(), counter.wakes()), (Ok(0), 1));
}

#[test]
fn polling_a_hundred_times_wakes_the_receiver_once() {
    let (sender, mut receiver) = bounded(2);
    let (counter, waker) = Counter::new();
    let mut receiving = pin!(receiver.recv());
    for _ in 0..100 {
        assert!(poll_with(receiving.as_mut(), &waker).is_pending());
    }
    sender.try_send('a').unwrap();
    sender.try_send('b').unwrap();
    assert_eq!(counter.wakes(), 1);
    assert_eq!(poll_once(receiving), Poll::Ready(Some('a')));
}

#[test]
fn a_send_dropped_while_it_waits_has_not_sent() {
    let (sender, mut receiver) = bounded(1);
    let value = Rc::new(());
    sender.try_send(Rc::new(())).unwrap();
    let first = waiting(&sender, value.clone());
    let mut second = waiting(&sender, Rc::new(()));
    drop(first);
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(drained(&mut receiver).len(), 1);
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(())));
}

#[test]
fn a_send_dropped_after_it_was_granted_room_hands_it_on() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let first = waiting(&sender, 1);
    let (counter, waker) = Counter::new();
    let mut second = Box::pin(sender.send(2));
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert_eq!((receiver.try_recv(), counter.wakes()), (Ok(0), 0));
    drop(first);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn a_permit_that_is_dropped_hands_its_room_on() {
    let (sender, mut receiver) = bounded(1);
    let Poll::Ready(Ok(permit)) = poll_once(pin!(sender.reserve())) else { panic!("no room") };
    let mut sending = waiting(&sender, 'b');
    drop(permit);
    assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok('b'));
}

#[test]
fn room_can_be_reserved_at_once_unless_others_wait_for_it() {
    let (sender, mut receiver) = bounded(1);
    let permit = sender.try_reserve().unwrap();
    let mut sending = waiting(&sender, 'b');
    assert_eq!(permit.send('a'), Ok(()));
    assert_eq!(receiver.try_recv(), Ok('a'));
    assert_eq!(sender.try_reserve().err(), Some(TrySendError::Full(())), "the room is granted");
    assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Ok(())));
    receiver.close();
    assert_eq!(sender.try_reserve().err(), Some(TrySendError::Closed(())));
}

#[test]
fn the_end_is_told_to_all_who_wait_for_it_even_if_a_waker_panics() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send('a').unwrap();
    let other = sender.clone();
    let [(first, first_waker), (last, last_waker)] = [Counter::new(), Counter::new()];
    let (mut closed, mut again) = (pin!(sender.closed()), pin!(other.closed()));
    let mut sending = Box::pin(sender.send('b'));
    for _ in 0..100 {
        assert!(poll_with(closed.as_mut(), &first_waker).is_pending());
    }
    assert!(poll_with(again.as_mut(), &last_waker).is_pending());
    assert!(poll_with(sending.as_mut(), &panicking()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.close())).is_err());
    assert_eq!((first.wakes(), last.wakes()), (1, 1));
    assert!(poll_once(closed).is_ready() && poll_once(again).is_ready());
    assert!(poll_once(pin!(sender.closed())).is_ready(), "and who comes later");
    assert_eq!(receiver.try_recv(), Ok('a'));
}

#[test]
fn a_receiver_that_waits_is_told_of_an_abort_even_if_a_senders_waker_panics() {
    let (sender, mut receiver) = bounded(1);
    let permit = sender.try_reserve().unwrap();
    let mut sending = Box::pin(sender.send('b'));
    assert!(poll_with(sending.as_mut(), &panicking()).is_pending());
    let (counter, waker) = Counter::new();
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.abort())).is_err());
    assert_eq!(counter.wakes(), 1);
    drop(permit);
}

#[test]
fn a_send_that_is_leaked_keeps_its_room_and_harms_no_one() {
    let (sender, mut receiver) = bounded(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    forget(waiting(&sender, 3));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.try_send(4), Ok(()));
}

#[test]
fn the_last_sender_to_go_ends_it_after_what_is_queued() {
    let (sender, mut receiver) = bounded(2);
    let other = sender.clone();
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    drop(sender);
    assert_eq!((counter.wakes(), receiver.is_closed()), (0, false));
    other.try_send(5).unwrap();
    drop(other);
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(5)));
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(None));
}

#[test]
fn a_receiver_that_waits_is_woken_by_the_end() {
    let (sender, mut receiver) = unbounded::<u32>();
    let (counter, waker) = Counter::new();
    let mut receiving = pin!(receiver.recv());
    assert!(poll_with(receiving.as_mut(), &waker).is_pending());
    drop(sender);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(poll_once(receiving), Poll::Ready(None));
}

#[test]
fn a_receiver_that_goes_gives_the_values_back() {
    let (sender, receiver) = bounded(1);
    let queued = Rc::new(0);
    sender.try_send(queued.clone()).unwrap();
    let mut sending = waiting(&sender, Rc::new(1));
    drop(receiver);
    assert_eq!(Rc::strong_count(&queued), 1, "what was queued is dropped at once");
    assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Err(SendError(Rc::new(1)))));
    assert_eq!(sender.try_send(Rc::new(2)), Err(TrySendError::Closed(Rc::new(2))));
}

#[test]
fn closing_keeps_what_is_queued_and_turns_back_who_was_granted_room() {
    let (sender, mut receiver) = bounded(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    let mut granted = waiting(&sender, 3);
    assert_eq!(receiver.try_recv(), Ok(1));
    receiver.close();
    assert_eq!(poll_once(granted.as_mut()), Poll::Ready(Err(SendError(3))));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn an_abort_by_a_sender_ends_both_sides() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send('a').unwrap();
    let mut sending = waiting(&sender, 'b');
    sender.abort();
    assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Err(SendError('b'))));
    assert_eq!(poll_once(pin!(receiver.recv())), Poll::Ready(None));
}

#[test]
fn a_fixed_channel_can_be_split_again() {
    let mut channel = Channel::<u32, 2>::new();
    let (sender, receiver) = channel.split();
    sender.try_send(1).unwrap();
    forget(receiver);
    drop(sender);
    let (sender, mut receiver) = channel.split();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.try_send(2).unwrap();
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn a_waker_may_send_and_one_that_panics_does_not_unsend() {
    let (sender, mut receiver) = bounded(2);
    let again = sender.clone();
    let waker = acting(move || again.try_send(2).unwrap());
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    sender.try_send(1).unwrap();
    assert_eq!(drained(&mut receiver), [1, 2]);
    assert!(receiver.poll_recv(&mut Context::from_waker(&panicking())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.try_send(3))).is_err());
    assert_eq!(drained(&mut receiver), [3]);
}

#[test]
fn a_waker_whose_clone_sends_is_not_forgotten() {
    let (sender, mut receiver) = bounded(1);
    let waker = acting_on_clone(move || sender.try_send(7).unwrap());
    let polled = receiver.poll_recv(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Ready(Some(7)));
}

/// A value that calls back as it is dropped.
struct CallsBack(Sender<Option<CallsBack>>, Rc<Cell<u32>>);

impl Drop for CallsBack {
    fn drop(&mut self) {
        assert!(matches!(self.0.try_send(None), Err(TrySendError::Closed(None))));
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn a_value_may_call_back_as_it_is_dropped() {
    let (sender, mut receiver) = bounded(3);
    let dropped = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let value = CallsBack(sender.clone(), dropped.clone());
        assert!(sender.try_send(Some(value)).is_ok());
    }
    receiver.abort();
    assert_eq!(dropped.get(), 3);
}

struct PanicsOnce(Rc<Cell<u32>>);

impl Drop for PanicsOnce {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        assert_ne!(self.0.get(), 1, "the first drop panics");
    }
}

#[test]
fn a_value_that_panics_as_it_is_dropped_takes_no_other_with_it() {
    let (sender, mut receiver) = bounded(3);
    let dropped = Rc::new(Cell::new(0));
    (0..3).for_each(|_| assert!(sender.try_send(PanicsOnce(dropped.clone())).is_ok()));
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.abort())).is_err());
    assert!(receiver.is_closed());
    drop((sender, receiver));
    assert_eq!(dropped.get(), 3);
}

#[test]
fn a_waker_that_panics_does_not_save_what_an_abort_drops() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send('a').unwrap();
    let mut sending = Box::pin(sender.send('b'));
    assert!(poll_with(sending.as_mut(), &panicking()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.abort())).is_err());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(poll_with(sending.as_mut(), Waker::noop()), Poll::Ready(Err(SendError('b'))));
}

#[test]
fn values_without_a_size_are_counted_like_others() {
    let (sender, mut receiver) = unbounded::<()>();
    for _ in 0..10_000 {
        sender.try_send(()).unwrap();
    }
    assert_eq!(receiver.len(), 10_000);
    let received = core::iter::from_fn(|| receiver.try_recv().ok()).count();
    assert_eq!(received, 10_000);
}
