//! What is Unix sockets' own: names, files, backlogs, and what a peer leaves unread.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use miniss_linux::net::{ListenOptions, UnixDatagram, UnixListener, UnixStream};
use miniss_linux::time::timeout;
use miniss_linux::{driver_stats, spawn};
use miniss_tests::kernel::bind_to_path;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::harness::{beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon};

/// A number that no one else uses.
fn number() -> u32 {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// A path of our own, removed when it is dropped.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new() -> Self {
        loop {
            let name = format!("miniss-contract-{}-{}", std::process::id(), number());
            let path = std::env::temp_dir().join(name);
            // A process that was killed, and had the same id, may have left some behind.
            if fs::symlink_metadata(&path).is_err() {
                return Self(path);
            }
        }
    }

    /// One with the longest path that the kernel takes.
    pub fn of_108_bytes() -> Self {
        let mut path = Self::new().0.clone().into_os_string();
        while path.len() < 108 {
            path.push("-");
        }
        Self(path.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// An abstract name of our own.
pub fn name() -> SocketAddr {
    let name = format!("miniss-contract-{}-{}", std::process::id(), number());
    SocketAddr::from_abstract_name(name).unwrap()
}

#[test]
fn a_path_leads_to_its_listener_and_goes_with_it() {
    on_each_driver(async || {
        let place = Place::new();
        let listener = UnixListener::bind(&place.0).await.unwrap();
        let client = soon(UnixStream::connect(&place.0)).await.unwrap();
        let (server, peer) = soon(listener.accept()).await.unwrap();
        assert!(peer.is_unnamed());
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*place.0));
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*place.0));
        drop(listener);
        assert!(!place.0.exists());
        soon(client.write_all("still here")).await.0.unwrap();
        assert_eq!(soon(server.recv()).await.unwrap()[..], *b"still here");
    });
}

#[test]
fn a_file_that_another_has_put_in_place_of_ours_stays() {
    on_each_driver(async || {
        let (place, other) = (Place::new(), Place::new());
        let replace = || {
            fs::write(&other.0, "theirs").unwrap();
            fs::rename(&other.0, &place.0).unwrap();
        };
        let listener = UnixListener::bind(&place.0).await.unwrap();
        replace();
        drop(listener);
        assert_eq!(fs::read_to_string(&place.0).unwrap(), "theirs");
        fs::remove_file(&place.0).unwrap();
        let datagrams = UnixDatagram::bind(&place.0).await.unwrap();
        replace();
        soon(datagrams.close()).await.unwrap();
        assert_eq!(fs::read_to_string(&place.0).unwrap(), "theirs");
        // Nor is the file of a socket removed that we have taken over.
        fs::remove_file(&place.0).unwrap();
        let theirs = net::UnixListener::bind(&place.0).unwrap();
        drop(UnixListener::from_std(theirs).unwrap());
        assert!(place.0.exists());
    });
}

