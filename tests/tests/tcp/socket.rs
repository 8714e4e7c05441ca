//! What a stream lets its user do with the socket itself: look ahead, set options, have the
//! descriptor.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use miniss_linux::Runtime;
use miniss_linux::buf::BufResultExt;
use miniss_linux::net::{is_cancelled, is_closed};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::kernel;
use miniss_tests::sockets::pair;

fn runtime() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

#[test]
fn a_peek_takes_nothing_whichever_way_the_bytes_come() {
    let _deadline = deadline("peek");
    runtime().block_on(async {
        let (stream, mut peer) = pair();
        // Straight from the kernel.
        peer.write_all(b"one").unwrap();
        for _ in 0..2 {
            let (len, start) = stream.peek([0; 2]).await.into_result().unwrap();
            assert_eq!(&start[..len], b"on");
        }
        assert_eq!(stream.read(vec![0; 8]).await.1[..3], *b"one");
        // From the pool, and what a read has left of it.
        assert!(poll_once_is_pending(stream.recv()));
        peer.write_all(b"two and three").unwrap();
        assert_eq!(stream.peek([0; 3]).await.1, *b"two");
        assert_eq!(stream.read_exact([0; 4]).await.1, *b"two ");
        assert_eq!(stream.peek([0; 3]).await.1, *b"and");
        assert_eq!(stream.recv().await.unwrap()[..], *b"and three");
        // The end.
        drop(peer);
        assert_eq!(stream.peek([0; 3]).await.0.unwrap(), 0);
        assert!(stream.recv().await.unwrap().is_empty());
    });
}

fn poll_once_is_pending(future: impl Future) -> bool {
    pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn a_peek_that_was_given_up_neither_eats_nor_doubles() {
    let _deadline = deadline("peek given up");
    runtime().block_on(async {
        for _ in 0..100 {
            let (stream, mut peer) = pair();
            assert!(poll_once_is_pending(stream.peek(vec![0; 8])));
            peer.write_all(b"once").unwrap();
            assert_eq!(stream.read(vec![0; 8]).await.1, b"once");
            peer.write_all(b"more").unwrap();
            assert_eq!(stream.read(vec![0; 8]).await.1, b"more");
        }
    });
}

#[test]
fn a_peek_is_a_read_and_there_is_one_at_a_time() {
    runtime().block_on(async {
        let (stream, _peer) = pair();
        let mut reading = pin!(stream.read(vec![0; 8]));
        assert!(poll_once_is_pending(reading.as_mut()));
        assert_eq!(stream.peek([0; 1]).await.0.unwrap_err().kind(), ErrorKind::ResourceBusy);
        assert_eq!(stream.peek(Vec::new()).await.0.unwrap_err().kind(), ErrorKind::ResourceBusy);
    });
}

#[test]
fn a_descriptor_that_was_lent_stays_open_after_a_close_and_is_of_no_use() {
    alone("socket::a_descriptor_that_was_lent_stays_open_after_a_close_and_is_of_no_use", || {
        let runtime = runtime();
        runtime.block_on(async {
            let before = Census::take();
            let (stream, mut peer) = pair();
            let lent = stream.as_fd();
            stream.close().await.unwrap();
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "the peer sees the end");
            // A file that is opened now must not get the number that is still lent.
            let other = std::fs::File::open("/dev/null").unwrap();
            assert_ne!(other.as_raw_fd(), lent.as_raw_fd());
            let error = type_of(lent).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            assert_eq!(stream.as_fd().as_raw_fd(), stream.as_fd().as_raw_fd());
            drop((stream, peer, other));
            // One file stands for all sockets that were closed, from then on.
            assert_eq!(Census::take().descriptors, before.descriptors + 1);
        });
    });
}

/// Asks something of a socket.
fn type_of(fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<socket2::Type> {
    socket2::SockRef::from(&fd).r#type()
}

#[test]
fn a_close_that_is_given_up_closes_a_lent_descriptor_all_the_same() {
    let _deadline = deadline("close given up");
    runtime().block_on(async {
        let (stream, mut peer) = pair();
        let lent = stream.as_fd();
        assert!(poll_once_is_pending(stream.recv()));
        // It has begun, and may have ended.
        let _ = poll_once_is_pending(stream.close());
        peer.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        while peer.read(&mut [0; 1]).is_err() {
            miniss_linux::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(socket2::SockRef::from(&lent).r#type().is_err());
    });
}

#[test]
fn a_close_without_a_spare_descriptor_ends_a_lent_one_for_the_peer() {
    alone("socket::a_close_without_a_spare_descriptor_ends_a_lent_one_for_the_peer", || {
        runtime().block_on(async {
            let (stream, mut peer) = pair();
            let _lent = stream.as_fd();
            kernel::limit_descriptors(3);
            stream.close().await.unwrap();
            peer.set_read_timeout(Some(SOON)).unwrap();
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        });
    });
}

#[test]
fn nodelay_is_what_was_set() {
    let _deadline = deadline("nodelay");
    runtime().block_on(async {
        let (stream, _peer) = pair();
        for nodelay in [true, false, true] {
            stream.set_nodelay(nodelay).unwrap();
            assert_eq!(stream.nodelay().unwrap(), nodelay);
            let socket = socket2::SockRef::from(&stream);
            assert_eq!(socket.tcp_nodelay().unwrap(), nodelay);
        }
    });
}

#[test]
fn errors_after_a_close_tell_what_was_in_progress_from_what_came_too_late() {
    runtime().block_on(async {
        let (stream, _peer) = pair();
        let mut reading = pin!(stream.recv());
        assert!(poll_once_is_pending(reading.as_mut()));
        stream.close().await.unwrap();
        let error = reading.await.unwrap_err();
        assert!(is_cancelled(&error) && !is_closed(&error), "{error}");
        let error = stream.write_all("late").await.0.unwrap_err();
        assert!(is_closed(&error) && !is_cancelled(&error), "{error}");
        let other = std::io::Error::from(ErrorKind::ConnectionReset);
        assert!(!is_closed(&other) && !is_cancelled(&other));
    });
}
