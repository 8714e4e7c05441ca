//! `[mpsc]` polled by hand: order, cancellation, both ends, misbehaving wakers; and on threads.

use super::*;
use crate::collections::test_waker::{Counter, panicking, poll_once, poll_with};
use crate::kept::forget;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::Waker;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

type Sending<'a, T> = Pin<Box<dyn Future<Output = Result<(), SendError<T>>> + Send + 'a>>;

/// A send that has been polled once and waits.
fn waiting<T: Send>(sender: &Sender<T>, value: T) -> Sending<'_, T> {
    let mut sending: Sending<'_, T> = Box::pin(sender.send(value));
    assert!(poll_once(sending.as_mut()).is_pending());
    sending
}

fn drained<T: Send>(receiver: &mut Receiver<T>) -> Vec<T> {
    core::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
fn values_come_in_order_over_many_laps_of_any_capacity() {
    for capacity in 1..6 {
        let (sender, mut receiver) = bounded(capacity);
        let (mut sent, mut received) = (0, 0);
        for round in 0..100 {
            for _ in 0..=round % capacity {
                sent += usize::from(sender.try_send(sent).is_ok());
                assert_eq!(sender.len(), sent - received);
            }
            for _ in 0..round % 3 {
                let value = receiver.try_recv();
                assert_eq!(value.is_ok(), sent > received);
                received += value.map_or(0, |value| usize::from(value == received));
            }
        }
        assert!(sent > 3 * capacity);
        assert_eq!(drained(&mut receiver).len(), sent - received);
    }
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
    assert_eq!(sender.try_send(4), Ok(()), "no one waits any more");
}

#[test]
fn a_batch_wakes_the_receiver_once_and_as_many_senders_as_it_makes_room_for() {
    let (sender, mut receiver) = bounded(2);
    let (counter, waker) = Counter::new();
    assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
    sender.try_send(0).unwrap();
    sender.try_send(1).unwrap();
    assert_eq!(counter.wakes(), 1);
    let wakers = [(); 3].map(|()| Counter::new());
    let mut sends = [2, 3, 4].map(|value| Box::pin(sender.send(value)));
    for (send, (_, waker)) in sends.iter_mut().zip(&wakers) {
        assert!(poll_with(send.as_mut(), waker).is_pending());
    }
    let mut values = Vec::new();
    assert_eq!(poll_once(pin!(receiver.recv_many(&mut values, 8))), Poll::Ready(2));
    assert_eq!(wakers.each_ref().map(|(counter, _)| counter.wakes()), [1, 1, 0]);
    let [first, mut second, mut third] = sends;
    drop(first);
    assert_eq!(wakers[2].0.wakes(), 1, "its turn goes to the next");
    assert_eq!(poll_once(third.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(drained(&mut receiver), [4, 3], "each used its turn when it liked");
}

#[test]
fn a_send_dropped_while_it_waits_has_not_sent() {
    let (sender, mut receiver) = bounded(1);
    let value = Arc::new(());
    sender.try_send(Arc::new(())).unwrap();
    let first = waiting(&sender, value.clone());
    let mut second = waiting(&sender, Arc::new(()));
    drop(first);
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(drained(&mut receiver).len(), 1);
    assert_eq!(poll_once(second.as_mut()), Poll::Ready(Ok(())));
}

#[test]
fn a_send_that_is_leaked_keeps_its_room_and_harms_no_one() {
    let (sender, mut receiver) = bounded(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    forget(waiting(&sender, 3));
    let mut behind = waiting(&sender, 4);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(poll_once(behind.as_mut()).is_pending());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(poll_once(behind.as_mut()), Poll::Ready(Ok(())));
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
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(5)));
    assert!(receiver.poll_recv(&mut cx).is_pending());
    drop(other);
    assert_eq!(counter.wakes(), 2);
    assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(None));
    assert_eq!(poll_once(pin!(receiver.recv_many(&mut Vec::new(), 9))), Poll::Ready(0));
}

#[test]
fn a_receiver_that_goes_drops_what_is_queued_and_gives_back_the_rest() {
    let (sender, receiver) = bounded(1);
    let queued = Arc::new(0);
    sender.try_send(queued.clone()).unwrap();
    let mut sending = waiting(&sender, Arc::new(1));
    drop(receiver);
    assert_eq!(Arc::strong_count(&queued), 1, "what was queued is dropped at once");
    assert_eq!(poll_once(sending.as_mut()), Poll::Ready(Err(SendError(Arc::new(1)))));
    assert_eq!(sender.try_send(Arc::new(2)), Err(TrySendError::Closed(Arc::new(2))));
}

#[test]
fn closing_keeps_what_is_queued_and_turns_back_who_was_granted_room() {
    let (sender, mut receiver) = bounded(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    let (mut granted, mut behind) = (waiting(&sender, 3), waiting(&sender, 4));
    assert_eq!(receiver.try_recv(), Ok(1));
    receiver.close();
    assert_eq!(poll_once(granted.as_mut()), Poll::Ready(Err(SendError(3))));
    assert_eq!(poll_once(behind.as_mut()), Poll::Ready(Err(SendError(4))));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn all_are_told_of_the_end_even_if_a_waker_panics() {
    let (sender, receiver) = bounded(1);
    let queued = Arc::new(());
    sender.try_send(queued.clone()).unwrap();
    let (counter, waker) = Counter::new();
    let mut first = Box::pin(sender.send(Arc::new(())));
    let mut last = Box::pin(sender.send(Arc::new(())));
    assert!(poll_with(first.as_mut(), &panicking()).is_pending());
    assert!(poll_with(last.as_mut(), &waker).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!((counter.wakes(), Arc::strong_count(&queued)), (1, 1));
}

#[test]
fn a_leaked_receiver_leaks_what_is_queued_and_no_more() {
    let (sender, receiver) = bounded(2);
    let value = Arc::new(());
    sender.try_send(value.clone()).unwrap();
    forget(receiver);
    drop(sender);
    assert_eq!(Arc::strong_count(&value), 2);
}

#[test]
#[should_panic(expected = "room for at least one")]
fn there_is_no_channel_without_room() {
    drop(bounded::<u32>(0));
}

/// Polls until it is ready, on a thread with nothing else to do.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Thread(thread::Thread);
    impl std::task::Wake for Thread {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Thread(thread::current())));
    let mut future = pin!(future);
    loop {
        match poll_with(future.as_mut(), &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn each_value_of_four_threads_comes_once_and_in_order() {
    const EACH: usize = 2_000;
    for capacity in [1, 3, 128] {
        let (sender, mut receiver) = bounded(capacity);
        let send = |thread: usize| {
            let sender = sender.clone();
            thread::spawn(move || {
                (0..EACH).for_each(|n| block_on(sender.send((thread, n))).unwrap());
            })
        };
        let threads = [0, 1, 2, 3].map(send);
        drop(sender);
        let mut next = [0; 4];
        while let Some((thread, n)) = block_on(receiver.recv()) {
            assert_eq!(next[thread], n);
            next[thread] += 1;
        }
        assert_eq!(next, [EACH; 4]);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
