//! What is UDP's own: errors that the network reports, addresses, groups. Scenario N11.

use std::io::ErrorKind;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use miniss_linux::net::{BindOptions, UdpSocket};
use socket2::SockRef;

use crate::harness::{errno, on_each_driver, poll_and_drop, settle, soon};

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("a port on the loopback")
}

/// A socket that is connected to a port number that no one has, and the number.
async fn to_no_one() -> (UdpSocket, SocketAddr) {
    let gone = bound().await;
    let address = gone.local_addr().unwrap();
    let socket = bound().await;
    socket.connect(address).await.unwrap();
    gone.close().await.unwrap();
    (socket, address)
}

#[test]
fn n11_a_message_of_64_kib_into_1_kib_tells_its_length() {
    on_each_driver(async || {
        const LEN: usize = 65_507;
        let (ours, peer) = (bound().await, bound().await);
        let to = ours.local_addr().unwrap();
        for _ in 0..3 {
            assert_eq!(soon(peer.send_to(vec![7; LEN], &to)).await.0.unwrap(), LEN);
            let (result, buffer) = soon(ours.recv_from([0; 1024])).await;
            let received = result.unwrap();
            assert_eq!((received.len, received.len_sent), (1024, LEN));
            assert!(received.is_truncated() && buffer == [7; 1024]);
            assert_eq!(received.from, peer.local_addr().unwrap());
        }
        let (result, back) = peer.send_to(vec![7; LEN + 1], &to).await;
        assert_eq!((errno(result), back.len()), (libc::EMSGSIZE, LEN + 1));
        soon(peer.send_to("and on", &to)).await.0.unwrap();
        assert_eq!(&soon(ours.recv_pooled()).await.unwrap().1[..], b"and on");
    });
}

#[test]
fn n11_a_port_that_no_one_has_is_the_error_of_one_call_and_no_end() {
    on_each_driver(async || {
        for pooled in [false, true] {
            let (ours, address) = to_no_one().await;
            for _ in 0..3 {
                // The report may come before the send returns, or not.
                let _ = soon(ours.send("anyone?")).await;
                let result = match pooled {
                    true => soon(ours.recv_pooled()).await.map(drop),
                    false => soon(ours.recv([0; 16])).await.0.map(drop),
                };
                assert_eq!(errno(result), libc::ECONNREFUSED);
            }
            let peer = net::UdpSocket::bind(address).unwrap();
            soon(ours.send("hello")).await.0.unwrap();
            let mut buffer = [0; 16];
            let (len, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"hello");
            peer.send_to(b"welcome", from).unwrap();
            let (result, buffer) = soon(ours.recv([0; 7])).await;
            assert_eq!((result.unwrap(), &buffer), (7, b"welcome"));
        }
    });
}

#[test]
fn n11_a_report_ends_a_receive_that_waits() {
    on_each_driver(async || {
        for pooled in [false, true] {
            let (ours, _) = to_no_one().await;
            let ours = std::rc::Rc::new(ours);
            let receiver = miniss_linux::spawn({
                let ours = ours.clone();
                async move {
                    match pooled {
                        true => ours.recv_pooled().await.map(drop),
                        false => ours.recv([0; 16]).await.0.map(drop),
                    }
                }
            });
            settle().await;
            soon(ours.send("anyone?")).await.0.unwrap();
            assert_eq!(errno(soon(receiver).await.unwrap()), libc::ECONNREFUSED);
        }
    });
}

#[test]
fn a_report_for_a_receive_that_was_dropped_comes_once() {
    on_each_driver(async || {
        let (ours, _) = to_no_one().await;
        assert!(poll_and_drop(ours.recv([0; 16])).is_pending());
        let _ = ours.send("anyone?").await;
        assert_eq!(errno(soon(ours.recv([0; 16])).await.0), libc::ECONNREFUSED);
        let _ = ours.send("no one").await;
        assert_eq!(errno(soon(ours.recv([0; 16])).await.0), libc::ECONNREFUSED);
    });
}

#[test]
fn an_unconnected_socket_hears_everyone_and_of_no_report() {
    on_each_driver(async || {
        let (ours, gone) = (bound().await, bound().await);
        let nowhere = gone.local_addr().unwrap();
        gone.close().await.unwrap();
        soon(ours.send_to("anyone?", &nowhere)).await.0.unwrap();
        assert_eq!(errno(ours.peer_addr()), libc::ENOTCONN);
        assert_eq!(errno(soon(ours.send("to no one")).await.0), libc::EDESTADDRREQ);
        for peer in [bound().await, bound().await] {
            soon(peer.send_to("", &ours.local_addr().unwrap())).await.0.unwrap();
            let received = soon(ours.recv_from([0; 16])).await.0.unwrap();
            assert_eq!((received.len, received.len_sent), (0, 0));
            assert_eq!(received.from, peer.local_addr().unwrap());
        }
    });
}

