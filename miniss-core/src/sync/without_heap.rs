//! The channels and shared futures in places of their own, as they are used without a heap.

#![forbid(unsafe_code)]

use core::pin::pin;
use core::task::Poll;

use super::broadcast::{Broadcast, RecvError};
use super::channel::{Channel, SendError, TrySendError};
use super::watch::Watch;
use super::{Closed, Shared, SharedCell};
use crate::collections::test_waker::{Counter, now, poll_once, poll_with};
use crate::error::BrokenPromise;

#[test]
fn a_channel() {
    let mut channel = Channel::<char, 2>::new();
    let (sender, mut receiver) = channel.split();
    let other = sender.clone();
    assert_eq!((now(sender.send('a')), other.try_send('b')), (Ok(()), Ok(())));
    assert_eq!(other.try_send('c'), Err(TrySendError::Full('c')));
    let mut waits = pin!(other.send('d'));
    let mut turned_back = pin!(sender.send('e'));
    assert!(poll_once(waits.as_mut()).is_pending());
    assert!(poll_once(turned_back.as_mut()).is_pending());
    assert_eq!(now(receiver.recv()), Some('a'));
    assert_eq!(poll_once(waits), Poll::Ready(Ok(())));
    receiver.close();
    assert_eq!(poll_once(turned_back), Poll::Ready(Err(SendError('e'))));
    assert_eq!((now(receiver.recv()), now(receiver.recv())), (Some('b'), Some('d')));
    assert_eq!(now(receiver.recv()), None);
}

#[test]
fn a_watch() {
    let mut watch = Watch::new(1);
    let (sender, mut receiver) = watch.split();
    let (counter, waker) = Counter::new();
    {
        let mut changed = pin!(receiver.changed());
        assert!(poll_with(changed.as_mut(), &waker).is_pending());
        sender.send(2).unwrap();
        assert_eq!((counter.wakes(), poll_once(changed)), (1, Poll::Ready(Ok(()))));
    }
    drop(sender);
    assert_eq!(now(receiver.changed()), Err(Closed));
    assert_eq!(*receiver.borrow(), 2);
}

#[test]
fn a_broadcast() {
    let mut broadcast = Broadcast::<u32, 2>::new();
    let (sender, mut first) = broadcast.split();
    let mut second = sender.subscribe();
    (0..3).for_each(|i| assert_eq!(sender.send(i), Ok(2)));
    assert_eq!(now(first.recv()), Err(RecvError::Lagged(1)));
    drop(sender);
    for receiver in [&mut first, &mut second] {
        let _lagged = receiver.try_recv();
    }
    assert_eq!((now(first.recv()), now(second.recv())), (Ok(2), Ok(1)));
    assert_eq!((now(first.recv()), now(second.recv())), (Err(RecvError::Closed), Ok(2)));
}

#[test]
fn shared_futures() {
    let mut cell = SharedCell::new();
    let (future, promise) = cell.split();
    let (mut one, mut other) = (pin!(future.wait()), pin!(future.wait()));
    assert!(poll_once(one.as_mut()).is_pending());
    promise.complete(1).unwrap();
    assert_eq!(
        (poll_once(one), poll_once(other.as_mut())),
        (Poll::Ready(Ok(1)), Poll::Ready(Ok(1)))
    );

    let mut broken = SharedCell::<u32>::new();
    let (future, promise) = broken.split();
    drop(promise);
    assert_eq!(now(future.wait()), Err(BrokenPromise));

    let shared = pin!(Shared::new(async { 7 }));
    let shared = shared.as_ref();
    assert_eq!((now(shared.wait()), now(shared.wait())), (7, 7));
}
