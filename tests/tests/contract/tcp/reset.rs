//! Connections that the peer resets.

use std::io::Write;
use std::net::Shutdown;
use std::pin::pin;

use miniss_linux::net::TcpStream;
use miniss_linux::spawn;
use miniss_tests::sockets::{blocking_pair, pair, reset_on_close, shrink_buffers};

use crate::harness::{errno, on_each_driver, poll_once, settle, soon};

#[test]
fn a_reset_reaches_a_reader_that_waits_once_and_then_it_is_the_end() {
    on_each_driver(async || {
        for by_recv in [false, true] {
            let (ours, peer) = pair();
            let reader = spawn(async move {
                let result = match by_recv {
                    true => ours.recv().await.map(|bytes| bytes.len()),
                    false => ours.read(vec![0; 8]).await.0,
                };
                (result, ours)
            });
            settle().await;
            reset_on_close(&peer);
            drop(peer);
            let (result, ours) = soon(reader).await.unwrap();
            assert_eq!(errno(result), libc::ECONNRESET, "by recv: {by_recv}");
            assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
        }
    });
}

#[test]
fn a_reset_reaches_a_reader_that_comes_later() {
    on_each_driver(async || {
        let (ours, peer) = pair();
        reset_on_close(&peer);
        drop(peer);
        settle().await;
        assert_eq!(errno(soon(ours.read([0; 8])).await.0), libc::ECONNRESET);
    });
}

#[test]
fn a_reset_is_not_lost_with_a_read_that_was_dropped() {
    on_each_driver(async || {
        let (ours, peer) = pair();
        {
            let mut read = pin!(ours.read(vec![0; 8]));
            assert!(poll_once(read.as_mut()).is_pending());
            settle().await;
            reset_on_close(&peer);
            drop(peer);
            settle().await;
        }
        assert_eq!(errno(soon(ours.read([0; 8])).await.0), libc::ECONNRESET);
        assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
    });
}

#[test]
fn bytes_that_were_received_before_a_reset_are_read() {
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let mut received = pin!(ours.recv());
        assert!(poll_once(received.as_mut()).is_pending());
        settle().await;
        peer.write_all(b"last words").unwrap();
        assert_eq!(soon(received).await.unwrap()[..], *b"last words");
        reset_on_close(&peer);
        drop(peer);
        assert_eq!(errno(soon(ours.recv()).await), libc::ECONNRESET);
        assert!(soon(ours.recv()).await.unwrap().is_empty());
    });
}

#[test]
fn a_reset_right_behind_the_last_bytes_reaches_every_way_to_read() {
    on_each_driver(async || {
        for has_begun in [true, false] {
            for by_recv in [true, false] {
                let (ours, mut peer) = pair();
                let mut recv = Box::pin(ours.recv());
                if has_begun {
                    assert!(poll_once(recv.as_mut()).is_pending());
                    settle().await;
                }
                peer.write_all(b"last").unwrap();
                reset_on_close(&peer);
                drop(peer);
                // Both are there now.
                assert_eq!(soon(recv).await.unwrap()[..], *b"last");
                let end = match by_recv {
                    true => soon(ours.recv()).await.map(|bytes| bytes.len()),
                    false => soon(ours.read([0; 8])).await.0,
                };
                let errno = errno(end);
                assert_eq!(errno, libc::ECONNRESET, "begun: {has_begun}, by recv: {by_recv}");
            }
        }
    });
}

#[test]
fn n3_a_reset_in_the_middle_of_a_write_is_an_error_and_later_ones_are_broken_pipes() {
    on_each_driver(async || {
        let (ours, peer) = blocking_pair();
        shrink_buffers(&ours);
        let ours = std::rc::Rc::new(TcpStream::from_std(ours).unwrap());
        let writes = ours.clone();
        let writer = spawn(async move { writes.write_all(vec![1; 8 << 20]).await.0 });
        settle().await;
        assert!(!writer.is_finished());
        reset_on_close(&peer);
        drop(peer);
        // The kernel may have told of the reset with a part that went out.
        let first = errno(soon(writer).await.unwrap());
        assert!([libc::ECONNRESET, libc::EPIPE].contains(&first), "{first}");
        for _ in 0..3 {
            assert_eq!(errno(soon(ours.write_all("x")).await.0), libc::EPIPE);
            assert_eq!(errno(soon(ours.write_vectored_all(["x"])).await.0), libc::EPIPE);
        }
        assert_eq!(errno(soon(ours.shutdown(Shutdown::Write)).await), libc::ENOTCONN);
        assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
    });
}

#[test]
fn a_socket_that_was_reset_has_no_peer_any_more() {
    on_each_driver(async || {
        let (ours, peer) = pair();
        reset_on_close(&peer);
        drop(peer);
        settle().await;
        assert_eq!(errno(ours.peer_addr()), libc::ENOTCONN);
        assert!(ours.local_addr().is_ok());
        soon(ours.close()).await.unwrap();
    });
}
