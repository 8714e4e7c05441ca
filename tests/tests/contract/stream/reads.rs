//! Reads: what they give, when they wait, and what two at a time do.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::buf::IoBuf;
use miniss_linux::net::Stream;
use miniss_linux::{spawn, yield_now};
use miniss_tests::random::Random;

use super::{Kind, numbered, pair};
use crate::harness::{beside, errno, poll_once, settle, soon};

for_each_kind![
    a_read_gives_what_is_there_and_waits_for_no_more,
    a_read_takes_no_more_than_its_buffer_holds,
    a_read_waits_until_there_is_something,
    a_read_is_woken_by_what_comes_while_the_shard_sleeps,
    a_read_into_no_room_is_zero_at_once_and_takes_nothing,
    a_read_into_a_part_of_a_buffer_leaves_the_rest_alone,
    the_end_of_the_stream_comes_behind_the_last_byte_and_again_and_again,
    the_end_of_the_stream_wakes_a_read_that_waits,
    read_exact_gathers_pieces_until_it_has_all,
    read_exact_says_so_when_the_stream_ends_before,
    a_second_read_is_told_that_there_is_one_and_does_the_first_no_harm,
    recv_gives_a_buffer_of_the_pool_and_an_empty_one_at_the_end,
    recv_keeps_the_bytes_that_came_while_no_one_read,
    the_end_right_behind_the_last_bytes_reaches_every_way_to_read,
    buffers_of_the_pool_outlive_their_stream_and_come_back,
    a_peek_takes_nothing_and_waits_like_a_read,
    a_peek_into_no_room_is_zero_at_once,
    the_ways_to_read_mixed_at_random_keep_the_order_of_the_bytes,
    a_read_gives_its_buffer_back_whatever_happens,
    many_streams_wait_at_once_and_each_gets_what_is_its_own,
    a_stream_that_always_has_something_starves_no_other_task,
    bytes_that_come_one_by_one_are_all_read,
];

async fn a_read_gives_what_is_there_and_waits_for_no_more<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"hello").unwrap();
    let (result, buffer) = soon(ours.read(vec![7; 64])).await;
    assert_eq!((result.unwrap(), &buffer[..]), (5, &b"hello"[..]));
}

async fn a_read_takes_no_more_than_its_buffer_holds<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"hello world").unwrap();
    for piece in [b"hel", b"lo ", b"wor"] {
        let (result, buffer) = soon(ours.read([0; 3])).await;
        assert_eq!((result.unwrap(), &buffer), (3, piece));
    }
    let (result, buffer) = soon(ours.read([0; 3])).await;
    assert_eq!((result.unwrap(), &buffer), (2, b"ld\0"));
}

async fn a_read_waits_until_there_is_something<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let mut read = pin!(ours.read(vec![0; 8]));
    for _ in 0..3 {
        assert!(poll_once(read.as_mut()).is_pending());
        settle().await;
    }
    peer.write_all(b"x").unwrap();
    assert_eq!(soon(read).await.0.unwrap(), 1);
}

async fn a_read_is_woken_by_what_comes_while_the_shard_sleeps<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    for round in 0..20_u8 {
        let sender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(1));
            peer.write_all(&[round]).unwrap();
            peer
        });
        let (result, buffer) = soon(ours.read([0; 4])).await;
        assert_eq!((result.unwrap(), buffer[0]), (1, round));
        peer = sender.join().unwrap();
    }
}

async fn a_read_into_no_room_is_zero_at_once_and_takes_nothing<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    assert_eq!(soon(ours.read(Vec::new())).await.0.unwrap(), 0, "nothing is there");
    peer.write_all(b"kept").unwrap();
    assert_eq!(soon(ours.read(Vec::new())).await.0.unwrap(), 0);
    assert_eq!(soon(ours.read([])).await.0.unwrap(), 0);
    assert_eq!(soon(ours.read_exact([])).await.0.unwrap(), ());
    assert_eq!(soon(ours.read(vec![0; 8])).await.1, b"kept");
}

async fn a_read_into_a_part_of_a_buffer_leaves_the_rest_alone<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"abcdef").unwrap();
    let (result, slice) = soon(ours.read(vec![b'.'; 9].slice(2..5))).await;
    assert_eq!(result.unwrap(), 3);
    assert_eq!(slice.into_inner()[..5], *b"..abc");
    assert_eq!(soon(ours.read(vec![0; 9])).await.1, b"def");
}

async fn the_end_of_the_stream_comes_behind_the_last_byte_and_again_and_again<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"last").unwrap();
    drop(peer);
    assert_eq!(soon(ours.read(vec![0; 8])).await.1, b"last");
    for _ in 0..3 {
        assert_eq!(soon(ours.read(vec![0; 8])).await.0.unwrap(), 0);
        assert!(soon(ours.recv()).await.unwrap().is_empty());
        assert_eq!(soon(ours.read_vectored([[0; 4], [0; 4]])).await.0.unwrap(), 0);
    }
}

