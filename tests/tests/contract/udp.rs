//! Messages by UDP: whole, in order on the loopback, with their senders, and with the errors that
//! the network sends back.

use std::io::ErrorKind;
use std::net::{self, SocketAddr};
use std::pin::pin;

use miniss_linux::net::UdpSocket;
use miniss_linux::spawn;

use crate::harness::{errno, on_each_driver, poll_once, settle, soon};

/// Our socket, and a peer that blocks; where each is.
async fn ends() -> (UdpSocket, SocketAddr, net::UdpSocket, SocketAddr) {
    let ours = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (here, there) = (ours.local_addr().unwrap(), peer.local_addr().unwrap());
    (ours, here, peer, there)
}

#[test]
fn messages_go_there_and_back_with_their_addresses() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        assert_eq!(soon(ours.send_to("ping", &there)).await.0.unwrap(), 4);
        let mut buffer = [0; 8];
        assert_eq!(peer.recv_from(&mut buffer).unwrap(), (4, here));
        assert_eq!(buffer[..4], *b"ping");
        peer.send_to(b"pong!", here).unwrap();
        let (result, buffer) = soon(ours.recv_from(vec![0; 8])).await;
        let received = result.unwrap();
        assert_eq!((received.len, received.from), (5, there));
        assert_eq!(buffer[..5], *b"pong!");
    });
}

#[test]
fn a_receive_waits_and_a_dropped_one_loses_no_message() {
    on_each_driver(async || {
        let (ours, here, peer, _) = ends().await;
        for settled in [false, true] {
            {
                let mut receive = pin!(ours.recv_from(vec![0; 8]));
                assert!(poll_once(receive.as_mut()).is_pending());
                if settled {
                    settle().await;
                    peer.send_to(b"one", here).unwrap();
                    settle().await;
                }
            }
            if !settled {
                peer.send_to(b"one", here).unwrap();
            }
            peer.send_to(b"two", here).unwrap();
            for message in [b"one", b"two"] {
                let (result, buffer) = soon(ours.recv_from(vec![0; 8])).await;
                assert_eq!((result.unwrap().len, &buffer[..3]), (3, &message[..]));
            }
        }
    });
}

#[test]
fn n11_a_message_that_does_not_fit_tells_its_true_length() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        peer.send_to(&[7; 60_000], here).unwrap();
        peer.send_to(b"next", here).unwrap();
        let (result, buffer) = soon(ours.recv_from(vec![0; 1024])).await;
        let received = result.unwrap();
        assert!(received.is_truncated());
        assert_eq!((received.len, received.len_sent), (1024, 60_000));
        assert_eq!((received.from, buffer.iter().all(|&byte| byte == 7)), (there, true));
        // The rest of it is gone, and the next is whole.
        let (result, buffer) = soon(ours.recv_from(vec![0; 1024])).await;
        assert_eq!(result.unwrap().len, 4);
        assert_eq!(buffer[..4], *b"next");
    });
}

#[test]
fn n11_a_message_that_is_too_long_is_refused_and_nothing_is_sent() {
    on_each_driver(async || {
        let (ours, _, peer, there) = ends().await;
        let (result, buffer) = soon(ours.send_to(vec![1; 70_000], &there)).await;
        assert_eq!((errno(result), buffer.len()), (libc::EMSGSIZE, 70_000));
        soon(ours.send_to("fits", &there)).await.0.unwrap();
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn n11_a_port_that_no_one_has_is_an_error_and_no_end() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        ours.connect(there).await.unwrap();
        drop(peer);
        soon(ours.send("anyone?")).await.0.unwrap();
        assert_eq!(errno(soon(ours.recv(vec![0; 8])).await.0), libc::ECONNREFUSED);
        // It goes on when someone has the port again.
        let peer = net::UdpSocket::bind(there).unwrap();
        peer.send_to(b"back", here).unwrap();
        assert_eq!(soon(ours.recv(vec![0; 8])).await.1[..4], *b"back");
    });
}

#[test]
fn n11_an_unreachable_port_wakes_a_receive_that_waits() {
    on_each_driver(async || {
        let (ours, _, peer, there) = ends().await;
        ours.connect(there).await.unwrap();
        let ours = std::rc::Rc::new(ours);
        let receives = ours.clone();
        let receiver = spawn(async move { receives.recv(vec![0; 8]).await.0 });
        settle().await;
        drop(peer);
        soon(ours.send("anyone?")).await.0.unwrap();
        assert_eq!(errno(soon(receiver).await.unwrap()), libc::ECONNREFUSED);
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        ours.connect(there).await.unwrap();
        assert_eq!(ours.peer_addr().unwrap(), there);
        let stranger = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"no", here).unwrap();
        peer.send_to(b"yes", here).unwrap();
        let (result, buffer) = soon(ours.recv(vec![0; 8])).await;
        assert_eq!((result.unwrap(), &buffer[..3]), (3, &b"yes"[..]));
    });
}

#[test]
fn an_empty_message_is_a_message() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        peer.send_to(b"", here).unwrap();
        peer.send_to(b"x", here).unwrap();
        assert_eq!(soon(ours.recv_from(vec![0; 8])).await.0.unwrap().len, 0);
        assert_eq!(soon(ours.recv_from(vec![0; 8])).await.0.unwrap().len, 1);
        assert_eq!(soon(ours.send_to("", &there)).await.0.unwrap(), 0);
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn a_peek_takes_no_message() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        peer.send_to(b"look", here).unwrap();
        for _ in 0..2 {
            let (result, _) = soon(ours.peek_from(vec![0; 8])).await;
            let seen = result.unwrap();
            assert_eq!((seen.len, seen.from), (4, there));
        }
        assert_eq!(soon(ours.recv_from(vec![0; 8])).await.0.unwrap().len, 4);
    });
}

#[test]
fn messages_come_into_buffers_of_the_pool_one_by_one() {
    on_each_driver(async || {
        let (ours, here, peer, there) = ends().await;
        for number in 0..20_u8 {
            peer.send_to(&[number; 5], here).unwrap();
        }
        for number in 0..20 {
            let (received, bytes) = soon(ours.recv_pooled()).await.unwrap();
            assert_eq!((received.from, &bytes[..]), (there, &[number; 5][..]));
        }
    });
}

#[test]
fn a_close_ends_what_waits_and_what_comes_later() {
    on_each_driver(async || {
        let (ours, _, _peer, there) = ends().await;
        let mut receive = pin!(ours.recv_from(vec![0; 8]));
        assert!(poll_once(receive.as_mut()).is_pending());
        settle().await;
        soon(ours.close()).await.unwrap();
        assert_eq!(errno(soon(receive).await.0), libc::ECANCELED);
        assert_eq!(errno(soon(ours.recv_from(vec![0; 8])).await.0), libc::EBADF);
        assert_eq!(errno(soon(ours.send_to("x", &there)).await.0), libc::EBADF);
    });
}

#[test]
fn two_receives_at_a_time_are_an_error_for_the_second() {
    on_each_driver(async || {
        let (ours, here, peer, _) = ends().await;
        let mut first = pin!(ours.recv_from(vec![0; 8]));
        assert!(poll_once(first.as_mut()).is_pending());
        let second = soon(ours.recv_from(vec![0; 8])).await.0.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        peer.send_to(b"x", here).unwrap();
        assert_eq!(soon(first).await.0.unwrap().len, 1);
    });
}
