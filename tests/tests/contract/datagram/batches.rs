//! Many messages with one call: which were sent, and which came.

use std::io::ErrorKind;
use std::pin::pin;

use miniss_linux::net::{DatagramSocket, Seqpacket, Udp, UdpSocket, Unix};
use miniss_linux::spawn;

use super::{Kind, pair};
use crate::harness::{beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon};

for_each_kind![
    a_batch_is_sent_in_order_and_each_buffer_is_a_message,
    a_batch_that_is_received_is_all_that_is_there_up_to_the_limit,
    a_batch_waits_for_its_first_message_and_one_that_is_dropped_loses_none,
    what_was_received_in_other_ways_and_by_the_batch_keeps_its_order,
    of_a_batch_with_a_message_that_is_too_long_those_before_it_are_sent,
    a_batch_of_a_socket_that_is_closed_is_refused,
];

/// Too long for one message of any kind.
const TOO_LONG: usize = 4 << 20;

/// The next messages, until there are so many.
async fn receive<K: Kind>(ours: &DatagramSocket<K>, count: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let before = messages.len();
        let came = soon(ours.recv_many(&mut messages, count - before)).await.unwrap();
        assert!(came > 0 && came == messages.len() - before);
    }
    messages.iter().map(|(_, bytes)| bytes.to_vec()).collect()
}

async fn a_batch_is_sent_in_order_and_each_buffer_is_a_message<K: Kind>() {
    // More than one system call takes.
    const COUNT: usize = 150;
    let (ours, peer) = pair::<K>();
    let reader = spawn(beside(move || {
        let mut buffer = [0; 400];
        (0..COUNT).all(|at| peer.recv(&mut buffer).unwrap() == at + 1 && buffer[at] == at as u8)
    }));
    let messages: Vec<_> = (0..COUNT).map(|at| vec![at as u8; at + 1]).collect();
    let (result, back) = soon(ours.send_many(messages.clone())).await;
    assert_eq!((result.unwrap(), back), (COUNT, messages));
    assert!(soon(reader).await.unwrap());
    assert_eq!(soon(ours.send_many(Vec::<Vec<u8>>::new())).await.0.unwrap(), 0);
}

async fn a_batch_that_is_received_is_all_that_is_there_up_to_the_limit<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut messages = Vec::new();
    assert_eq!(soon(ours.recv_many(&mut messages, 0)).await.unwrap(), 0);
    for number in 0..6 {
        peer.send(&[number]).unwrap();
    }
    // From here on the kernel receives ahead.
    assert_eq!(soon(ours.recv_many(&mut messages, 1)).await.unwrap(), 1);
    settle().await;
    assert_eq!(soon(ours.recv_many(&mut messages, 3)).await.unwrap(), 3);
    assert_eq!(soon(ours.recv_many(&mut messages, 64)).await.unwrap(), 2);
    let numbers: Vec<_> =
        messages.iter().map(|(received, bytes)| (received.len, bytes[0])).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5].map(|number| (1, number)));
}

async fn a_batch_waits_for_its_first_message_and_one_that_is_dropped_loses_none<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut messages = Vec::new();
    assert!(poll_and_drop(ours.recv_many(&mut messages, 8)).is_pending());
    {
        let mut dropped = pin!(ours.recv_many(&mut messages, 8));
        assert!(poll_once(dropped.as_mut()).is_pending());
        assert_eq!(ours.recv([0; 4]).await.0.unwrap_err().kind(), ErrorKind::ResourceBusy);
        peer.send(b"one").unwrap();
        settle().await;
    }
    assert!(messages.is_empty());
    peer.send(b"two").unwrap();
    assert_eq!(receive(&ours, 2).await, [b"one", b"two"]);
}

async fn what_was_received_in_other_ways_and_by_the_batch_keeps_its_order<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let mut expected = 0;
    for _ in 0..8 {
        for number in 0..7 {
            peer.send(&[expected + number]).unwrap();
        }
        assert_eq!(soon(ours.peek([0; 1])).await.1, [expected]);
        assert_eq!(soon(ours.recv([0; 1])).await.1, [expected]);
        assert_eq!(receive(&ours, 3).await, [1, 2, 3].map(|number| [expected + number]));
        assert_eq!(soon(ours.recv_pooled()).await.unwrap().1[..], [expected + 4]);
        assert_eq!(receive(&ours, 2).await, [5, 6].map(|number| [expected + number]));
        expected += 7;
    }
}

async fn of_a_batch_with_a_message_that_is_too_long_those_before_it_are_sent<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let messages = vec![b"one".to_vec(), b"two".to_vec(), vec![0; TOO_LONG], b"four".to_vec()];
    let (result, mut messages) = soon(ours.send_many(messages)).await;
    assert_eq!(result.unwrap(), 2);
    // Sent again, it says why; and nothing behind it goes.
    messages.drain(..2);
    let (result, mut messages) = soon(ours.send_many(messages)).await;
    assert_eq!(errno(result), libc::EMSGSIZE);
    messages.remove(0);
    assert_eq!(soon(ours.send_many(messages)).await.0.unwrap(), 1);
    let mut buffer = [0; 8];
    for message in [&b"one"[..], b"two", b"four"] {
        let len = peer.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], message);
    }
}