#[test]
fn messages_without_bytes_are_messages_also_when_they_are_received_ahead() {
    on_each_driver(async || {
        let (ours, peer) = (bound().await, bound().await);
        let to = ours.local_addr().unwrap();
        for message in ["", "", "a", "", "b"] {
            soon(peer.send_to(message, &to)).await.0.unwrap();
        }
        for message in ["", "", "a", "", "b"] {
            let (received, bytes) = soon(ours.recv_pooled()).await.unwrap();
            assert_eq!(&bytes[..], message.as_bytes());
            assert_eq!((received.len, received.from), (bytes.len(), peer.local_addr().unwrap()));
        }
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone_and_can_turn_to_another() {
    on_each_driver(async || {
        let (ours, first, second) = (bound().await, bound().await, bound().await);
        let to = ours.local_addr().unwrap();
        for peer in [&first, &second] {
            let address = peer.local_addr().unwrap();
            ours.connect(address).await.unwrap();
            assert_eq!(ours.peer_addr().unwrap(), address);
            for sender in [&first, &second] {
                soon(sender.send_to("a", &to)).await.0.unwrap();
            }
            assert_eq!(soon(ours.recv_from([0; 1])).await.0.unwrap().from, address);
            soon(ours.send("b")).await.0.unwrap();
            assert_eq!(soon(peer.recv_from([0; 1])).await.0.unwrap().from, to);
        }
    });
}

#[test]
fn an_address_of_another_family_is_refused() {
    on_each_driver(async || {
        let ours = bound().await;
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        assert_eq!(errno(soon(ours.send_to("a", &six)).await.0), libc::EAFNOSUPPORT);
        assert_eq!(errno(ours.connect(six).await), libc::EAFNOSUPPORT);
        soon(ours.send_to("b", &ours.local_addr().unwrap())).await.0.unwrap();
        assert_eq!(soon(ours.recv([0; 1])).await.1, *b"b");
    });
}

#[test]
fn both_families_carry_messages() {
    on_each_driver(async || {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let ours = match UdpSocket::bind(host).await {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => continue,
                ours => ours.unwrap(),
            };
            let to = ours.local_addr().unwrap();
            soon(ours.send_to("to myself", &to)).await.0.unwrap();
            let (received, bytes) = soon(ours.recv_pooled()).await.unwrap();
            assert_eq!((received.from, &bytes[..]), (to, &b"to myself"[..]));
            for ttl in [1, 255] {
                ours.set_ttl(ttl).unwrap();
                ours.set_multicast_ttl(ttl).unwrap();
                assert_eq!((ours.ttl().unwrap(), ours.multicast_ttl().unwrap()), (ttl, ttl));
            }
            for on in [false, true] {
                ours.set_multicast_loop(on).unwrap();
                assert_eq!(ours.multicast_loop().unwrap(), on);
            }
        }
    });
}

#[test]
fn a_member_of_a_group_hears_what_is_sent_to_it_until_it_leaves() {
    on_each_driver(async || {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let member = BindOptions::new().reuse_address(true).bind("0.0.0.0:0").await.unwrap();
        let to = SocketAddr::from((group, member.local_addr().unwrap().port()));
        let sender = bound().await;
        SockRef::from(&sender.as_fd()).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        member.join_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        let twice = member.join_multicast_v4(group, Ipv4Addr::LOCALHOST);
        assert_eq!(errno(twice), libc::EADDRINUSE);
        soon(sender.send_to("to all", &to)).await.0.unwrap();
        let received = soon(member.recv_from([0; 16])).await.0.unwrap();
        assert_eq!((received.len, received.from), (6, sender.local_addr().unwrap()));
        member.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        let twice = member.leave_multicast_v4(group, Ipv4Addr::LOCALHOST);
        assert_eq!(errno(twice), libc::EADDRNOTAVAIL);
    });
}

#[test]
fn an_address_is_shared_only_if_all_say_so() {
    on_each_driver(async || {
        let alone = bound().await;
        let address = alone.local_addr().unwrap();
        let sharing = BindOptions::new().reuse_port(true);
        assert_eq!(errno(sharing.bind(address).await), libc::EADDRINUSE);
        alone.close().await.unwrap();
        assert_eq!(errno(alone.send_to("x", &address).await.0), libc::EBADF);
        let (first, second) =
            (sharing.bind(address).await.unwrap(), sharing.bind(address).await.unwrap());
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
        assert_eq!(errno(UdpSocket::bind(address).await), libc::EADDRINUSE);
    });
}

#[test]
fn a_broadcast_is_refused_until_it_is_allowed() {
    on_each_driver(async || {
        let ours = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        // That of the loopback, to which there is always a way.
        let port = ours.local_addr().unwrap().port();
        let all = SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), port));
        assert_eq!(errno(soon(ours.send_to("a", &all)).await.0), libc::EACCES);
        assert!(!ours.broadcast().unwrap());
        ours.set_broadcast(true).unwrap();
        assert!(ours.broadcast().unwrap());
        soon(ours.send_to("to all", &all)).await.0.unwrap();
        assert_eq!(soon(ours.recv([0; 6])).await.1, *b"to all");
    });
}

#[test]
fn a_member_of_a_group_of_ipv6_joins_and_leaves() {
    on_each_driver(async || {
        // A machine may have no IPv6.
        let Ok(member) = UdpSocket::bind("[::1]:0").await else { return };
        let group = "ff01::7:7".parse().unwrap();
        let loopback = 1;
        member.join_multicast_v6(group, loopback).unwrap();
        assert_eq!(errno(member.join_multicast_v6(group, loopback)), libc::EADDRINUSE);
        member.leave_multicast_v6(group, loopback).unwrap();
        assert_eq!(errno(member.leave_multicast_v6(group, loopback)), libc::EADDRNOTAVAIL);
    });
}