#[test]
fn paths_that_are_taken_missing_stale_or_too_long_are_errors_of_their_own() {
    on_each_driver(async || {
        let place = Place::new();
        let missing = soon(UnixStream::connect(&place.0)).await.unwrap_err();
        assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
        let theirs = net::UnixListener::bind(&place.0).unwrap();
        let taken = UnixListener::bind(&place.0).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(theirs);
        assert_eq!(errno(soon(UnixStream::connect(&place.0)).await), libc::ECONNREFUSED);
        let long = "x".repeat(200);
        let too_long = soon(UnixStream::connect(&long)).await.unwrap_err();
        assert_eq!(too_long.kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixListener::bind(&long).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn an_abstract_name_leads_to_its_listener_and_is_free_afterwards() {
    on_each_driver(async || {
        let name = name();
        for _ in 0..2 {
            let listener = UnixListener::bind_addr(&name).await.unwrap();
            assert!(poll_and_drop(listener.accept()).is_pending());
            let client = soon(UnixStream::connect_addr(&name)).await.unwrap();
            let (server, _) = soon(listener.accept()).await.unwrap();
            soon(client.write_all("x")).await.0.unwrap();
            assert_eq!(soon(server.recv()).await.unwrap().len(), 1);
            let taken = UnixListener::bind_addr(&name).await.unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::AddrInUse);
            drop(listener);
            // The accept in flight is cancelled first.
            while net::UnixStream::connect_addr(&name).is_ok() {
                settle().await;
            }
        }
        assert_eq!(errno(soon(UnixStream::connect_addr(&name)).await), libc::ECONNREFUSED);
    });
}

#[test]
fn a_client_with_a_path_too_long_for_a_name_is_served_without_one() {
    on_each_driver(async || {
        let (place, long) = (Place::new(), Place::of_108_bytes());
        let listener = UnixListener::bind(&place.0).await.unwrap();
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        bind_to_path(client.as_fd(), long.0.as_os_str().as_bytes());
        client.connect(&SockAddr::unix(&place.0).unwrap()).unwrap();
        let (server, peer) = soon(listener.accept()).await.unwrap();
        assert!(peer.is_unnamed() && server.peer_addr().unwrap().is_unnamed());
        client.send(b"served").unwrap();
        assert_eq!(soon(server.recv()).await.unwrap()[..], *b"served");
        assert_eq!(listener.connections_lost(), 0);
    });
}

#[test]
fn a_pair_is_connected_and_knows_who_made_it() {
    on_each_driver(async || {
        let (one, two) = UnixStream::pair().unwrap();
        soon(one.write_all("there")).await.0.unwrap();
        assert_eq!(soon(two.recv()).await.unwrap()[..], *b"there");
        soon(two.write_all("back")).await.0.unwrap();
        assert_eq!(soon(one.recv()).await.unwrap()[..], *b"back");
        assert!(one.local_addr().unwrap().is_unnamed() && two.peer_addr().unwrap().is_unnamed());
        assert_eq!(one.peer_cred().unwrap().pid, Some(std::process::id()));
        drop(two);
        assert!(soon(one.recv()).await.unwrap().is_empty());
    });
}

#[test]
fn an_accept_waits_and_a_dropped_one_loses_no_connection() {
    on_each_driver(async || {
        let name = name();
        let listener = UnixListener::bind_addr(&name).await.unwrap();
        for settled in [false, true] {
            {
                let mut accept = pin!(listener.accept());
                assert!(poll_once(accept.as_mut()).is_pending());
                if settled {
                    settle().await;
                }
            }
            let mut client = net::UnixStream::connect_addr(&name).unwrap();
            settle().await;
            let (server, _) = soon(listener.accept()).await.unwrap();
            client.write_all(b"mine").unwrap();
            assert_eq!(soon(server.recv()).await.unwrap()[..], *b"mine");
        }
    });
}

/// A listener whose backlog is full, and those that wait in it.
fn full_listener() -> (SocketAddr, net::UnixListener, Vec<net::UnixStream>) {
    let name = name();
    let listener = net::UnixListener::bind_addr(&name).unwrap();
    // Listening again only sets the backlog. A connect that does not block is refused when it is
    // full.
    socket2::SockRef::from(&listener).listen(0).unwrap();
    let connect = |_| {
        let kind = socket2::Type::STREAM.nonblocking();
        let socket = socket2::Socket::new(socket2::Domain::UNIX, kind, None).unwrap();
        let bytes = [b"\0", name.as_abstract_name().unwrap()].concat();
        let address = socket2::SockAddr::unix(
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&bytes),
        );
        socket.connect(&address.unwrap()).ok().map(|()| net::UnixStream::from(socket))
    };
    let waiting: Vec<_> = (0..4).map_while(connect).collect();
    assert!(waiting.len() < 4, "a backlog of 0 took 4 connections");
    (name, listener, waiting)
}

#[test]
fn a_connect_to_a_full_listener_waits_for_room() {
    on_each_driver(async || {
        let (name, listener, waiting) = full_listener();
        let connect = spawn(async move { UnixStream::connect_addr(&name).await });
        settle().await;
        assert!(!connect.is_finished(), "{:?}", soon(connect).await);
        let accepted = spawn(beside(move || {
            // Those that wait, and ours.
            (0..=waiting.len()).map(|_| listener.accept().unwrap().0).collect::<Vec<_>>()
        }));
        let stream = soon(connect).await.unwrap().unwrap();
        soon(stream.write_all("x")).await.0.unwrap();
        let mut accepted = soon(accepted).await.unwrap();
        let ours = accepted.last_mut().unwrap();
        ours.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn a_connect_to_a_full_listener_that_was_given_up_makes_no_connection_later() {
    on_each_driver(async || {
        let (name, listener, waiting) = full_listener();
        for millis in [0, 1, 5] {
            let limit = Duration::from_millis(millis);
            assert!(timeout(limit, UnixStream::connect_addr(&name)).await.is_err());
        }
        while driver_stats().in_flight > 0 {
            settle().await;
        }
        for _ in &waiting {
            listener.accept().unwrap();
        }
        settle().await;
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_connect_that_waits_for_room_ends_with_the_listener() {
    on_each_driver(async || {
        let (name, listener, waiting) = full_listener();
        let connect = spawn(async move { UnixStream::connect_addr(&name).await });
        settle().await;
        drop((listener, waiting));
        assert_eq!(errno(soon(connect).await.unwrap()), libc::ECONNREFUSED);
    });
}

#[test]
fn a_peer_that_goes_and_leaves_bytes_unread_resets_the_connection() {
    on_each_driver(async || {
        for by_recv in [false, true] {
            let (ours, peer) = net::UnixStream::pair().unwrap();
            let ours = UnixStream::from_std(ours).unwrap();
            soon(ours.write_all("unread")).await.0.unwrap();
            let wait = async {
                match by_recv {
                    true => ours.recv().await.map(|bytes| bytes.len()),
                    false => ours.read([0; 8]).await.0,
                }
            };
            let mut wait = pin!(wait);
            assert!(poll_once(wait.as_mut()).is_pending());
            settle().await;
            drop(peer);
            assert_eq!(errno(soon(wait).await), libc::ECONNRESET, "by recv: {by_recv}");
            assert_eq!(soon(ours.read([0; 8])).await.0.unwrap(), 0);
            assert_eq!(errno(soon(ours.write_all("x")).await.0), libc::EPIPE);
        }
    });
}

#[test]
fn a_listener_is_given_back_with_its_name_and_its_connections() {
    on_each_driver(async || {
        let name = name();
        let listener = ListenOptions::new().backlog(1024).bind_unix(&name).await.unwrap();
        assert!(poll_and_drop(listener.accept()).is_pending());
        settle().await;
        let connect = |_| net::UnixStream::connect_addr(&name).unwrap();
        let clients: Vec<_> = (0..5).map(connect).collect();
        settle().await;
        let (listener, accepted) = soon(listener.into_std()).await.unwrap();
        let mut there = accepted.len();
        while there < clients.len() {
            listener.accept().unwrap();
            there += 1;
        }
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), name.as_abstract_name());
    });
}

/// The standard library makes one of any descriptor.
#[test]
fn a_listener_of_a_socket_that_accepts_nothing_does_not_hold_the_shard() {
    on_each_driver(async || {
        let (messages, peer) = net::UnixDatagram::pair().unwrap();
        peer.send(b"so there is something").unwrap();
        let listener = UnixListener::from_std(OwnedFd::from(messages).into()).unwrap();
        let nothing = timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(nothing.is_err());
        // It rests between its attempts.
        assert!(listener.connections_lost() < 20, "{}", listener.connections_lost());
    });
}
