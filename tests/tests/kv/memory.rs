//! Clients that promise or ask for more than is good: what they cost is bounded, and no one else
//! notices.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::program::Server;
use miniss_tests::resp::{Client, Reply, words};

use crate::{client, kv};

pub const MIB: u64 = 1 << 20;

/// Fails if the server has grown by more than `bytes` since it had `before`.
#[track_caller]
pub fn assert_grown_at_most(server: &Server, before: u64, bytes: u64) {
    let now = server.resident_bytes();
    assert!(now <= before + bytes, "from {} to {} MiB", before / MIB, now / MIB);
}

#[test]
fn what_is_only_promised_costs_nothing() {
    let _deadline = deadline("what_is_only_promised_costs_nothing");
    let server = kv(2);
    assert_eq!(client(&server).ask("PING"), Reply::Status("PONG".into()));
    let before = server.resident_bytes();
    let promises = [
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n",
        "*1048576\r\n$4\r\nMGET\r\n",
        "*3\r\n$3\r\nSET\r\n$536870912\r\n",
    ];
    let mut clients = Vec::new();
    for promise in promises.iter().cycle().take(60) {
        let mut promising = client(&server);
        promising.send(promise);
        clients.push(promising);
    }
    assert_eq!(client(&server).ask("PING"), Reply::Status("PONG".into()));
    assert_grown_at_most(&server, before, 8 * MIB);
}

#[test]
fn too_large_a_value_and_too_many_arguments_are_refused_at_once() {
    let _deadline = deadline("too_large_a_value_and_too_many_arguments_are_refused_at_once");
    let server = kv(1);
    assert_eq!(client(&server).ask("PING"), Reply::Status("PONG".into()));
    let before = server.resident_bytes();
    let refusals = [
        ("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870913\r\n", "invalid bulk length"),
        ("*1048577\r\n$4\r\nMGET\r\n", "invalid multibulk length"),
    ];
    for (bytes, what) in refusals {
        let mut client = client(&server);
        client.send(bytes);
        assert_eq!(client.reply(), Reply::Error(format!("ERR Protocol error: {what}")));
        assert_eq!(client.rest(), b"");
    }
    assert_grown_at_most(&server, before, 4 * MIB);
}

#[test]
fn a_huge_request_that_is_given_up_is_given_back() {
    let _deadline = deadline("a_huge_request_that_is_given_up_is_given_back");
    let server = kv(1);
    let mut client = client(&server);
    assert_eq!(client.ask("PING"), Reply::Status("PONG".into()));
    let before = server.resident_bytes();
    client.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000000\r\n");
    (0..64).for_each(|_| client.send(vec![b'x'; MIB as usize]));
    drop(client);
    let end = Instant::now() + SOON;
    while server.resident_bytes() > before + 16 * MIB && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    assert_grown_at_most(&server, before, 16 * MIB);
}

/// Sends `request` over and over until the server has stopped reading for a while.
fn send_until_stuck(stream: &mut TcpStream, request: &[u8]) {
    let many = request.repeat(1 + 60_000 / request.len());
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("the time is not zero");
    for _ in 0..2000 {
        match stream.write_all(&many) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("the server does not end the connection: {error}"),
        }
    }
    panic!("the server reads on and on from a client that does not read");
}

/// Others are served, each [`SOON`], which is how long a client waits.
#[track_caller]
fn assert_others_are_served(server: &Server) {
    let mut others: Vec<Client> = (0..4).map(|_| client(server)).collect();
    for round in 0..20 {
        for other in &mut others {
            assert_eq!(other.ask(&format!("SET other {round}")), Reply::ok());
            assert_eq!(other.ask("GET other"), Reply::text(round.to_string()));
        }
    }
}

#[test]
fn a_client_that_asks_for_gigabytes_and_never_reads_is_bounded() {
    let _deadline = deadline("a_client_that_asks_for_gigabytes_and_never_reads_is_bounded");
    for shards in [1, 2] {
        let server = kv(shards);
        let mut setter = client(&server);
        for key in ["a", "b", "c", "d"] {
            assert_eq!(setter.ask(&format!("SET {key} {}", "x".repeat(MIB as usize))), Reply::ok());
        }
        let before = server.resident_bytes();
        let requests = ["GET a", "GET b", "GET c", "GET d", "MGET a b c d"].map(words).concat();
        let mut stuck = server.connect();
        send_until_stuck(&mut stuck, &requests);
        assert_grown_at_most(&server, before, 64 * MIB);
        assert_others_are_served(&server);
    }
}

#[test]
fn a_hundred_clients_that_never_read_stop_no_one_else() {
    let _deadline = deadline("a_hundred_clients_that_never_read_stop_no_one_else");
    let server = kv(2);
    let mut setter = client(&server);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(setter.ask(&format!("SET {key} {}", "x".repeat(16 << 10))), Reply::ok());
    }
    let before = server.resident_bytes();
    let requests = ["GET a", "GET b", "GET c", "GET d"].map(words).concat();
    let mut stuck: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    thread::scope(|scope| {
        for stream in &mut stuck {
            scope.spawn(|| send_until_stuck(stream, &requests));
        }
        assert_others_are_served(&server);
    });
    assert_others_are_served(&server);
    assert_grown_at_most(&server, before, 100 * 6 * MIB);
    drop(stuck);
    assert_others_are_served(&server);
}
