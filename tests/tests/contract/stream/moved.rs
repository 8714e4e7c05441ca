//! Connections that move: from shard to shard, and back to the standard library. What was received
//! and not read goes along.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use miniss_linux::net::{Stream, Tcp, Unix};
use miniss_linux::{Builder, Runtime, submit_to};
use miniss_tests::sockets::reset_on_close;

use super::{Kind, Peer, TOO_MUCH, numbered, pair};
use crate::harness::{
    beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon, with_each_driver,
};

for_each_kind![
    bytes_that_were_received_and_not_read_move_along,
    a_write_that_was_dropped_is_waited_for_and_later_ones_come_behind_it,
    the_end_moves_along,
    a_stream_that_was_closed_does_not_move,
    a_stream_goes_to_the_standard_library_with_what_was_not_read,
];

/// Everything up to the end.
async fn read_to_end<K: Kind>(stream: &Stream<K>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let part = soon(stream.recv()).await.unwrap();
        if part.is_empty() {
            return all;
        }
        all.extend_from_slice(&part);
    }
}

async fn bytes_that_were_received_and_not_read_move_along<K: Kind>() {
    // Received ahead into the pool, brought by a read that was dropped, or in the kernel.
    for way in 0..3 {
        let (stream, mut peer) = pair::<K>();
        match way {
            0 => assert!(poll_and_drop(stream.recv()).is_pending()),
            1 => {
                let mut dropped = pin!(stream.read([0; 64]));
                assert!(poll_once(dropped.as_mut()).is_pending());
                peer.write_all(b"ear").unwrap();
                settle().await;
            }
            _ => {}
        }
        peer.write_all(if way == 1 { &b"ly, "[..] } else { &b"early, "[..] }).unwrap();
        settle().await;
        let moving = soon(stream.detach()).await.unwrap();
        peer.write_all(b"late").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let stream = moving.attach().unwrap();
        assert_eq!(read_to_end(&stream).await, b"early, late", "way {way}");
    }
}

async fn a_write_that_was_dropped_is_waited_for_and_later_ones_come_behind_it<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    // More than fits on the way.
    assert!(poll_and_drop(stream.write_all(numbered(8 * TOO_MUCH))).is_pending());
    let stream = soon(stream.detach()).await.unwrap().attach().unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).unwrap();
        all
    });
    soon(stream.write_all("behind")).await.0.unwrap();
    drop(stream);
    let all = beside(move || reader.join().unwrap()).await;
    let went_out = all.len() - 6;
    assert_eq!(&all[went_out..], b"behind");
    assert!(all[..went_out] == numbered(8 * TOO_MUCH)[..went_out]);
}

async fn the_end_moves_along<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    assert!(poll_and_drop(stream.recv()).is_pending());
    peer.write_all(b"the end").unwrap();
    drop(peer);
    settle().await;
    let stream = soon(stream.detach()).await.unwrap().attach().unwrap();
    assert_eq!(read_to_end(&stream).await, b"the end");
    soon(stream.peer_closed()).await.unwrap();
}

async fn a_stream_that_was_closed_does_not_move<K: Kind>() {
    let (stream, _peer) = pair::<K>();
    soon(stream.close()).await.unwrap();
    assert_eq!(errno(soon(stream.detach()).await.map(drop)), libc::EBADF);
}

async fn a_stream_goes_to_the_standard_library_with_what_was_not_read<K: Kind>() {
    let (stream, mut peer) = pair::<K>();
    assert!(poll_and_drop(stream.recv()).is_pending());
    peer.write_all(b"one two").unwrap();
    assert_eq!(soon(stream.read_exact([0; 4])).await.1, *b"one ");
    let (socket, received) = soon(stream.into_std()).await.unwrap();
    let mut socket = Peer::from(Into::<OwnedFd>::into(socket));
    // The kernel has what was not received ahead.
    let mut rest = vec![0; 3 - received.len()];
    socket.read_exact(&mut rest).unwrap();
    assert_eq!([received, rest].concat(), b"two");
    // It blocks.
    let late = beside(move || {
        let mut buffer = [0; 5];
        socket.read_exact(&mut buffer).unwrap();
        buffer
    });
    let write = async {
        settle().await;
        peer.write_all(b"three").unwrap();
    };
    assert_eq!(miniss_linux::combine::when_all((late, write)).await.0, *b"three");
}

