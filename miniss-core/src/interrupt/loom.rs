//! Models, each named for the race it rules out. They run what ships, but for the queue of
//! `heapless`, which loom does not see into. Where a wake is lost, loom finds all threads asleep
//! and says "deadlock".

use std::boxed::Box;
use std::sync::Arc;
use std::task::Wake;

use core::mem::ManuallyDrop;
use core::task::{Context, Poll, Waker};

use ::loom::model::Builder;
use ::loom::sync::Notify;
use ::loom::thread;

use super::receiver::{Reception, sealed::Sealed};
use super::{Queue, Receiver, SharedQueue, Signal, Source};
use crate::prim::UnsafeCell;

/// A value that loom misses if it is leaked, and reports if it is read before it was written.
type Value = Box<u32>;

struct Thread(Notify);

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn recv<S: Source>(receiver: &mut Receiver<S>) -> S::Value {
    let sleeper = Arc::new(Thread(Notify::new()));
    let waker = Waker::from(sleeper.clone());
    loop {
        match receiver.poll_recv(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            // It has woken itself if it found a sender in the middle: let that go on.
            Poll::Pending => {
                sleeper.0.wait();
                thread::yield_now();
            }
        }
    }
}

/// Runs `body` with a source that lasts until it returns, which is when no one has it any more.
fn with<S: Source>(source: S, body: impl FnOnce(&'static S)) {
    let place = Box::into_raw(Box::new(source));
    // SAFETY: it is there until the last line.
    body(unsafe { &*place });
    // SAFETY: it came out of a box, and `body` has joined its threads.
    drop(unsafe { Box::from_raw(place) });
}

/// The receiver of `source`. It is not dropped where a model has failed: that would use what loom
/// has given up.
fn receiving<S: Source, R>(
    source: &'static S,
    body: impl FnOnce(&mut Receiver<S>) -> R,
) -> Option<R> {
    let mut receiver = ManuallyDrop::new(Receiver::claim(source)?);
    let result = body(&mut receiver);
    // SAFETY: it is dropped here only, and not used again.
    unsafe { ManuallyDrop::drop(&mut receiver) };
    Some(result)
}

/// Threads are stopped midway that often at most.
fn stopped(times_max: usize) -> Builder {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(times_max);
    builder
}

#[test]
fn loom_interrupt_send_against_wait_wakes() {
    send_against_wait();
}

fn send_against_wait() {
    Builder::new().check(|| {
        with(SharedQueue::<Value, 2>::new(), |queue| {
            let sending = thread::spawn(|| queue.try_send(Box::new(7)).unwrap());
            assert_eq!(receiving(queue, recv).as_deref(), Some(&7));
            sending.join().unwrap();
        });
    });
}

#[test]
fn loom_interrupt_sends_of_one_against_waits() {
    sends_against_waits();
}

fn sends_against_waits() {
    Builder::new().check(|| {
        with(SharedQueue::<Value, 2>::new(), |queue| {
            let sending = thread::spawn(|| {
                (1..=2).for_each(|number| queue.try_send(Box::new(number)).unwrap());
            });
            let both = receiving(queue, |receiver| [recv(receiver), recv(receiver)]);
            assert_eq!(both.unwrap().map(|value| *value), [1, 2]);
            sending.join().unwrap();
        });
    });
}

#[test]
fn loom_interrupt_sends_of_two_against_waits() {
    stopped(2).check(|| {
        with(SharedQueue::<Value, 2>::new(), |queue| {
            let sending = [1, 2]
                .map(|number| thread::spawn(move || queue.try_send(Box::new(number)).unwrap()));
            let sum = receiving(queue, |receiver| *recv(receiver) + *recv(receiver));
            assert_eq!(sum, Some(3));
            for sending in sending {
                sending.join().unwrap();
            }
        });
    });
}

#[test]
fn loom_interrupt_ends_are_made_once() {
    ends_made_once();
}

fn ends_made_once() {
    Builder::new().check(|| {
        with(Queue::<u32, 2>::new(), |queue| {
            let take = || queue.is_split().then(|| receiving(queue, Receiver::try_recv));
            let sending = thread::spawn(|| queue.try_send(7).is_ok());
            let early = take().flatten().flatten();
            let was_sent = sending.join().unwrap();
            assert_eq!(early.or(take().flatten().flatten()).is_some(), was_sent);
        });
    });
}

#[test]
fn loom_interrupt_one_sends_at_a_time() {
    one_sends_at_a_time();
}

fn one_sends_at_a_time() {
    Builder::new().check(|| {
        with(Queue::<u32, 4>::new(), |queue| {
            let sending = thread::spawn(|| queue.try_send(1).is_ok());
            let sent = [queue.try_send(2).is_ok(), sending.join().unwrap()];
            let received =
                receiving(queue, |receiver| core::iter::from_fn(|| receiver.try_recv()).count());
            let sent = sent.into_iter().filter(|sent| *sent).count();
            assert!(sent > 0 && received == Some(sent));
        });
    });
}

#[test]
fn loom_interrupt_signal_gives_the_last_value() {
    last_value();
}

fn last_value() {
    Builder::new().check(|| {
        with(Signal::<Value>::new(), |signal| {
            let sending = thread::spawn(|| {
                (1..=2).for_each(|number| signal.send(Box::new(number)).unwrap());
            });
            receiving(signal, |receiver| while *recv(receiver) != 2 {}).unwrap();
            sending.join().unwrap();
            assert_eq!(receiving(signal, Receiver::try_recv).flatten(), None);
        });
    });
}

#[test]
fn loom_interrupt_signals_of_two_have_a_slot_each() {
    signals_of_two();
}

fn signals_of_two() {
    stopped(2).check(|| {
        with(Signal::<Value>::new(), |signal| {
            let sending =
                [1, 2].map(|number| thread::spawn(move || signal.send(Box::new(number)).unwrap()));
            let first = receiving(signal, recv).unwrap();
            for sending in sending {
                sending.join().unwrap();
            }
            let second = receiving(signal, Receiver::try_recv).flatten();
            assert!(second.is_none_or(|second| *second == 3 - *first));
        });
    });
}

#[test]
fn loom_interrupt_slots_are_used_again() {
    slots_used_again();
}

fn slots_used_again() {
    stopped(2).check(|| {
        with(Signal::<Value>::new(), |signal| {
            let sending = thread::spawn(|| {
                (1..=3).for_each(|number| signal.send(Box::new(number)).unwrap());
            });
            let take = || receiving(signal, Receiver::try_recv).flatten();
            let taken = [take(), take()].map(|value| value.map(|value| *value));
            assert!(taken[0] < taken[1] || taken[1].is_none());
            sending.join().unwrap();
        });
    });
}

/// Its place is written and read by the one that has the receiver, and loom watches it.
struct Watched {
    place: UnsafeCell<u32>,
    reception: Reception,
}

// SAFETY: *One receiver*.
unsafe impl Sync for Watched {}

impl Source for Watched {
    type Value = u32;
}

impl Sealed<u32> for Watched {
    fn reception(&self) -> &Reception {
        &self.reception
    }

    unsafe fn has_value(&self) -> bool {
        true
    }

    unsafe fn take(&self) -> Option<u32> {
        // SAFETY: *One receiver*.
        self.place.with_mut(|place| unsafe {
            *place += 1;
            Some(*place)
        })
    }
}

#[test]
fn loom_interrupt_two_receivers_take_turns() {
    receivers_take_turns();
}

fn receivers_take_turns() {
    Builder::new().check(|| {
        let watched = Watched { place: UnsafeCell::new(0), reception: Reception::new() };
        with(watched, |watched| {
            let take = || receiving(watched, Receiver::try_recv);
            let taking = thread::spawn(take);
            let took = take();
            let took = [took, taking.join().unwrap()];
            assert!(took.iter().any(Option::is_some));
        });
    });
}

crate::prim::bugs! {
    without_a_look_at_the_word_the_waker_is_left:
        send_against_wait without "interrupt: a sender takes the waker" says "deadlock";
    without_acquire_a_registered_task_overlooks_a_value:
        sends_against_waits with "interrupt: register" as Relaxed says "Causality violation";
    without_release_the_waker_is_not_there:
        send_against_wait with "interrupt: registered" as Relaxed says "Causality violation";
    without_release_the_waker_is_there_twice:
        sends_against_waits with "interrupt: registered late" as Relaxed
        says "Causality violation";
    without_release_a_value_is_overlooked:
        sends_against_waits with "interrupt: wake" as Acquire says "deadlock";
    without_acquire_the_waker_is_not_there:
        send_against_wait with "interrupt: wake" as Release says "Causality violation";
    without_release_the_waker_s_place_is_not_free:
        sends_against_waits with "interrupt: woken" as Relaxed says "Causality violation";
    without_acquire_there_are_two_receivers:
        receivers_take_turns with "interrupt: claim" as Relaxed says "Causality violation";
    without_release_there_are_two_receivers:
        receivers_take_turns with "interrupt: let go" as Relaxed says "Causality violation";
    without_acquire_there_are_two_senders:
        one_sends_at_a_time with "interrupt: begin to send" as Relaxed
        says "Causality violation";
    without_release_there_are_two_senders:
        one_sends_at_a_time with "interrupt: end of a send" as Relaxed
        says "Causality violation";
    without_acquire_the_ends_are_not_there:
        ends_made_once with "interrupt: are there ends" as Relaxed says "Causality violation";
    without_release_the_ends_are_not_there:
        ends_made_once with "interrupt: the ends are there" as Relaxed
        says "Causality violation";
    without_release_the_latest_is_not_there:
        last_value with "interrupt: the latest" as Acquire says "Causality violation";
    without_acquire_the_one_before_is_not_there:
        signals_of_two with "interrupt: the latest" as Release says "Causality violation";
    without_acquire_the_received_is_not_there:
        last_value with "interrupt: take the latest" as Relaxed says "Causality violation";
    without_acquire_a_slot_is_free_too_early:
        slots_used_again with "interrupt: claim a slot" as Relaxed says "Causality violation";
    without_release_a_slot_is_free_too_early:
        slots_used_again with "interrupt: free a slot" as Relaxed says "Causality violation";
}
