//! What can be set on a connection, before it is made and after; host names.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use miniss_linux::coop::unconstrained;
use miniss_linux::net::{
    ConnectOptions, Keepalive, ListenOptions, TcpListener, TcpStream, lookup_host,
};
use miniss_linux::time::sleep;
use miniss_tests::deadline::SOON;
use miniss_tests::sockets::{both_ends, full_listener, pair};
use socket2::SockRef;

use crate::harness::{on_each_driver, soon};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn keepalive_takes_any_numbers_and_reaches_the_socket() {
    on_each_driver(async || {
        let (stream, _peer) = pair();
        assert_eq!(stream.keepalive().unwrap(), None);
        for (asked, idle, interval) in
            [(0, 1, 1), (1, 1, 1), (300, 300, 100), (u64::MAX, 32_767, 10_922)]
        {
            stream.set_keepalive(Some(Keepalive::after(seconds(asked)))).unwrap();
            let set = Keepalive { idle: seconds(idle), interval: seconds(interval), retries: 3 };
            assert_eq!(stream.keepalive().unwrap(), Some(set));
        }
        for (retries, set) in [(0, 1), (5, 5), (u32::MAX, 127)] {
            let idle = Duration::from_millis(1_500);
            let interval = Duration::MAX;
            stream.set_keepalive(Some(Keepalive { idle, interval, retries })).unwrap();
            let socket = SockRef::from(&stream);
            assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(2));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(32_767));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), set);
        }
        stream.set_keepalive(None).unwrap();
        assert_eq!(stream.keepalive().unwrap(), None);
    });
}

#[test]
fn the_user_timeout_takes_any_duration() {
    on_each_driver(async || {
        let (stream, _peer) = pair();
        assert_eq!(stream.user_timeout().unwrap(), None);
        for (asked, set) in [
            (Duration::ZERO, Duration::from_millis(1)),
            (Duration::from_millis(1_500), Duration::from_millis(1_500)),
            (Duration::MAX, Duration::from_millis(i32::MAX as u64)),
        ] {
            stream.set_user_timeout(Some(asked)).unwrap();
            assert_eq!(stream.user_timeout().unwrap(), Some(set));
        }
        stream.set_user_timeout(None).unwrap();
        assert_eq!(stream.user_timeout().unwrap(), None);
    });
}

#[test]
fn buffers_and_hops_are_those_that_were_asked_for() {
    on_each_driver(async || {
        let (stream, _peer) = pair();
        stream.set_send_buffer_size(20_000).unwrap();
        stream.set_recv_buffer_size(30_000).unwrap();
        assert_eq!(stream.send_buffer_size().unwrap(), 40_000);
        assert_eq!(stream.recv_buffer_size().unwrap(), 60_000);
        stream.set_send_buffer_size(usize::MAX).unwrap();
        assert!(stream.send_buffer_size().unwrap() > 40_000);
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            stream.set_ttl(7).unwrap();
            assert_eq!(stream.ttl().unwrap(), 7);
            let error = stream.set_ttl(256).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn what_a_listener_has_its_connections_inherit() {
    on_each_driver(async || {
        let options = ListenOptions::new().send_buffer_size(20_000).recv_buffer_size(30_000);
        let listener = options.bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(server.send_buffer_size().unwrap(), 40_000);
        assert_eq!(server.recv_buffer_size().unwrap(), 60_000);
        drop(client);
    });
}

#[test]
fn a_connection_has_what_it_was_made_with() {
    on_each_driver(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let source = SocketAddr::from(([127, 0, 0, 2], 0));
        let keepalive = Keepalive::after(seconds(30));
        let options = ConnectOptions::new()
            .source(source)
            .timeout(SOON)
            .nodelay(true)
            .keepalive(keepalive)
            .send_buffer_size(20_000)
            .recv_buffer_size(30_000);
        // The first is of another family than the source.
        let both = ["[::1]:1".parse().unwrap(), address];
        let stream = options.connect(&both[..]).await.unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!((peer, peer.ip()), (stream.local_addr().unwrap(), source.ip()));
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.keepalive().unwrap(), Some(keepalive));
        assert_eq!(stream.send_buffer_size().unwrap(), 40_000);
        assert_eq!(stream.recv_buffer_size().unwrap(), 60_000);
        let error = options.connect("[::1]:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // Not an address of this machine: 192.0.2.0/24 is for documents.
        let foreign = ConnectOptions::new().source(SocketAddr::from(([192, 0, 2, 1], 0)));
        let error = foreign.connect(address).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL));
    });
}