async fn a_batch_of_a_socket_that_is_closed_is_refused<K: Kind>() {
    let (ours, _peer) = pair::<K>();
    soon(ours.close()).await.unwrap();
    assert_eq!(errno(soon(ours.send_many(["a", "b"])).await.0), libc::EBADF);
    assert_eq!(errno(soon(ours.recv_many(&mut Vec::new(), 8)).await), libc::EBADF);
}

/// The peer reads slowly, and a batch is more than it has room for.
async fn a_batch_waits_for_room_and_can_be_given_up<K: Kind>() {
    let (ours, peer) = pair::<K>();
    // A message has 10 KB, so that some twenty fill the way.
    let message = |number: u8| vec![number; 10_000];
    let mut batch = pin!(ours.send_many((0..200).map(message).collect::<Vec<_>>()));
    assert!(poll_once(batch.as_mut()).is_pending());
    let reader = spawn(beside(move || {
        let mut buffer = vec![0; 20_000];
        for number in 0..200 {
            assert_eq!((peer.recv(&mut buffer).unwrap(), buffer[0]), (10_000, number));
        }
        peer
    }));
    assert_eq!(soon(batch).await.0.unwrap(), 200);
    let peer = soon(reader).await.unwrap();
    assert!(poll_and_drop(ours.send_many((0..200).map(message).collect::<Vec<_>>())).is_pending());
    let reader = spawn(beside(move || {
        let mut buffer = vec![0; 20_000];
        let mut next = 0;
        loop {
            let len = peer.recv(&mut buffer).unwrap();
            if len < 10_000 {
                return (next, len);
            }
            assert_eq!((len, buffer[0]), (10_000, next));
            next += 1;
        }
    }));
    // Some went out, the first ones, each whole; and what follows comes behind them.
    soon(ours.send("end")).await.0.unwrap();
    let (went_out, len) = soon(reader).await.unwrap();
    assert!((1..200).contains(&went_out) && len == 3, "{went_out} went out");
}

#[test]
fn a_batch_into_a_full_buffer_waits_for_room() {
    on_each_driver(a_batch_waits_for_room_and_can_be_given_up::<Unix>);
    on_each_driver(a_batch_waits_for_room_and_can_be_given_up::<Seqpacket>);
}

#[test]
fn the_end_of_a_connection_ends_a_batch_once_for_each_call() {
    on_each_driver(async || {
        let (ours, peer) = pair::<Seqpacket>();
        peer.send(b"last").unwrap();
        drop(peer);
        assert_eq!(receive(&ours, 2).await, [&b"last"[..], b""]);
        let mut messages = Vec::new();
        assert_eq!(soon(ours.recv_many(&mut messages, 64)).await.unwrap(), 1);
        assert!(messages[0].1.is_empty());
        assert_eq!(errno(soon(ours.send_many(["late", "later"])).await.0), libc::EPIPE);
    });
}

#[test]
fn messages_of_a_batch_go_each_to_its_address_and_tell_their_senders() {
    on_each_driver(async || {
        let bound = async || UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (ours, first, second) = (bound().await, bound().await, bound().await);
        let [here, one, two] = [&ours, &first, &second].map(|of| of.local_addr().unwrap());
        let (result, _) = soon(ours.send_many_to(["a", "b", "c"], &[one, two, one])).await;
        assert_eq!(result.unwrap(), 3);
        assert_eq!(receive::<Udp>(&first, 2).await, [b"a", b"c"]);
        assert_eq!(receive::<Udp>(&second, 1).await, [b"b"]);
        for (peer, from) in [(&first, one), (&second, two)] {
            assert_eq!(soon(peer.send_many_to([""], &[here])).await.0.unwrap(), 1);
            let mut messages = Vec::new();
            assert_eq!(soon(ours.recv_many(&mut messages, 8)).await.unwrap(), 1);
            assert_eq!(messages[0].0.from, from);
        }
        let error = soon(ours.send_many_to(["a", "b"], &[one])).await.0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // An address of another family is an error of its message.
        let six = "[::1]:9".parse().unwrap();
        assert_eq!(soon(ours.send_many_to(["d", "e"], &[one, six])).await.0.unwrap(), 1);
        assert_eq!(errno(soon(ours.send_many_to(["e"], &[six])).await.0), libc::EAFNOSUPPORT);
        assert_eq!(errno(soon(ours.send_many(["to no one"])).await.0), libc::EDESTADDRREQ);
    });
}

#[test]
fn n11_an_error_is_for_one_receive_and_loses_no_message_of_a_batch() {
    on_each_driver(async || {
        let (ours, peer) = pair::<Udp>();
        let mut messages = Vec::new();
        assert!(poll_and_drop(ours.recv_many(&mut messages, 8)).is_pending());
        settle().await;
        peer.send(b"last words").unwrap();
        settle().await;
        drop(peer);
        // No one is there any more, and the network says so.
        let _ = soon(ours.send_many(["a", "b"])).await;
        settle().await;
        // The kernel tells the error first; but what was received ahead comes before.
        let first = soon(ours.recv_many(&mut messages, 8)).await;
        let second = soon(ours.recv_many(&mut messages, 8)).await;
        let (error, came) = if first.is_err() { (first, second) } else { (second, first) };
        assert_eq!((errno(error), came.unwrap()), (libc::ECONNREFUSED, 1));
        assert_eq!(&messages[0].1[..], b"last words");
        assert!(poll_and_drop(ours.recv_many(&mut messages, 8)).is_pending());
    });
}