async fn the_end_of_the_stream_wakes_a_read_that_waits<K: Kind>() {
    for by_recv in [false, true] {
        let (ours, peer) = pair::<K>();
        let reader = spawn(async move {
            match by_recv {
                true => ours.recv().await.map(|bytes| bytes.len()),
                false => ours.read(vec![0; 8]).await.0,
            }
        });
        settle().await;
        drop(peer);
        assert_eq!(soon(reader).await.unwrap().unwrap(), 0);
    }
}

async fn read_exact_gathers_pieces_until_it_has_all<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let sender = thread::spawn(move || {
        for piece in [&b"ab"[..], b"c", b"def", b"ghij!"] {
            peer.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
        peer
    });
    let (result, buffer) = soon(ours.read_exact(Vec::with_capacity(10))).await;
    result.unwrap();
    assert_eq!(buffer[..10], *b"abcdefghij");
    assert_eq!(soon(ours.read([0; 1])).await.1, *b"!");
    sender.join().unwrap();
}

async fn read_exact_says_so_when_the_stream_ends_before<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"half").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let (result, buffer) = soon(ours.read_exact(vec![0; 8])).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(buffer[..4], *b"half");
    let error = soon(ours.read_exact([0; 1])).await.0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

async fn a_second_read_is_told_that_there_is_one_and_does_the_first_no_harm<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let mut first = pin!(ours.read(vec![0; 8]));
    assert!(poll_once(first.as_mut()).is_pending());
    let busy = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    for _ in 0..2 {
        busy(soon(ours.read(vec![0; 8])).await.0.unwrap_err());
        busy(soon(ours.recv()).await.unwrap_err());
        busy(soon(ours.peek([0; 8])).await.0.unwrap_err());
        busy(soon(ours.read_exact([0; 8])).await.0.unwrap_err());
        busy(soon(ours.read_vectored([[0; 4], [0; 4]])).await.0.unwrap_err());
        settle().await;
    }
    peer.write_all(b"first").unwrap();
    assert_eq!(soon(first).await.1, b"first");
    peer.write_all(b"second").unwrap();
    assert_eq!(soon(ours.read(vec![0; 8])).await.1, b"second");
}

async fn recv_gives_a_buffer_of_the_pool_and_an_empty_one_at_the_end<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"one").unwrap();
    assert_eq!(soon(ours.recv()).await.unwrap()[..], *b"one");
    let mut next = pin!(ours.recv());
    assert!(poll_once(next.as_mut()).is_pending());
    settle().await;
    peer.write_all(b"two").unwrap();
    assert_eq!(soon(next).await.unwrap()[..], *b"two");
    drop(peer);
    for _ in 0..3 {
        assert!(soon(ours.recv()).await.unwrap().is_empty());
    }
}

async fn recv_keeps_the_bytes_that_came_while_no_one_read<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"1").unwrap();
    assert_eq!(soon(ours.recv()).await.unwrap()[..], *b"1");
    let sent = numbered(100_000);
    let rest = sent.clone();
    let sender = thread::spawn(move || peer.write_all(&rest).map(|()| peer));
    settle().await;
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let bytes = soon(ours.recv()).await.unwrap();
        assert!(!bytes.is_empty(), "it has not ended");
        received.extend_from_slice(&bytes);
    }
    assert!(received == sent);
    sender.join().unwrap().unwrap();
}

/// Both are there before the shard looks, and before or after the receive has begun.
async fn the_end_right_behind_the_last_bytes_reaches_every_way_to_read<K: Kind>() {
    for has_begun in [true, false] {
        for by_recv in [true, false] {
            let (ours, mut peer) = pair::<K>();
            let mut recv = Box::pin(ours.recv());
            if has_begun {
                assert!(poll_once(recv.as_mut()).is_pending());
                settle().await;
            }
            peer.write_all(b"last").unwrap();
            drop(peer);
            assert_eq!(soon(recv).await.unwrap()[..], *b"last");
            let end = match by_recv {
                true => soon(ours.recv()).await.map(|bytes| bytes.len()),
                false => soon(ours.read([0; 8])).await.0,
            };
            assert_eq!(end.unwrap(), 0, "begun: {has_begun}, by recv: {by_recv}");
        }
    }
}

async fn buffers_of_the_pool_outlive_their_stream_and_come_back<K: Kind>() {
    for _ in 0..3 {
        let mut kept = Vec::new();
        for number in 0..50_u8 {
            let (ours, mut peer) = pair::<K>();
            peer.write_all(&[number; 3]).unwrap();
            kept.push(soon(ours.recv()).await.unwrap());
        }
        for (bytes, number) in kept.iter().zip(0..) {
            assert_eq!(bytes[..], [number; 3]);
        }
    }
}