#[test]
fn n12_a_connect_that_takes_too_long_ends_and_makes_no_connection_later() {
    on_each_driver(async || {
        let (listener, waiting) = full_listener();
        let address = listener.local_addr().unwrap();
        let options = ConnectOptions::new().timeout(Duration::from_millis(1));
        for _ in 0..20 {
            let error = soon(options.connect(address)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(error.to_string().contains("within 1ms"), "{error}");
        }
        // Room again: no one comes but those who waited, also when TCP would try again.
        for _ in &waiting {
            listener.accept().unwrap();
        }
        listener.set_nonblocking(true).unwrap();
        sleep(Duration::from_millis(1200)).await;
        assert!(listener.accept().is_err(), "a connect that had timed out has arrived");
    });
}

#[test]
fn an_address_is_taken_again_or_shared_as_the_options_say() {
    on_each_driver(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = TcpListener::bind(address).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        // A connection that its server has closed first is in TIME_WAIT there.
        let client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        server.close().await.unwrap();
        assert!(client.recv().await.unwrap().is_empty());
        client.close().await.unwrap();
        drop(listener.into_std().await.unwrap());
        let strict = ListenOptions::new().reuse_address(false);
        let error = strict.bind(address).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
        TcpListener::bind(address).await.unwrap();
        let shared = ListenOptions::new().reuse_port(true);
        let first = shared.bind("127.0.0.1:0").await.unwrap();
        shared.bind(first.local_addr().unwrap()).await.unwrap();
    });
}

#[test]
fn a_listener_of_all_ipv6_addresses_takes_ipv4_only_if_it_may() {
    on_each_driver(async || {
        for only_v6 in [true, false] {
            let options = ListenOptions::new().only_v6(only_v6);
            // A machine may have no IPv6.
            let Ok(listener) = options.bind("[::]:0").await else { return };
            let port = listener.local_addr().unwrap().port();
            let by_v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
            assert_eq!(by_v4.is_err(), only_v6, "{by_v4:?}");
        }
        // For an IPv4 address it means nothing.
        ListenOptions::new().only_v6(true).bind("127.0.0.1:0").await.unwrap();
    });
}

#[test]
fn a_connection_with_a_linger_of_zero_is_reset_when_it_is_dropped() {
    on_each_driver(async || {
        let (stream, peer) = both_ends().await.unwrap();
        stream.set_zero_linger().unwrap();
        drop(stream);
        let error = peer.recv().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn host_names_lead_to_connections_and_literal_addresses_need_no_lookup() {
    on_each_driver(async || {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for stream in [
            TcpStream::connect(("localhost", port)).await,
            TcpStream::connect(format!("localhost:{port}")).await,
        ] {
            assert_eq!(stream.unwrap().peer_addr().unwrap().port(), port);
        }
        let error = lookup_host("localhost").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(at_once(lookup_host("127.0.0.1:80")).await, [address]);
        assert_eq!(at_once(lookup_host(&("127.0.0.1", 80))).await, [address]);
        assert_eq!(at_once(lookup_host(("127.0.0.1".to_owned(), 80))).await, [address]);
        assert_eq!(at_once(lookup_host((Ipv4Addr::LOCALHOST, 80))).await, [address]);
        assert_eq!(at_once(lookup_host(address)).await, [address]);
        let six = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80));
        assert_eq!(at_once(lookup_host("[::1]:80")).await, [six]);
        assert_eq!(at_once(lookup_host(&[address, six][..])).await, [address, six]);
    });
}

/// The output of a lookup that does not wait, as one does that has a thread to start.
async fn at_once<T>(future: impl Future<Output = std::io::Result<T>>) -> T {
    // On a slow machine the task may have used up its turn.
    let mut future = pin!(unconstrained(future));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.unwrap()),
        Poll::Pending => panic!("it waits"),
    })
    .await
}
