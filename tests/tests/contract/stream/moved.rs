//! Connections that move: from shard to shard, and back to the standard library.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use miniss_linux::net::{TcpStream, UnixStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, driver_stats, submit_to};
use miniss_tests::alone::{alone, test_name};
use miniss_tests::census::Census;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::sockets::{both_ends, pair, reset_on_close};

/// For the kernel to have done its part.
const A_WHILE: Duration = Duration::from_millis(20);

fn runtime(shards: usize) -> Runtime {
    Runtime::builder().shards(shards).build().unwrap()
}

/// Of a task that no one wakes.
fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn is_pending(future: impl Future) -> bool {
    pin!(future).poll(&mut context()).is_pending()
}

/// Waits until nothing is in flight on this shard.
async fn settled() {
    while driver_stats().in_flight > 0 {
        sleep(Duration::from_micros(100)).await;
    }
}

/// The bytes of a message, each another than its neighbours.
fn message(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Everything up to the end.
async fn read_to_end(stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let part = timeout(SOON, stream.recv()).await.expect("it hangs").unwrap();
        if part.is_empty() {
            return all;
        }
        all.extend_from_slice(&part);
    }
}

#[test]
fn a_connection_goes_from_shard_to_shard_and_no_byte_is_lost_or_doubled() {
    const LEN: usize = 4 << 20;
    let _deadline = deadline("moved");
    // Small buffers, so that the receive pauses, and starts again.
    let runtime = Runtime::builder().shards(2).recv_buffers(64, 256).build().unwrap();
    runtime.block_on(async {
        let (stream, mut peer) = pair();
        let sender = thread::spawn(move || {
            peer.write_all(&message(LEN)).unwrap();
            peer.shutdown(net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            peer.read_to_string(&mut answer).unwrap();
            answer
        });
        let mut all = Vec::new();
        let mut moving = stream.detach().await.unwrap();
        for round in 0..100_usize {
            let visit = async move || {
                let stream = moving.attach().unwrap();
                let part = visit(&stream, round).await;
                (part, stream.detach().await.unwrap())
            };
            let (part, moved) = submit_to(round % 2, visit).await.unwrap();
            all.extend(part);
            moving = moved;
        }
        let stream = moving.attach().unwrap();
        all.extend(read_to_end(&stream).await);
        assert!(all == message(LEN), "{} bytes", all.len());
        stream.write_all("moved").await.0.unwrap();
        drop(stream);
        assert_eq!(sender.join().unwrap(), "moved");
    });
}

/// Reads a little, in one of several ways, and leaves something unread in one of several places.
async fn visit(stream: &TcpStream, round: usize) -> Vec<u8> {
    if round.is_multiple_of(3) {
        let mut read = pin!(stream.read(vec![0; 64]));
        // Most are dropped in flight.
        if let Poll::Ready((len, mut part)) = read.as_mut().poll(&mut context()) {
            part.truncate(len.unwrap());
            return part;
        }
    }
    if round.is_multiple_of(4) {
        sleep(Duration::from_millis(1)).await;
    }
    if round.is_multiple_of(5) {
        let (result, mut part) = stream.read(vec![0; 100]).await;
        part.truncate(result.unwrap());
        return part;
    }
    let part = stream.recv().await.unwrap().to_vec();
    // What is received ahead comes along.
    if round.is_multiple_of(2) {
        sleep(Duration::from_millis(1)).await;
    }
    part
}

#[test]
fn a_write_that_was_dropped_is_waited_for_and_later_ones_come_behind_it() {
    let _deadline = deadline("moved, dropped write");
    runtime(2).block_on(async {
        let (stream, mut peer) = pair();
        // More than fits on the way.
        assert!(is_pending(stream.write_all(message(16 << 20))));
        let moving = stream.detach().await.unwrap();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        submit_to(1, async move || moving.attach().unwrap().write_all("behind").await.0.unwrap())
            .await
            .unwrap();
        let all = reader.join().unwrap();
        let went_out = all.len() - 6;
        assert_eq!(&all[went_out..], b"behind");
        assert!(all[..went_out] == message(16 << 20)[..went_out]);
    });
}

#[test]
fn the_end_and_a_reset_move_along() {
    let _deadline = deadline("moved, ended");
    runtime(1).block_on(async {
        let (stream, mut peer) = pair();
        assert!(is_pending(stream.recv()));
        peer.write_all(b"the end").unwrap();
        drop(peer);
        sleep(A_WHILE).await;
        let stream = stream.detach().await.unwrap().attach().unwrap();
        assert_eq!(read_to_end(&stream).await, b"the end");
        let (stream, peer) = pair();
        assert!(is_pending(stream.recv()));
        reset_on_close(&peer);
        drop(peer);
        sleep(A_WHILE).await;
        // Where the driver receives ahead, it has met the reset.
        let error = match stream.detach().await {
            Ok(moving) => moving.attach().unwrap().recv().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
        // Where no one has met it yet, it is met later.
        let (stream, peer) = pair();
        reset_on_close(&peer);
        drop(peer);
        let stream = stream.detach().await.unwrap().attach().unwrap();
        assert_eq!(stream.recv().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn what_cannot_go_on_elsewhere_is_an_error() {
    let _deadline = deadline("moved, errors");
    runtime(1).block_on(async {
        let (stream, _peer) = pair();
        stream.close().await.unwrap();
        let error = stream.detach().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        // A read that was forgotten may be given bytes that no one could find again.
        let (stream, _peer) = pair();
        {
            let mut read = Box::pin(stream.read(vec![0; 8]));
            assert!(read.as_mut().poll(&mut context()).is_pending());
            mem::forget(read);
        }
        assert_eq!(stream.detach().await.unwrap_err().kind(), ErrorKind::ResourceBusy);
    });
}

#[test]
fn a_connection_on_its_way_is_closed_by_a_drop_and_leaves_nothing_where_it_was() {
    alone(&test_name(), || {
        runtime(2).block_on(async {
            let (here, there) = both_ends().await.unwrap();
            drop((here, there));
            submit_to(1, async || drop(both_ends().await.unwrap())).await.unwrap();
            // What was dropped is closed, and is not counted.
            settled().await;
            submit_to(1, settled).await.unwrap();
            let before = Census::take();
            for round in 0..50 {
                let (stream, mut peer) = pair();
                assert!(is_pending(stream.peer_closed()));
                assert!(is_pending(stream.recv()));
                let moving = stream.detach().await.unwrap();
                match round % 3 {
                    0 => drop(moving),
                    1 => thread::spawn(move || drop(moving)).join().unwrap(),
                    _ => submit_to(1, async move || drop(moving.attach().unwrap())).await.unwrap(),
                }
                assert_eq!(peer.read(&mut [0]).unwrap(), 0);
            }
            before.assert_back();
        });
    });
}

#[test]
fn a_socket_of_the_standard_library_comes_back_with_what_was_not_read() {
    let _deadline = deadline("moved to std");
    runtime(1).block_on(async {
        let (stream, mut peer) = pair();
        assert!(is_pending(stream.recv()));
        peer.write_all(b"one two").unwrap();
        assert_eq!(stream.read_exact([0; 4]).await.1, *b"one ");
        let (mut socket, mut received) = stream.into_std().await.unwrap();
        // What was not received ahead is still in the socket.
        let mut rest = vec![0; 3 - received.len()];
        socket.read_exact(&mut rest).unwrap();
        received.append(&mut rest);
        assert_eq!(received, b"two");
        // It blocks.
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            peer.write_all(b"three").unwrap();
        });
        let mut buffer = [0; 5];
        socket.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer, *b"three");
        late.join().unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        b.write_all("unix").await.0.unwrap();
        let mut received = [0; 4];
        a.into_std().await.unwrap().0.read_exact(&mut received).unwrap();
        assert_eq!(received, *b"unix");
    });
}
