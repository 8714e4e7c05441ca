//! What is the Unix sockets' own: names, files, and receivers that are slow.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{self, SocketAddr};

use miniss_linux::net::{
    Seqpacket, Unix, UnixDatagram, UnixSeqpacket, UnixSeqpacketListener, is_cancelled,
};
use miniss_linux::spawn;
use miniss_tests::kernel::{bind_to_path, set_option};

use super::{Kind, pair};
use crate::harness::{beside, errno, on_each_driver, poll_and_drop, settle, soon};
use crate::unix::{Place, name};

#[test]
fn a_socket_is_known_by_its_path_and_the_file_goes_with_it() {
    on_each_driver(async || {
        let (place, answers) = (Place::new(), Place::new());
        for by_close in [false, true] {
            let server = UnixDatagram::bind(&place.0).await.unwrap();
            let client = UnixDatagram::bind(&answers.0).await.unwrap();
            soon(client.send_to("ping", &server.local_addr().unwrap())).await.0.unwrap();
            for pooled in [false, true] {
                let received = match pooled {
                    false => soon(server.recv_from([0; 16])).await.0.unwrap(),
                    true => soon(server.recv_pooled()).await.unwrap().0,
                };
                assert_eq!(received.from.as_pathname(), Some(&*answers.0));
                soon(server.send_to("pong", &received.from)).await.0.unwrap();
                assert_eq!(soon(client.recv([0; 4])).await.1, *b"pong");
                soon(client.send_to("again", &server.local_addr().unwrap())).await.0.unwrap();
            }
            assert_eq!(errno_of_bind(&place).await, libc::EADDRINUSE);
            if by_close {
                soon(server.close()).await.unwrap();
                soon(client.close()).await.unwrap();
            }
            drop((server, client));
            assert!(!place.0.exists() && !answers.0.exists());
        }
    });
}

/// The remedy takes the place of the number.
async fn errno_of_bind(place: &Place) -> i32 {
    let error = UnixDatagram::bind(&place.0).await.unwrap_err();
    assert!(error.to_string().contains("remove the file"));
    if error.kind() == std::io::ErrorKind::AddrInUse { libc::EADDRINUSE } else { 0 }
}

#[test]
fn a_message_from_a_path_too_long_for_a_name_comes_without_one() {
    on_each_driver(async || {
        let (place, long) = (Place::new(), Place::of_108_bytes());
        let server = UnixDatagram::bind(&place.0).await.unwrap();
        let client = net::UnixDatagram::unbound().unwrap();
        bind_to_path(client.as_fd(), long.0.as_os_str().as_bytes());
        for message in [b"one", b"two"] {
            client.send_to(message, &place.0).unwrap();
        }
        let (result, message) = soon(server.recv_from([0; 3])).await;
        assert!(result.unwrap().from.is_unnamed() && message == *b"one");
        let (received, message) = soon(server.recv_pooled()).await.unwrap();
        assert!(received.from.is_unnamed() && message[..] == *b"two");
    });
}

#[test]
fn a_socket_that_is_given_back_keeps_its_file() {
    on_each_driver(async || {
        let place = Place::new();
        let socket = UnixDatagram::bind(&place.0).await.unwrap();
        let (socket, received) = soon(socket.into_std()).await.unwrap();
        assert!(received.is_empty() && place.0.exists());
        drop(socket);
        let client = UnixDatagram::unbound().unwrap();
        assert_eq!(errno(client.connect(&place.0).await), libc::ECONNREFUSED);
        drop(place);
        let address = SocketAddr::from_pathname("/nowhere/at/all").unwrap();
        assert_eq!(errno(soon(client.send_to("a", &address)).await.0), libc::ENOENT);
        assert_eq!(errno(soon(client.send("a")).await.0), libc::ENOTCONN);
    });
}

