//! Listening and accepting.

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::pin::pin;
use std::time::Duration;

use miniss_linux::net::{ListenOptions, TcpListener, TcpStream};
use miniss_linux::spawn;
use miniss_linux::time::timeout;
use miniss_tests::kernel;
use miniss_tests::sockets::reset_on_close;

use super::listener;
use crate::harness::{beside, errno, on_each_driver, poll_and_drop, poll_once, settle, soon};

#[test]
fn an_accept_waits_until_someone_comes() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let mut accept = pin!(listener.accept());
        for _ in 0..3 {
            assert!(poll_once(accept.as_mut()).is_pending());
            settle().await;
        }
        let client = net::TcpStream::connect(address).unwrap();
        let (_, peer) = soon(accept).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn connections_are_accepted_in_the_order_in_which_they_came() {
    on_each_driver(async || {
        for backlog in [16, 1024] {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let clients: Vec<_> = (0..12).map(connect).collect();
            for client in &clients {
                let (_, peer) = soon(listener.accept()).await.unwrap();
                assert_eq!(peer, client.local_addr().unwrap(), "backlog {backlog}");
            }
        }
    });
}

#[test]
fn an_accept_that_was_given_up_loses_no_connection() {
    on_each_driver(async || {
        for backlog in [16, 1024] {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            for settled in [false, true] {
                {
                    let mut accept = pin!(listener.accept());
                    assert!(poll_once(accept.as_mut()).is_pending());
                    if settled {
                        settle().await;
                    }
                }
                let client = net::TcpStream::connect(address).unwrap();
                settle().await;
                let (_, peer) = soon(listener.accept()).await.unwrap();
                assert_eq!(peer, client.local_addr().unwrap(), "backlog {backlog}");
            }
        }
    });
}

#[test]
fn an_accept_given_up_when_its_connection_is_there_leaves_it_to_the_next() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let client = {
            let mut accept = pin!(listener.accept());
            assert!(poll_once(accept.as_mut()).is_pending());
            settle().await;
            let client = net::TcpStream::connect(address).unwrap();
            settle().await;
            client
        };
        let (_, peer) = soon(listener.accept()).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn several_accepts_wait_and_each_gets_one() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let listener = std::rc::Rc::new(listener);
        let accepts: Vec<_> = (0..5)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move { listener.accept().await.map(|(_, peer)| peer) })
            })
            .collect();
        settle().await;
        let connect = |_| net::TcpStream::connect(address).unwrap();
        let clients: Vec<_> = (0..5).map(connect).collect();
        let mut accepted = Vec::new();
        for accept in accepts {
            accepted.push(soon(accept).await.unwrap().unwrap());
        }
        let mut expected: Vec<_> = clients.iter().map(|one| one.local_addr().unwrap()).collect();
        accepted.sort();
        expected.sort();
        assert_eq!(accepted, expected);
    });
}

#[test]
fn a_dropped_listener_lets_go_of_its_port_at_once() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        assert!(poll_and_drop(listener.accept()).is_pending());
        settle().await;
        drop(listener);
        // The accept in flight is cancelled first, for which the shard needs a turn.
        while net::TcpStream::connect(address).is_ok() {
            settle().await;
        }
        let again = soon(TcpListener::bind(address)).await.unwrap();
        assert_eq!(again.local_addr().unwrap(), address);
    });
}

#[test]
fn connections_that_no_one_accepted_end_with_the_listener() {
    on_each_driver(async || {
        for backlog in [16, 1024] {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            assert!(poll_and_drop(listener.accept()).is_pending());
            settle().await;
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let clients: Vec<_> = (0..10).map(connect).collect();
            settle().await;
            drop(listener);
            for mut client in clients {
                let end = beside(move || client.read(&mut [0])).await;
                let is_end = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
                assert!(end.as_ref().map_or_else(is_end, |&len| len == 0), "{end:?}");
            }
        }
    });
}

#[test]
fn an_address_in_use_or_not_ours_is_refused() {
    on_each_driver(async || {
        let (_listener, address) = listener().await;
        assert_eq!(errno(soon(TcpListener::bind(address)).await), libc::EADDRINUSE);
        let foreign = soon(TcpListener::bind("192.0.2.1:0")).await;
        assert_eq!(errno(foreign), libc::EADDRNOTAVAIL);
        // Of several, the first that works.
        let addresses = [address, ([127, 0, 0, 1], 0).into()];
        let listener = soon(TcpListener::bind(&addresses[..])).await.unwrap();
        assert_ne!(listener.local_addr().unwrap(), address);
    });
}

#[test]
fn two_listeners_share_a_port_if_both_say_so() {
    on_each_driver(async || {
        let shared = ListenOptions::new().reuse_port(true);
        let one = shared.bind("127.0.0.1:0").await.unwrap();
        let address = one.local_addr().unwrap();
        let two = shared.bind(address).await.unwrap();
        assert_eq!(errno(soon(TcpListener::bind(address)).await), libc::EADDRINUSE);
        let connect = |_| net::TcpStream::connect(address).unwrap();
        let clients: Vec<_> = (0..64).map(connect).collect();
        let mut accepted = 0;
        for listener in [one, two] {
            // All that will come are there.
            while let Ok(one) = timeout(Duration::from_millis(20), listener.accept()).await {
                one.unwrap();
                accepted += 1;
            }
        }
        assert_eq!(accepted, clients.len());
    });
}

