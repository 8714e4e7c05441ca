//! What is in a message, and how much of it.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::time::Duration;

use miniss_linux::Runtime;
use miniss_linux::buf::IOVECS_MAX;
use miniss_linux::net::Udp;
use miniss_tests::sockets::uninterrupted;

use super::{Kind, Peer, pair};
use crate::harness::{errno, settle, soon, with_each_driver};

for_each_kind![
    messages_keep_their_bounds_and_their_order,
    a_message_that_does_not_fit_tells_its_length_and_the_next_is_whole,
    a_message_is_looked_at_and_then_taken,
    a_buffer_without_room_takes_a_message,
    several_buffers_are_one_message,
    very_many_buffers_are_filled_as_far_as_the_kernel_takes_them,
    a_message_of_more_pieces_than_the_kernel_takes_is_refused_whole,
    messages_received_ahead_come_before_others_whichever_way_they_are_received,
    what_was_received_ahead_is_looked_at_and_cut_as_any_other,
    a_socket_is_given_back_with_what_was_received_ahead,
];

async fn messages_keep_their_bounds_and_their_order<K: Kind>() {
    let (ours, peer) = pair::<K>();
    for round in [&b"a"[..], &[b'b'; 5000]] {
        peer.send(round).unwrap();
        peer.send(b"next").unwrap();
        let (result, bytes) = soon(ours.recv(Vec::with_capacity(9000))).await;
        assert_eq!((result.unwrap(), &bytes[..]), (round.len(), round));
        let (received, bytes) = soon(ours.recv_pooled()).await.unwrap();
        assert_eq!((received.len, &bytes[..]), (4, &b"next"[..]));
        assert!(!received.is_truncated());
        // The answer goes the same way.
        assert_eq!(soon(ours.send(round.to_vec())).await.0.unwrap(), round.len());
        let mut answer = [0; 9000];
        assert_eq!(peer.recv(&mut answer).unwrap(), round.len());
    }
}

async fn a_message_that_does_not_fit_tells_its_length_and_the_next_is_whole<K: Kind>() {
    const LEN: usize = 60_000;
    let (ours, peer) = pair::<K>();
    for pooled in [false, true] {
        peer.send(&[b'x'; LEN]).unwrap();
        peer.send(b"next").unwrap();
        let (received, bytes) = match pooled {
            true => soon(ours.recv_pooled()).await.map(|(r, b)| (r, b.to_vec())).unwrap(),
            false => {
                let (result, buffer) = soon(ours.recv_from(vec![0; 1024])).await;
                (result.unwrap(), buffer)
            }
        };
        assert_eq!((received.len, received.len_sent), (bytes.len(), LEN));
        assert!(received.is_truncated() && bytes.iter().all(|&byte| byte == b'x'));
        assert_eq!(&soon(ours.recv_pooled()).await.unwrap().1[..], b"next");
    }
}

async fn a_message_is_looked_at_and_then_taken<K: Kind>() {
    let (ours, peer) = pair::<K>();
    peer.send(b"look").unwrap();
    for room in [0, 2, 9] {
        let (result, buffer) = soon(ours.peek_from(vec![0; room])).await;
        let seen = result.unwrap();
        assert_eq!((seen.len, seen.len_sent), (room.min(4), 4));
        assert_eq!(format!("{:?}", seen.from), format!("{:?}", ours.peer_addr().unwrap()));
        assert_eq!(buffer[..seen.len], b"look"[..seen.len]);
    }
    assert_eq!(soon(ours.recv([0; 4])).await.1, *b"look");
}

async fn a_buffer_without_room_takes_a_message<K: Kind>() {
    let (ours, peer) = pair::<K>();
    peer.send(b"gone").unwrap();
    peer.send(b"next").unwrap();
    let received = soon(ours.recv_from(Vec::new())).await.0.unwrap();
    assert_eq!((received.len, received.len_sent), (0, 4));
    assert_eq!(soon(ours.recv([0; 4])).await.1, *b"next");
}

async fn several_buffers_are_one_message<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let sent = soon(ours.send_vectored(("head", String::new(), b"body"))).await.0;
    assert_eq!(sent.unwrap(), 8);
    let mut message = [0; 16];
    assert_eq!(peer.recv(&mut message).unwrap(), 8);
    peer.send(&message[..8]).unwrap();
    let buffers = [Vec::with_capacity(4), Vec::with_capacity(3)];
    let (result, [head, body]) = soon(ours.recv_from_vectored(buffers)).await;
    let received = result.unwrap();
    assert_eq!((received.len, received.len_sent), (7, 8));
    assert_eq!((&head[..], &body[..]), (&b"head"[..], &b"bod"[..]));
}

