//! Models, each named for the race it rules out. They run the channel that ships. Where a wake is
//! lost, loom finds all threads asleep and says "deadlock".

use std::boxed::Box;
use std::sync::Arc as Owned;
use std::task::Wake;
use std::vec::Vec;

use core::future::Future;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use ::loom::model::Builder;
use ::loom::sync::{Arc, Notify};
use ::loom::thread;

use super::{Receiver, Sender, TryRecvError, bounded};

/// A value that loom misses if it is leaked, and reports if it is read before it was written.
type Value = Box<u32>;

type Ends = (Kept<Sender<Value>>, Kept<Receiver<Value>>);

/// Not dropped where a model has failed: its drop would use what loom has given up.
struct Kept<T>(ManuallyDrop<T>);

impl<T> Kept<T> {
    fn new(kept: T) -> Self {
        Self(ManuallyDrop::new(kept))
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: it is dropped here only, and not used again.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

struct Thread(Notify);

impl Wake for Thread {
    fn wake(self: Owned<Self>) {
        self.0.notify();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let thread = Owned::new(Thread(Notify::new()));
    let waker = Waker::from(thread.clone());
    let mut future = Kept::new(Box::pin(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread.0.wait(),
        }
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `body` with a channel for `capacity` values, of which `queued` are there.
fn model(capacity: usize, queued: u32, body: impl Fn(Ends) + Send + Sync + 'static) {
    check(Builder::new(), capacity, queued, body);
}

/// The same with three threads, which are stopped midway twice at most.
fn model_of_three(capacity: usize, queued: u32, body: impl Fn(Ends) + Send + Sync + 'static) {
    check(stopped(2), capacity, queued, body);
}

/// Threads are stopped midway that often at most.
fn stopped(times_max: usize) -> Builder {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(times_max);
    builder
}

fn check(
    builder: Builder,
    capacity: usize,
    queued: u32,
    body: impl Fn(Ends) + Send + Sync + 'static,
) {
    builder.check(move || {
        let (sender, receiver) = bounded(capacity);
        (0..queued).for_each(|number| sender.try_send(Box::new(number)).unwrap());
        body((Kept::new(sender), Kept::new(receiver)));
    });
}

fn rest(receiver: &mut Receiver<Value>) -> Vec<u32> {
    core::iter::from_fn(|| receiver.try_recv().ok()).map(|value| *value).collect()
}

fn send_in_thread(
    sender: Kept<Sender<Value>>,
    number: u32,
) -> thread::JoinHandle<Kept<Sender<Value>>> {
    thread::spawn(move || {
        block_on(sender.send(Box::new(number))).unwrap();
        sender
    })
}

#[test]
fn loom_send_against_sleep_wakes() {
    send_against_sleep();
}

fn send_against_sleep() {
    model(1, 0, |(sender, mut receiver)| {
        let sending = send_in_thread(sender, 7);
        assert_eq!(block_on(receiver.recv()).as_deref(), Some(&7));
        drop(sending.join().unwrap());
    });
}

#[test]
fn loom_sends_against_a_receiver_that_sleeps_twice() {
    model(2, 0, |(sender, mut receiver)| {
        let sending = thread::spawn(move || {
            (1..=2).for_each(|number| sender.try_send(Box::new(number)).unwrap());
            sender
        });
        let both = [1, 2].map(|_| *block_on(receiver.recv()).unwrap());
        assert_eq!(both, [1, 2]);
        drop(sending.join().unwrap());
    });
}

#[test]
fn loom_sends_of_two_against_sleep() {
    model_of_three(2, 0, |(sender, mut receiver)| {
        let sending = [1, 2].map(|number| send_in_thread(Kept::new(sender.clone()), number));
        let sum = *block_on(receiver.recv()).unwrap() + *block_on(receiver.recv()).unwrap();
        assert_eq!(sum, 3);
        for sending in sending {
            drop(sending.join().unwrap());
        }
    });
}

#[test]
fn loom_room_against_a_sender_that_sleeps_wakes() {
    room_against_sleep();
}

fn room_against_sleep() {
    model(1, 1, |(sender, mut receiver)| {
        let sending = send_in_thread(sender, 7);
        assert_eq!(receiver.try_recv().as_deref(), Ok(&0));
        drop(sending.join().unwrap());
        assert_eq!(rest(&mut receiver), [7]);
    });
}

#[test]
fn loom_room_for_a_batch_is_found_by_two_that_wait() {
    room_for_a_batch();
}

fn room_for_a_batch() {
    model_of_three(2, 2, |(sender, mut receiver)| {
        let sending = [7, 8].map(|number| send_in_thread(Kept::new(sender.clone()), number));
        let mut values = Vec::new();
        assert_eq!(block_on(receiver.recv_many(&mut values, 2)), 2);
        for sending in sending {
            drop(sending.join().unwrap());
        }
        assert_eq!(rest(&mut receiver).len(), 2);
    });
}

#[test]
fn loom_one_place_is_for_two_senders_in_turn() {
    // With both ends asleep by turns, more than one takes minutes.
    check(stopped(1), 1, 1, |(sender, mut receiver)| {
        let sending = [1, 2].map(|number| send_in_thread(Kept::new(sender.clone()), number));
        let sum: u32 = (0..3).map(|_| *block_on(receiver.recv()).unwrap()).sum();
        assert_eq!(sum, 3);
        for sending in sending {
            drop(sending.join().unwrap());
        }
    });
}

#[test]
fn loom_a_send_dropped_as_it_waits_leaves_its_turn_to_the_next() {
    dropped_send_against_room();
}

fn dropped_send_against_room() {
    model_of_three(1, 1, |(sender, mut receiver)| {
        let other = Kept::new(sender.clone());
        let mut dropped = Kept::new(Box::pin(async move { other.send(Box::new(5)).await }));
        assert!(poll_once(dropped.as_mut()).is_pending());
        let dropping = thread::spawn(move || drop(dropped));
        let receiving = thread::spawn(move || {
            assert_eq!(receiver.try_recv().as_deref(), Ok(&0));
            receiver
        });
        block_on(sender.send(Box::new(7))).unwrap();
        dropping.join().unwrap();
        assert_eq!(rest(&mut receiving.join().unwrap()), [7]);
    });
}

#[test]
fn loom_the_last_sender_s_drop_against_sleep_wakes() {
    last_drop_against_sleep();
}

fn last_drop_against_sleep() {
    model_of_three(1, 0, |(sender, mut receiver)| {
        let other = Kept::new(sender.clone());
        let going = thread::spawn(move || drop(other));
        let sending = thread::spawn(move || sender.try_send(Box::new(7)).unwrap());
        assert_eq!(block_on(receiver.recv()).as_deref(), Some(&7));
        assert_eq!(block_on(receiver.recv()), None);
        going.join().unwrap();
        sending.join().unwrap();
    });
}

#[test]
fn loom_what_is_sent_before_the_close_is_received() {
    model(1, 0, |(sender, mut receiver)| {
        let sending = thread::spawn(move || sender.try_send(Box::new(7)).is_ok());
        receiver.close();
        let received = block_on(receiver.recv()).is_some();
        assert_eq!(sending.join().unwrap(), received);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn loom_the_close_tells_a_sender_that_waits() {
    model(1, 1, |(sender, mut receiver)| {
        let sending = thread::spawn(move || {
            let sent = block_on(sender.send(Box::new(7)));
            assert_eq!(sent.map_err(|back| *back.0), Err(7));
        });
        receiver.close();
        sending.join().unwrap();
        assert_eq!(rest(&mut receiver), [0]);
    });
}

#[test]
fn loom_the_drop_of_the_receiver_tells_a_sender_that_waits() {
    model(1, 1, |(sender, receiver)| {
        let sending = thread::spawn(move || {
            let sent = block_on(sender.send(Box::new(7)));
            assert_eq!(sent.map_err(|back| *back.0), Err(7));
        });
        drop(receiver);
        sending.join().unwrap();
    });
}

#[test]
fn loom_no_value_stays_behind_a_receiver_that_goes() {
    send_against_drop();
}

fn send_against_drop() {
    ::loom::model(|| {
        let (sender, receiver) = bounded(2);
        let (sender, receiver) = (Kept::new(sender), Kept::new(receiver));
        let value = Arc::new(());
        let sending = [Kept::new(sender.clone()), sender].map(|sender| {
            let value = value.clone();
            thread::spawn(move || {
                drop(sender.try_send(value));
                sender
            })
        });
        drop(receiver);
        let senders = sending.map(|sending| sending.join().unwrap());
        assert_eq!(Arc::strong_count(&value), 1, "a value was left behind");
        drop(senders);
    });
}

crate::prim::bugs! {
    without_release_a_value_is_not_there:
        send_against_sleep with "mpsc: publish" as Relaxed says "Causality violation";
    without_acquire_a_value_is_not_there:
        send_against_sleep with "mpsc: is there a value" as Relaxed says "Causality violation";
    without_the_sender_s_fence_it_overlooks_a_receiver_that_sleeps:
        send_against_sleep with "mpsc: a sender looks for the receiver" as AcqRel
        says "deadlock";
    without_the_receiver_s_fence_it_overlooks_a_value:
        send_against_sleep with "mpsc: the receiver goes to sleep" as AcqRel says "deadlock";
    without_the_receiver_s_fence_it_overlooks_a_sender_that_waits:
        room_against_sleep with "mpsc: the receiver looks for senders" as AcqRel
        says "deadlock";
    without_the_sender_s_fence_it_overlooks_room:
        room_against_sleep with "mpsc: a sender goes to sleep" as AcqRel says "deadlock";
    without_release_a_slot_is_free_too_early:
        room_against_sleep with "mpsc: free a slot" as Relaxed says "Causality violation";
    without_acquire_a_slot_is_free_too_early:
        room_against_sleep with "mpsc: is a slot free" as Relaxed says "Causality violation";
    without_release_there_is_room_in_no_slot:
        room_against_sleep with "mpsc: make room" as Relaxed says "A turn is room";
    without_acquire_there_is_room_in_no_slot:
        room_against_sleep with "mpsc: is there room" as Relaxed says "A turn is room";
    without_release_a_turn_has_no_room_that_it_knows:
        room_for_a_batch with "mpsc: claim" as Relaxed says "A turn is room";
    without_acquire_a_turn_has_no_room_that_it_knows:
        room_for_a_batch with "mpsc: what is claimed" as Relaxed says "A turn is room";
    without_the_receiver_s_fence_a_value_stays_behind_it:
        send_against_drop with "mpsc: the receiver goes" as AcqRel
        says "a value was left behind";
}