#[test]
fn a_port_of_a_connection_that_has_ended_can_be_listened_on_again() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let client = soon(TcpStream::connect(address)).await.unwrap();
        let (accepted, _) = soon(listener.accept()).await.unwrap();
        // The side that closes first keeps the address for a minute.
        soon(accepted.close()).await.unwrap();
        assert!(soon(client.recv()).await.unwrap().is_empty());
        drop((listener, client));
        settle().await;
        soon(TcpListener::bind(address)).await.unwrap();
    });
}

#[test]
fn many_more_clients_than_the_backlog_holds_are_all_served() {
    on_each_driver(async || {
        let listener = ListenOptions::new().backlog(4).bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients = spawn(beside(move || {
            for number in 0..50_u8 {
                let mut client = net::TcpStream::connect(address).unwrap();
                client.write_all(&[number]).unwrap();
                let mut echo = [0];
                client.read_exact(&mut echo).unwrap();
                assert_eq!(echo, [number]);
            }
        }));
        for number in 0..50 {
            let (stream, _) = soon(listener.accept()).await.unwrap();
            let bytes = soon(stream.recv()).await.unwrap();
            assert_eq!(bytes[..], [number]);
            soon(stream.write_all(bytes)).await.0.unwrap();
        }
        soon(clients).await.unwrap();
    });
}

#[test]
fn a_client_that_left_in_order_is_accepted_with_what_it_said() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let mut client = net::TcpStream::connect(address).unwrap();
        client.write_all(b"bye").unwrap();
        let its_address = client.local_addr().unwrap();
        drop(client);
        let (stream, peer) = soon(listener.accept()).await.unwrap();
        assert_eq!(peer, its_address);
        assert_eq!(soon(stream.recv()).await.unwrap()[..], *b"bye");
        assert!(soon(stream.recv()).await.unwrap().is_empty());
    });
}

#[test]
fn n2_clients_that_were_reset_before_they_are_accepted_are_passed_over_and_counted() {
    on_each_driver(async || {
        for backlog in [16, 1024] {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            for _ in 0..3 {
                let client = net::TcpStream::connect(address).unwrap();
                reset_on_close(&client);
            }
            let client = net::TcpStream::connect(address).unwrap();
            let (_, peer) = soon(listener.accept()).await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap(), "backlog {backlog}");
            assert_eq!(listener.connections_lost(), 3);
        }
    });
}

#[test]
fn a_listener_that_was_shut_down_elsewhere_says_so() {
    on_each_driver(async || {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let same = listener.try_clone().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let mut accept = pin!(listener.accept());
        assert!(poll_once(accept.as_mut()).is_pending());
        settle().await;
        kernel::shut_down(&same);
        assert_eq!(errno(soon(accept).await), libc::EINVAL);
        assert_eq!(errno(soon(listener.accept()).await), libc::EINVAL);
    });
}

#[test]
fn a_listener_of_the_standard_library_is_taken_over_and_given_back_blocking() {
    on_each_driver(async || {
        for is_nonblocking in [false, true] {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(is_nonblocking).unwrap();
            let address = listener.local_addr().unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            assert!(poll_and_drop(listener.accept()).is_pending());
            settle().await;
            let _first = net::TcpStream::connect(address).unwrap();
            soon(listener.accept()).await.unwrap();
            let (listener, accepted) = soon(listener.into_std()).await.unwrap();
            assert!(accepted.is_empty());
            let accepting = beside(move || {
                // Nothing is there: one that does not block would say so.
                let client = std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(20));
                    net::TcpStream::connect(address).unwrap()
                });
                let accepted = listener.accept().map(drop);
                client.join().unwrap();
                accepted
            });
            accepting.await.unwrap();
        }
    });
}

#[test]
fn a_listener_whose_twin_is_given_back_blocking_does_not_stop_its_shard() {
    on_each_driver(async || {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let twin = TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let mut accept = pin!(listener.accept());
        assert!(poll_once(accept.as_mut()).is_pending());
        settle().await;
        // Blocking or not, they are one.
        let _twin = soon(twin.into_std()).await.unwrap();
        let _client = net::TcpStream::connect(address).unwrap();
        soon(accept).await.unwrap();
        assert!(poll_and_drop(listener.accept()).is_pending());
    });
}

#[test]
fn a_listener_that_is_given_back_loses_no_connection() {
    on_each_driver(async || {
        for backlog in [16, 1024] {
            let options = ListenOptions::new().backlog(backlog);
            let listener = options.bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            assert!(poll_and_drop(listener.accept()).is_pending());
            settle().await;
            let connect = |_| net::TcpStream::connect(address).unwrap();
            let clients: Vec<_> = (0..10).map(connect).collect();
            settle().await;
            let (listener, accepted) = soon(listener.into_std()).await.unwrap();
            let mut peers: Vec<_> = accepted.iter().map(|one| one.peer_addr().unwrap()).collect();
            while peers.len() < clients.len() {
                peers.push(listener.accept().unwrap().1);
            }
            let mut expected: Vec<_> =
                clients.iter().map(|one| one.local_addr().unwrap()).collect();
            peers.sort();
            expected.sort();
            assert_eq!(peers, expected, "backlog {backlog}");
        }
    });
}

#[test]
fn an_accepted_stream_outlives_its_listener() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let client = soon(TcpStream::connect(address)).await.unwrap();
        let (accepted, _) = soon(listener.accept()).await.unwrap();
        drop(listener);
        soon(client.write_all("still here")).await.0.unwrap();
        assert_eq!(soon(accepted.recv()).await.unwrap()[..], *b"still here");
    });
}
