//! Signals: what was received is answered, then the server ends in order; the second ends it at
//! once. Scenario N13.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::{client, kv};
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::io_uring_is_refused;
use miniss_tests::program::{Server, example, with_fragile_rings};
use miniss_tests::resp::{Client, Reply, request, words};

#[test]
fn n13_what_was_received_before_a_signal_is_answered() {
    let _deadline = deadline("n13_what_was_received_before_a_signal_is_answered");
    for (signal, shards) in [(libc::SIGTERM, 1), (libc::SIGINT, 2), (libc::SIGTERM, 3)] {
        let server = kv(shards);
        let mut idle = client(&server);
        idle.ask("PING");
        let mut clients: Vec<_> = (0..8).map(|_| client(&server)).collect();
        clients.iter_mut().for_each(|client| _ = client.ask("PING"));
        // Keys of all shards.
        let mut requests = Vec::new();
        (0..500).for_each(|n| request(&mut requests, &["SET", &format!("key:{n}"), "value"]));
        clients.iter_mut().for_each(|client| client.send(&requests));
        server.signal(signal);
        for client in &mut clients {
            (0..500).for_each(|_| assert_eq!(client.reply(), Reply::ok()));
            assert_eq!(client.rest(), b"");
        }
        assert_eq!(idle.rest(), b"");
        assert_eq!(server.wait().code(), Some(0), "{shards} shards");
    }
}

#[test]
fn a_shard_that_dies_ends_the_server_with_an_error() {
    let _deadline = deadline("a_shard_that_dies_ends_the_server_with_an_error");
    // Rings are what breaks.
    if io_uring_is_refused() {
        return;
    }
    for shards in [1, 3] {
        let mut command = example("kv");
        command.args(["--driver", "io-uring"]);
        let server = Server::launch(with_fragile_rings(&mut command, 8), shards);
        // So many at once, on one shard at least, that it hands over their first receives together.
        server.signal(libc::SIGSTOP);
        let mut flood: Vec<_> = (0..100).map(|_| server.connect()).collect();
        server.signal(libc::SIGCONT);
        // Or the replies, on a machine so slow that it gives way after each client that comes.
        let floods = thread::spawn(move || {
            while flood.iter_mut().all(|client| client.write_all(b"PING\r\n").is_ok()) {
                thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(server.wait().code(), Some(1), "{shards} shards");
        floods.join().unwrap();
    }
}

/// A server with a client that asks for much and reads nothing.
fn with_a_client_that_does_not_read() -> (Server, Client) {
    let server = kv(2);
    let mut stubborn = client(&server);
    let mut requests = Vec::new();
    request(&mut requests, &["SET", "large", &"x".repeat(1 << 20)]);
    (0..60).for_each(|_| requests.extend(words("GET large")));
    stubborn.send(requests);
    stubborn.reply();
    (server, stubborn)
}

/// Waits until the server accepts no more.
fn assert_stops_accepting(server: &Server) {
    while TcpStream::connect(server.address()).is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn n13_a_client_that_does_not_read_is_not_waited_for_longer_than_the_grace() {
    let _deadline =
        deadline("n13_a_client_that_does_not_read_is_not_waited_for_longer_than_the_grace");
    let (server, _stubborn) = with_a_client_that_does_not_read();
    server.signal(libc::SIGTERM);
    assert_stops_accepting(&server);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn n13_a_second_signal_ends_the_server_at_once() {
    let _deadline = deadline("n13_a_second_signal_ends_the_server_at_once");
    for (second, status) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let (server, _stubborn) = with_a_client_that_does_not_read();
        server.signal(libc::SIGTERM);
        assert_stops_accepting(&server);
        server.signal(second);
        assert_eq!(server.wait().code(), Some(status));
    }
}