#[test]
fn senders_wait_for_a_receiver_that_is_slow_connected_or_not() {
    on_each_driver(async || {
        const COUNT: u8 = 60;
        for connected in [false, true] {
            let address = name();
            let server = UnixDatagram::bind_addr(&address).await.unwrap();
            let client = UnixDatagram::unbound().unwrap();
            if connected {
                client.connect_addr(&address).await.unwrap();
            }
            let sender = spawn(async move {
                for number in 0..COUNT {
                    match connected {
                        true => client.send([number]).await.0.unwrap(),
                        false => client.send_to([number], &address).await.0.unwrap(),
                    };
                }
            });
            settle().await;
            // More than the queue holds (`net.unix.max_dgram_qlen`, 10).
            assert!(!sender.is_finished());
            for number in 0..COUNT {
                let (result, buffer) = soon(server.recv([0])).await;
                assert_eq!((result.unwrap(), buffer), (1, [number]));
            }
            soon(sender).await.unwrap();
        }
    });
}

#[test]
fn a_send_that_waits_ends_at_a_close_and_can_be_given_up() {
    on_each_driver(async || {
        for connected in [false, true] {
            let address = name();
            let server = UnixDatagram::bind_addr(&address).await.unwrap();
            let client = std::rc::Rc::new(UnixDatagram::unbound().unwrap());
            if connected {
                client.connect_addr(&address).await.unwrap();
            }
            // Others have filled the queue.
            let others = net::UnixDatagram::unbound().unwrap();
            others.set_nonblocking(true).unwrap();
            while others.send_to_addr(b"x", &address).is_ok() {}
            let sender = spawn({
                let client = client.clone();
                async move {
                    match connected {
                        true => client.send("a").await.0.unwrap_err(),
                        false => client.send_to("a", &address).await.0.unwrap_err(),
                    }
                }
            });
            settle().await;
            assert!(poll_and_drop(client.send("b")).is_pending());
            soon(client.close()).await.unwrap();
            assert!(is_cancelled(&soon(sender).await.unwrap()));
            drop(server);
        }
    });
}

#[test]
fn a_receiver_that_goes_ends_a_send_that_waits_for_it() {
    on_each_driver(async || {
        let address = name();
        let server = UnixDatagram::bind_addr(&address).await.unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.connect_addr(&address).await.unwrap();
        let sender = spawn(async move {
            loop {
                if let Err(error) = client.send("a").await.0 {
                    return error;
                }
            }
        });
        settle().await;
        drop(server);
        let error = soon(sender).await.unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    });
}

async fn a_send_waits_for_room<K: Kind>() {
    const COUNT: usize = 400;
    let (ours, peer) = pair::<K>();
    set_option(ours.as_fd(), libc::SO_SNDBUF, &(16 << 10));
    let reader = beside(move || {
        let mut buffer = [0; 2000];
        (0..COUNT).all(|at| peer.recv(&mut buffer).unwrap() == 1000 && buffer[0] == at as u8)
    });
    let reader = spawn(reader);
    for at in 0..COUNT {
        assert_eq!(soon(ours.send(vec![at as u8; 1000])).await.0.unwrap(), 1000);
    }
    assert!(soon(reader).await.unwrap());
}

#[test]
fn a_send_into_a_full_buffer_waits_for_room() {
    on_each_driver(a_send_waits_for_room::<Unix>);
    on_each_driver(a_send_waits_for_room::<Seqpacket>);
}

#[test]
fn connections_of_messages_begin_and_end_as_those_of_streams() {
    on_each_driver(async || {
        let place = Place::new();
        let listener = UnixSeqpacketListener::bind(&place.0).await.unwrap();
        let refused = UnixDatagram::unbound().unwrap().connect(&place.0).await;
        assert_eq!(errno(refused), libc::EPROTOTYPE);
        let client = soon(UnixSeqpacket::connect(&place.0)).await.unwrap();
        let (server, peer) = soon(listener.accept()).await.unwrap();
        assert!(peer.is_unnamed());
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*place.0));
        for message in ["one", "two"] {
            soon(client.send(message)).await.0.unwrap();
        }
        soon(client.close()).await.unwrap();
        assert_eq!(soon(server.recv([0; 3])).await.1, *b"one");
        assert_eq!(&soon(server.recv_pooled()).await.unwrap().1[..], b"two");
        for _ in 0..2 {
            assert!(soon(server.recv_pooled()).await.unwrap().1.is_empty());
            assert_eq!(soon(server.recv([0; 3])).await.0.unwrap(), 0);
        }
        assert_eq!(errno(soon(server.send("late")).await.0), libc::EPIPE);
        drop(listener);
        assert!(!place.0.exists());
    });
}