async fn a_peek_takes_nothing_and_waits_like_a_read<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let mut peek = pin!(ours.peek([0; 2]));
    assert!(poll_once(peek.as_mut()).is_pending());
    settle().await;
    peer.write_all(b"abc").unwrap();
    assert_eq!(soon(peek).await.1, *b"ab");
    let (result, start) = soon(ours.peek([0; 8])).await;
    assert_eq!((result.unwrap(), &start[..3]), (3, &b"abc"[..]));
    assert_eq!(soon(ours.read(vec![0; 8])).await.1, b"abc");
    drop(peer);
    assert_eq!(soon(ours.peek([0; 8])).await.0.unwrap(), 0);
}

async fn a_peek_into_no_room_is_zero_at_once<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    assert_eq!(soon(ours.peek([])).await.0.unwrap(), 0);
    peer.write_all(b"x").unwrap();
    assert_eq!(soon(ours.peek([])).await.0.unwrap(), 0);
    assert_eq!(soon(ours.read([0])).await.1, *b"x");
}

async fn the_ways_to_read_mixed_at_random_keep_the_order_of_the_bytes<K: Kind>() {
    let mut random = Random::new();
    let (ours, mut peer) = pair::<K>();
    let sent = numbered(300_000);
    let rest = sent.clone();
    let mut pieces = random.clone();
    let sender = thread::spawn(move || {
        let mut rest = &rest[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(1 + pieces.below(4000) as usize));
            peer.write_all(now).unwrap();
            rest = later;
        }
    });
    let mut received = Vec::new();
    while let Some(bytes) = read_somehow(&ours, &mut random).await {
        received.extend_from_slice(&bytes);
    }
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    sender.join().unwrap();
}

/// Some bytes; `None` at the end.
async fn read_somehow<K: Kind>(ours: &Stream<K>, random: &mut Random) -> Option<Vec<u8>> {
    let len = 1 + random.below(3000) as usize;
    let bytes = match random.below(4) {
        0 => soon(ours.recv()).await.unwrap().to_vec(),
        1 => {
            let (result, buffer) = soon(ours.read(Vec::with_capacity(len))).await;
            buffer[..result.unwrap()].to_vec()
        }
        2 => {
            let (result, [first, second]) =
                soon(ours.read_vectored([vec![0; len], vec![0; 7]])).await;
            let mut all = [&first[..], &second[..]].concat();
            all.truncate(result.unwrap());
            all
        }
        _ => {
            let (result, seen) = soon(ours.peek(vec![0; 64])).await;
            let len = result.unwrap();
            let (result, buffer) = soon(ours.read(Vec::with_capacity(len.max(1)))).await;
            assert_eq!(buffer[..result.unwrap()], seen[..len], "a peek saw something else");
            seen[..len].to_vec()
        }
    };
    (!bytes.is_empty()).then_some(bytes)
}

async fn a_read_gives_its_buffer_back_whatever_happens<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    peer.write_all(b"x").unwrap();
    let buffer = Vec::with_capacity(100);
    let memory = buffer.as_ptr();
    let (result, buffer) = soon(ours.read(buffer)).await;
    assert_eq!((result.unwrap(), buffer.as_ptr()), (1, memory));
    ours.close().await.unwrap();
    let (result, buffer) = soon(ours.read(buffer)).await;
    assert_eq!((errno(result), buffer.as_ptr()), (libc::EBADF, memory));
}

async fn many_streams_wait_at_once_and_each_gets_what_is_its_own<K: Kind>() {
    let (readers, peers): (Vec<_>, Vec<_>) = (0..200_u32)
        .map(|number| {
            let (ours, peer) = pair::<K>();
            let read = async move {
                let (result, buffer) = ours.read_exact([0; 4]).await;
                result.unwrap();
                assert_eq!(buffer, number.to_be_bytes());
            };
            (spawn(read), (number, peer))
        })
        .unzip();
    settle().await;
    for (number, mut peer) in peers.into_iter().rev() {
        peer.write_all(&number.to_be_bytes()).unwrap();
    }
    for reader in readers {
        soon(reader).await.unwrap();
    }
}

async fn a_stream_that_always_has_something_starves_no_other_task<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let done = Rc::new(std::cell::Cell::new(false));
    peer.write_all(&[1; 10_000]).unwrap();
    let its_done = done.clone();
    let other = spawn(async move {
        for _ in 0..10 {
            yield_now().await;
        }
        its_done.set(true);
    });
    let mut read = 0;
    while !done.get() && read < 10_000 {
        assert_eq!(soon(ours.read([0; 1])).await.0.unwrap(), 1);
        read += 1;
    }
    assert!(done.get(), "{read} reads, and the other task had no turn");
    soon(other).await.unwrap();
}

async fn bytes_that_come_one_by_one_are_all_read<K: Kind>() {
    let (ours, mut peer) = pair::<K>();
    let sender = spawn(beside(move || {
        for byte in numbered(2000) {
            peer.write_all(&[byte]).unwrap();
        }
    }));
    let mut received = Vec::new();
    while let (Ok(len @ 1..), buffer) = soon(ours.read([0; 3])).await {
        received.extend_from_slice(&buffer[..len]);
    }
    assert!(received == numbered(2000), "{} bytes", received.len());
    soon(sender).await.unwrap();
}