async fn very_many_buffers_are_filled_as_far_as_the_kernel_takes_them<K: Kind>() {
    let (ours, peer) = pair::<K>();
    peer.send(&[b'x'; 1500]).unwrap();
    let buffers: Vec<_> = (0..2000).map(|_| Vec::with_capacity(1)).collect();
    let (result, buffers) = soon(ours.recv_from_vectored(buffers)).await;
    let received = result.unwrap();
    assert_eq!((received.len, received.len_sent), (IOVECS_MAX, 1500));
    // The others were not written to, and must not look so.
    let (filled, others) = buffers.split_at(IOVECS_MAX);
    assert!(filled.iter().all(|buffer| buffer == b"x") && others.iter().all(Vec::is_empty));
}

async fn a_message_of_more_pieces_than_the_kernel_takes_is_refused_whole<K: Kind>() {
    let (ours, peer) = pair::<K>();
    let too_many = vec![*b"x"; IOVECS_MAX + 1];
    assert_eq!(errno(soon(ours.send_vectored(too_many)).await.0), libc::EMSGSIZE);
    let mut pieces = vec!["y"; IOVECS_MAX];
    pieces.insert(7, ""); // it takes no place
    assert_eq!(soon(ours.send_vectored(pieces)).await.0.unwrap(), IOVECS_MAX);
    let mut message = [0; 2 * IOVECS_MAX];
    assert_eq!(peer.recv(&mut message).unwrap(), IOVECS_MAX);
}

async fn messages_received_ahead_come_before_others_whichever_way_they_are_received<K: Kind>() {
    let (ours, peer) = pair::<K>();
    for number in 0..60_u8 {
        peer.send(&[number]).unwrap();
        if number % 6 != 5 {
            continue;
        }
        for expected in number - 5..=number {
            let number = match expected % 3 {
                0 => soon(ours.recv_pooled()).await.unwrap().1[0],
                1 => soon(ours.recv([0])).await.1[0],
                _ => soon(ours.recv_from_vectored([[0]])).await.1[0][0],
            };
            assert_eq!(number, expected);
        }
    }
}

async fn what_was_received_ahead_is_looked_at_and_cut_as_any_other<K: Kind>() {
    let (ours, peer) = pair::<K>();
    for message in [&b"first"[..], b"second", b"third"] {
        peer.send(message).unwrap();
    }
    assert_eq!(&soon(ours.recv_pooled()).await.unwrap().1[..], b"first");
    settle().await;
    let (result, buffer) = soon(ours.peek_from([0; 3])).await;
    let seen = result.unwrap();
    assert_eq!((seen.len, seen.len_sent, &buffer), (3, 6, b"sec"));
    let received = soon(ours.recv_from([0; 5])).await.0.unwrap();
    assert_eq!((received.len, received.len_sent), (5, 6));
    assert_eq!(soon(ours.recv([0; 5])).await.1, *b"third");
}

async fn a_socket_is_given_back_with_what_was_received_ahead<K: Kind>() {
    let (ours, peer) = pair::<K>();
    for message in [b"1", b"2", b"3"] {
        peer.send(message).unwrap();
    }
    assert_eq!(&soon(ours.recv_pooled()).await.unwrap().1[..], b"1");
    settle().await;
    let (socket, received) = soon(ours.into_std()).await.unwrap();
    let ours = Peer::from(Into::<OwnedFd>::into(socket));
    let mut all: Vec<u8> = received.iter().map(|(_, message)| message[0]).collect();
    while all.len() < 2 {
        let mut byte = [0];
        ours.recv(&mut byte).unwrap();
        all.push(byte[0]);
    }
    assert_eq!(all, b"23");
    // It waits, as a socket of the standard library does.
    ours.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let error = uninterrupted(|| ours.recv(&mut [0])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_message_comes_also_while_every_buffer_is_held_and_where_none_has_room() {
    for (count, bytes) in [(2, 1024), (2, 64)] {
        with_each_driver(|builder| {
            let builder = builder.shards(1).recv_buffers(count, bytes);
            let runtime: Runtime = builder.build().unwrap();
            runtime.block_on(async {
                let (ours, peer) = pair::<Udp>();
                let mut held = Vec::new();
                for number in 0..12_u8 {
                    peer.send(&[number; 100]).unwrap();
                    let (received, message) = soon(ours.recv_pooled()).await.unwrap();
                    assert_eq!(received.len, 100);
                    held.push(message);
                }
                for (number, message) in held.iter().enumerate() {
                    assert_eq!(message[..], [number as u8; 100]);
                }
            });
        });
    }
}
