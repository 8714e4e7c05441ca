//! Three threads, and channels with room for one: larger than loom has the time for. Where a wake
//! is lost, shuttle finds all threads asleep and says "deadlock".

use std::sync::Arc as Owned;
use std::vec::Vec;

use core::task::{Context, Poll, Waker};

use ::shuttle::future::block_on;
use ::shuttle::thread::{self, JoinHandle};

use super::{Receiver, Sender, bounded};
use crate::prim::explore::explore;

/// What each model runs through; some dozen threads and steps each, so it takes a second or two.
const SCHEDULES: usize = 4_000;

/// A value that is counted.
type Value = Owned<()>;

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn send_in_thread(sender: &Sender<usize>, values: usize) -> JoinHandle<usize> {
    let sender = sender.clone();
    thread::spawn(move || (0..values).filter(|_| block_on(sender.send(1)).is_ok()).count())
}

fn receive_all(receiver: &mut Receiver<usize>) -> usize {
    core::iter::from_fn(|| block_on(receiver.recv())).sum()
}

#[test]
fn shuttle_three_senders_to_one_with_room_for_one() {
    explore(SCHEDULES, three_to_one);
}

fn three_to_one() {
    let (sender, mut receiver) = bounded(1);
    let threads = [(); 3].map(|()| send_in_thread(&sender, 3));
    drop(sender);
    assert_eq!(receive_all(&mut receiver), 9);
    assert_eq!(join(threads), [3; 3]);
}

#[test]
fn shuttle_a_ring_of_three_with_room_for_one_between_any_two() {
    explore(SCHEDULES, ring);
}

/// Each passes on what it gets, until it has gone round twice; more is in it than there is room
/// for, and the end goes round, too.
fn ring() {
    const STEPS: usize = 6;
    let [a, b, c] = [(); 3].map(|()| bounded::<usize>(1));
    let first = a.0.clone();
    let links = [(a.1, b.0), (b.1, c.0), (c.1, a.0)];
    let threads = links.map(|(mut from, to)| {
        thread::spawn(move || {
            let mut seen = 0;
            while let Some(steps) = block_on(from.recv()) {
                seen += 1;
                if steps >= STEPS || block_on(to.send(steps + 1)).is_err() {
                    break;
                }
            }
            seen
        })
    });
    for _ in 0..4 {
        if block_on(first.send(0)).is_err() {
            break;
        }
    }
    drop(first);
    assert!(join(threads).iter().sum::<usize>() >= STEPS);
}

#[test]
fn shuttle_three_that_ask_and_answer_each_other_with_room_for_one() {
    explore(SCHEDULES, asked_and_answered);
}

/// Each sends to both others and receives from them by turns, so that each sleeps at both ends.
fn asked_and_answered() {
    const ROUNDS: usize = 2;
    let ends = [(); 3].map(|()| bounded::<usize>(1));
    let senders = ends.each_ref().map(|(sender, _)| sender.clone());
    let mut me = 0;
    let threads = ends.map(|(_, mut receiver)| {
        let others = [(me + 1) % 3, (me + 2) % 3].map(|other| senders[other].clone());
        me += 1;
        thread::spawn(move || {
            let sending = others.map(|other| send_in_thread(&other, ROUNDS));
            let received: usize = (0..2 * ROUNDS).map(|_| block_on(receiver.recv()).unwrap()).sum();
            assert_eq!(join(sending), [ROUNDS; 2]);
            received
        })
    });
    assert_eq!(join(threads), [2 * ROUNDS; 3]);
}

#[test]
fn shuttle_the_close_amid_three_senders_loses_nothing_and_leaves_no_one_asleep() {
    explore(SCHEDULES, closed_amid);
}

fn closed_amid() {
    let (sender, mut receiver) = bounded(1);
    let threads = [(); 3].map(|()| send_in_thread(&sender, 2));
    let first = block_on(receiver.recv()).unwrap();
    receiver.close();
    let received = first + receive_all(&mut receiver);
    assert_eq!(join(threads).iter().sum::<usize>(), received, "what was sent is received");
}

#[test]
fn shuttle_the_drop_of_the_receiver_amid_three_senders_drops_every_value() {
    explore(SCHEDULES, receiver_dropped_amid);
}

fn receiver_dropped_amid() {
    let (sender, mut receiver) = bounded::<Value>(1);
    let value = Value::new(());
    let threads = [(); 3].map(|()| {
        let (sender, value) = (sender.clone(), value.clone());
        thread::spawn(move || {
            drop(block_on(sender.send(value)));
            // The channel outlives the receiver.
            sender
        })
    });
    block_on(receiver.recv());
    drop(receiver);
    let senders = join(threads);
    assert_eq!(Owned::strong_count(&value), 1, "a value was left behind");
    drop(senders);
}

#[test]
fn shuttle_sends_that_are_given_up_leave_their_turn_to_the_next() {
    explore(SCHEDULES, given_up_amid);
}

/// Polled once, which makes it wait in the list, and dropped: by one while another waits.
fn given_up_amid() {
    let (sender, mut receiver) = bounded(1);
    block_on(sender.send(1)).unwrap();
    let giving_up = [(); 2].map(|()| {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut sending = std::boxed::Box::pin(sender.send(1));
            let mut cx = Context::from_waker(Waker::noop());
            usize::from(matches!(sending.as_mut().poll(&mut cx), Poll::Ready(Ok(()))))
        })
    });
    let waiting = send_in_thread(&sender, 2);
    drop(sender);
    let received = receive_all(&mut receiver);
    let sent = join(giving_up).iter().sum::<usize>() + waiting.join().unwrap();
    assert_eq!(received, 1 + sent);
}

#[test]
fn shuttle_ends_that_go_in_every_order_leave_no_one_asleep() {
    explore(SCHEDULES, ends_in_every_order);
}

/// A sender that has sent goes, one that waits goes, the receiver closes or goes.
fn ends_in_every_order() {
    let (sender, mut receiver) = bounded(1);
    let (goes, waits) = (sender.clone(), sender.clone());
    let threads = [
        thread::spawn(move || usize::from(goes.try_send(1).is_ok())),
        thread::spawn(move || (0..2).filter(|_| block_on(waits.send(1)).is_ok()).count()),
    ];
    let closing = thread::spawn(move || {
        let first = block_on(receiver.recv()).unwrap_or(0);
        receiver.close();
        first + receive_all(&mut receiver)
    });
    drop(sender);
    let sent = join(threads).iter().sum::<usize>();
    assert_eq!(closing.join().unwrap(), sent);
}

// What the models must find out.
crate::prim::bugs! {
    shuttle_without_a_grant_senders_wait_beside_room:
        shuttle_three_senders_to_one_with_room_for_one
        without "mpsc: room that was made is granted" says "deadlock";
    shuttle_without_a_grant_a_ring_stands_still:
        shuttle_a_ring_of_three_with_room_for_one_between_any_two
        without "mpsc: room that was made is granted" says "deadlock";
    shuttle_without_a_successor_a_turn_is_lost:
        shuttle_sends_that_are_given_up_leave_their_turn_to_the_next
        without "mpsc: a turn that is not used goes to the next" says "deadlock";
}
