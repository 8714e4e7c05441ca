//! Connecting: to someone, to no one, in vain.

use std::io::{ErrorKind, Read};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use miniss_linux::net::TcpStream;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{spawn, yield_now};

use super::{listener, nowhere};
use crate::harness::{beside, errno, on_each_driver, poll_once, settle, soon};

#[test]
fn both_ends_of_a_connection_have_each_others_addresses() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        let (accepted, peer) = soon(listener.accept()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert_eq!(stream.local_addr().unwrap(), peer);
        assert_eq!(accepted.peer_addr().unwrap(), peer);
        assert_eq!(accepted.local_addr().unwrap(), address);
    });
}

#[test]
fn a_connect_to_no_one_is_refused() {
    on_each_driver(async || {
        let address = nowhere();
        for _ in 0..3 {
            assert_eq!(errno(soon(TcpStream::connect(address)).await), libc::ECONNREFUSED);
        }
    });
}

#[test]
fn a_connect_fails_as_that_of_the_standard_library_does() {
    on_each_driver(async || {
        for address in ["0.0.0.0:1", "255.255.255.255:9", "127.0.0.1:0", "224.0.0.1:9", "[::1]:1"] {
            let address: SocketAddr = address.parse().unwrap();
            let ours = soon(TcpStream::connect(address)).await.map(drop);
            let theirs = net::TcpStream::connect(address).map(drop);
            assert_eq!(errno(ours), errno(theirs), "{address}");
        }
    });
}

#[test]
fn a_connect_takes_the_first_address_that_answers() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let addresses = [nowhere(), nowhere(), address, nowhere()];
        let stream = soon(TcpStream::connect(&addresses[..])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        soon(listener.accept()).await.unwrap();
        let error = soon(TcpStream::connect(&addresses[..2])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_connect_to_no_address_at_all_is_an_input_error() {
    on_each_driver(async || {
        let none: &[SocketAddr] = &[];
        let error = soon(TcpStream::connect(none)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = soon(TcpStream::connect("no port in here")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_connection_by_ipv6_works_where_there_is_ipv6() {
    on_each_driver(async || {
        let Ok(listener) = miniss_linux::net::TcpListener::bind("[::1]:0").await else { return };
        let address = listener.local_addr().unwrap();
        assert!(address.is_ipv6());
        let stream = soon(TcpStream::connect(address)).await.unwrap();
        let (accepted, peer) = soon(listener.accept()).await.unwrap();
        assert_eq!(stream.local_addr().unwrap(), peer);
        soon(stream.write_all("six")).await.0.unwrap();
        assert_eq!(soon(accepted.recv()).await.unwrap()[..], *b"six");
    });
}

#[test]
fn what_is_written_right_after_a_connect_arrives() {
    on_each_driver(async || {
        let server = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = soon(TcpStream::connect(server.local_addr().unwrap())).await.unwrap();
        soon(stream.write_all("early")).await.0.unwrap();
        let (mut peer, _) = server.accept().unwrap();
        let mut received = [0; 5];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"early");
    });
}

#[test]
fn a_connect_that_was_never_polled_reaches_no_one() {
    on_each_driver(async || {
        let server = net::TcpListener::bind("127.0.0.1:0").unwrap();
        drop(TcpStream::connect(server.local_addr().unwrap()));
        settle().await;
        server.set_nonblocking(true).unwrap();
        assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn connects_at_once_all_succeed() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let connect = |_| spawn(TcpStream::connect(address));
        let connects: Vec<_> = (0..100).map(connect).collect();
        let mut accepted = Vec::new();
        for _ in 0..100 {
            accepted.push(soon(listener.accept()).await.unwrap().1);
        }
        let mut connected = Vec::new();
        for connect in connects {
            connected.push(soon(connect).await.unwrap().unwrap().local_addr().unwrap());
        }
        accepted.sort();
        connected.sort();
        assert_eq!(accepted, connected);
    });
}

/// A listener that lets no more connections in, and those that are in.
fn full_listener() -> (net::TcpListener, Vec<net::TcpStream>) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Listening again only sets the backlog.
    socket2::SockRef::from(&listener).listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = |_| net::TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    let waiting: Vec<_> = (0..4).map_while(connect).collect();
    assert!(waiting.len() < 4, "a backlog of 0 took 4 connections");
    (listener, waiting)
}

#[test]
fn a_connect_that_no_one_answers_waits_and_a_timeout_ends_it() {
    on_each_driver(async || {
        let (listener, _waiting) = full_listener();
        let address = listener.local_addr().unwrap();
        for millis in [0, 1, 20] {
            let limit = Duration::from_millis(millis);
            assert!(timeout(limit, TcpStream::connect(address)).await.is_err());
        }
    });
}

#[test]
fn n12_a_connect_that_was_given_up_makes_no_connection_later() {
    on_each_driver(async || {
        let (listener, waiting) = full_listener();
        let address = listener.local_addr().unwrap();
        for turns in 0..5 {
            let mut connect = Box::pin(TcpStream::connect(address));
            assert!(poll_once(connect.as_mut()).is_pending());
            for _ in 0..turns {
                yield_now().await;
            }
        }
        let task = spawn(TcpStream::connect(address));
        settle().await;
        task.abort();
        assert!(soon(task).await.unwrap_err().is_cancelled());
        // Room again. The kernel tries to connect a second time after a second.
        for _ in &waiting {
            listener.accept().unwrap();
        }
        sleep(Duration::from_millis(1200)).await;
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_connect_that_has_to_wait_succeeds_when_there_is_room() {
    on_each_driver(async || {
        let (listener, waiting) = full_listener();
        let mut connect = pin!(TcpStream::connect(listener.local_addr().unwrap()));
        assert!(poll_once(connect.as_mut()).is_pending());
        settle().await;
        let accepted = spawn(beside(move || {
            let accept = |_| listener.accept().unwrap().0;
            // Those that wait, and ours.
            (0..=waiting.len()).map(accept).collect::<Vec<_>>()
        }));
        let stream = soon(connect).await.unwrap();
        let accepted = soon(accepted).await.unwrap();
        let ours = stream.local_addr().unwrap();
        assert!(accepted.iter().any(|peer| peer.peer_addr().unwrap() == ours));
    });
}

#[test]
fn a_stream_of_the_standard_library_is_taken_over_blocking_or_not() {
    on_each_driver(async || {
        for is_nonblocking in [false, true] {
            let (ours, mut peer) = miniss_tests::sockets::blocking_pair();
            ours.set_nonblocking(is_nonblocking).unwrap();
            let number = ours.as_raw_fd();
            let ours = TcpStream::from_std(ours).unwrap();
            let mut read = pin!(ours.read([0; 8]));
            assert!(poll_once(read.as_mut()).is_pending());
            settle().await;
            std::io::Write::write_all(&mut peer, b"x").unwrap();
            assert_eq!(soon(read).await.0.unwrap(), 1);
            assert_eq!(std::os::fd::AsFd::as_fd(&ours).as_raw_fd(), number);
        }
    });
}

#[test]
fn bytes_that_came_before_a_stream_was_taken_over_are_read() {
    on_each_driver(async || {
        let (ours, mut peer) = miniss_tests::sockets::blocking_pair();
        std::io::Write::write_all(&mut peer, b"early").unwrap();
        thread::yield_now();
        let ours = TcpStream::from_std(ours).unwrap();
        assert_eq!(soon(ours.recv()).await.unwrap()[..], *b"early");
    });
}