#[test]
fn a_reset_moves_along_or_is_the_answer() {
    on_each_driver(async || {
        let (stream, peer) = miniss_tests::sockets::pair();
        assert!(poll_and_drop(stream.recv()).is_pending());
        reset_on_close(&peer);
        drop(peer);
        settle().await;
        // Where the driver receives ahead, it has met the reset.
        let met = match soon(stream.detach()).await {
            Ok(moving) => soon(moving.attach().unwrap().recv()).await.map(drop),
            Err(error) => Err(error),
        };
        assert_eq!(errno(met), libc::ECONNRESET);
        // Where no one has met it yet, it is met later.
        let (stream, peer) = miniss_tests::sockets::pair();
        reset_on_close(&peer);
        drop(peer);
        let stream = soon(stream.detach()).await.unwrap().attach().unwrap();
        assert_eq!(errno(soon(stream.recv()).await), libc::ECONNRESET);
    });
}

/// Two shards, and so small buffers that a receive pauses, and starts again.
fn two_shards(builder: Builder) -> Runtime {
    builder.shards(2).recv_buffers(64, 256).build().unwrap()
}

fn goes_from_shard_to_shard<K: Kind>(builder: Builder) {
    const LEN: usize = 4 << 20;
    two_shards(builder).block_on(async {
        let (stream, mut peer) = pair::<K>();
        let sender = thread::spawn(move || {
            peer.write_all(&numbered(LEN)).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            answer
        });
        let mut all = Vec::new();
        let mut moving = soon(stream.detach()).await.unwrap();
        for round in 0..100_usize {
            let visit = async move || {
                let stream = moving.attach().unwrap();
                let part = visit(&stream, round).await;
                (part, stream.detach().await.unwrap())
            };
            let (part, moved) = soon(submit_to(round % 2, visit)).await.unwrap();
            all.extend(part);
            moving = moved;
        }
        let stream = moving.attach().unwrap();
        all.extend(read_to_end(&stream).await);
        assert!(all == numbered(LEN), "{} bytes", all.len());
        soon(stream.write_all("moved")).await.0.unwrap();
        drop(stream);
        assert_eq!(sender.join().unwrap(), "moved");
    });
}

/// Reads a little, in one of several ways, and leaves something unread in one of several places.
async fn visit<K: Kind>(stream: &Stream<K>, round: usize) -> Vec<u8> {
    if round.is_multiple_of(3) {
        let mut read = pin!(stream.read(vec![0; 64]));
        // Most are dropped in flight.
        if let Poll::Ready((len, mut part)) = poll_once(read.as_mut()) {
            part.truncate(len.unwrap());
            return part;
        }
    }
    if round.is_multiple_of(4) {
        settle().await;
    }
    if round.is_multiple_of(5) {
        let (result, mut part) = stream.read(vec![0; 100]).await;
        part.truncate(result.unwrap());
        return part;
    }
    let part = stream.recv().await.unwrap().to_vec();
    // What is received ahead comes along.
    if round.is_multiple_of(2) {
        settle().await;
    }
    part
}

#[test]
fn a_connection_goes_from_shard_to_shard_and_no_byte_is_lost_or_doubled() {
    with_each_driver(goes_from_shard_to_shard::<Tcp>);
    with_each_driver(goes_from_shard_to_shard::<Unix>);
}

#[test]
fn a_connection_on_its_way_is_closed_by_a_drop_and_leaves_nothing_where_it_was() {
    with_each_driver(|builder| {
        two_shards(builder).block_on(async {
            for round in 0..30 {
                let (stream, mut peer) = pair::<Tcp>();
                assert!(poll_and_drop(stream.peer_closed()).is_pending());
                assert!(poll_and_drop(stream.recv()).is_pending());
                let moving = soon(stream.detach()).await.unwrap();
                match round % 3 {
                    0 => drop(moving),
                    1 => thread::spawn(move || drop(moving)).join().unwrap(),
                    _ => {
                        let attach = async move || drop(moving.attach().unwrap());
                        soon(submit_to(1, attach)).await.unwrap();
                    }
                }
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
            }
        });
    });
}
