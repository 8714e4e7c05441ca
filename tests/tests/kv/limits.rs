//! What clients may take: memory up to a budget of each connection and of each shard, time up to
//! what was told on the command line.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::program::{Server, example};
use miniss_tests::resp::{Client, Reply, request, words};

use crate::memory::{MIB, assert_grown_at_most};
use crate::{client, kv};

/// The example with further options.
fn kv_with(shards: usize, options: &[&str]) -> Server {
    Server::launch(example("kv").args(options), shards)
}

/// `SET key` to so many bytes.
fn set(client: &mut Client, key: &str, bytes: u64) {
    client.send(words(&format!("SET {key} {}", "x".repeat(bytes as usize))));
    assert_eq!(client.reply(), Reply::ok());
}

#[track_caller]
fn assert_no_memory(reply: &Reply) {
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("OOM ")), "{reply:.200?}");
}

#[test]
fn a_small_request_for_gigabytes_is_refused_and_costs_nothing() {
    let _deadline = deadline("a_small_request_for_gigabytes_is_refused_and_costs_nothing");
    for shards in [1, 2] {
        let server = kv(shards);
        let mut client = client(&server);
        for key in ["a", "b", "c", "d"] {
            set(&mut client, key, MIB);
        }
        let before = server.resident_bytes();
        assert_no_memory(&client.ask(&format!("MGET{}", " a b c d".repeat(1000))));
        assert_no_memory(&client.ask(&format!("MGET{}", " a".repeat(3000))));
        assert_grown_at_most(&server, before, 16 * MIB);
        assert_eq!(client.ask("STRLEN a"), Reply::Integer(MIB as i64), "the connection lives on");
    }
}

#[test]
fn many_small_strings_in_one_reply_count_like_large_ones() {
    let _deadline = deadline("many_small_strings_in_one_reply_count_like_large_ones");
    for shards in [1, 2] {
        let server = kv_with(shards, &["--connection-mib", "4"]);
        let mut client = client(&server);
        for key in ["a", "b", "c", "d"] {
            set(&mut client, key, 10_000);
        }
        let before = server.resident_bytes();
        assert_no_memory(&client.ask(&format!("MGET{}", " a b c d".repeat(20_000))));
        assert_no_memory(&client.ask(&format!("COMMAND INFO{}", " get".repeat(100_000))));
        assert_grown_at_most(&server, before, 40 * MIB);
    }
}

#[test]
fn a_reply_beyond_the_budget_is_refused_and_takes_nothing_away() {
    let _deadline = deadline("a_reply_beyond_the_budget_is_refused_and_takes_nothing_away");
    for shards in [1, 2] {
        let server = kv_with(shards, &["--connection-mib", "2"]);
        let mut client = client(&server);
        let element = "x".repeat(10_000);
        for number in 0..400 {
            client.send(words(&format!("RPUSH list {number}{element}")));
            client.send(words(&format!("SADD set {number}{element}")));
            client.send(words(&format!("HSET hash {number} {element}")));
        }
        (0..1200).for_each(|_| assert!(matches!(client.reply(), Reply::Integer(_))));
        let refused = [
            "LRANGE list 0 -1",
            "LPOP list 400",
            "RPOP list 400",
            "SMEMBERS set",
            "SPOP set 400",
            "HGETALL hash",
        ];
        refused.iter().for_each(|request| assert_no_memory(&client.ask(request)));
        for length in ["LLEN list", "SCARD set", "HLEN hash"] {
            assert_eq!(client.ask(length), Reply::Integer(400), "{length}");
        }
        let Reply::Array(popped) = client.ask("LPOP list 50") else { panic!("no array") };
        assert_eq!(popped.len(), 50);
        for key in ["k", "l", "m", "n"] {
            for number in 0..400 {
                client.send(words(&format!("SET {key}{number}{element} x")));
            }
            (0..400).for_each(|_| assert_eq!(client.reply(), Reply::ok()));
        }
        assert_no_memory(&client.ask("KEYS *"));
        assert_eq!(client.ask("KEYS list"), Reply::Array(vec![Reply::text("list")]));
    }
}

#[test]
fn pipelines_of_any_size_are_not_refused() {
    let _deadline = deadline("pipelines_of_any_size_are_not_refused");
    let server = kv_with(2, &["--connection-mib", "4"]);
    let mut client = client(&server);
    for key in ["a", "b", "c", "d"] {
        set(&mut client, key, MIB);
        client.send(words(&format!("HSET hash:{key} field {}", "x".repeat(MIB as usize))));
        assert_eq!(client.reply(), Reply::Integer(1));
    }
    let mut sender = client.stream().try_clone().expect("a socket can be shared");
    let keys = ["a", "b", "c", "d"].iter().cycle();
    let requests = keys.flat_map(|key| [format!("GET {key}"), format!("HGETALL hash:{key}")]);
    let bytes: Vec<u8> = requests.take(100).flat_map(|request| words(&request)).collect();
    thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, &bytes));
        for _ in 0..50 {
            assert!(matches!(client.reply(), Reply::Bytes(value) if value.len() as u64 == MIB));
            assert!(matches!(client.reply(), Reply::Array(pair) if pair.len() == 2));
        }
    });
}

#[test]
fn large_values_of_all_shards_are_sent_without_a_copy() {
    let _deadline = deadline("large_values_of_all_shards_are_sent_without_a_copy");
    let server = kv(2);
    let (mut client, mut other) = (client(&server), client(&server));
    let keys: Vec<String> = (0..64).map(|number| format!("key:{number}")).collect();
    for key in &keys {
        set(&mut client, key, 2 * MIB);
    }
    let before = server.resident_bytes();
    client.send(words(&format!("MGET {}", keys.join(" "))));
    // The reply has begun to come, and stays what it was.
    client.stream().peek(&mut [0]).expect("the server answers");
    assert_grown_at_most(&server, before, 32 * MIB);
    for key in &keys {
        assert_eq!(other.ask(&format!("SET {key} other")), Reply::ok());
    }
    let Reply::Array(values) = client.reply() else { panic!("no array") };
    let expected = Reply::Bytes(vec![b'x'; 2 * MIB as usize]);
    assert!(values.len() == 64 && values.iter().all(|value| *value == expected));
}

#[test]
fn what_one_shard_s_connections_hold_together_is_bounded() {
    let _deadline = deadline("what_one_shard_s_connections_hold_together_is_bounded");
    let server = kv_with(1, &["--shard-mib", "16"]);
    let before = server.resident_bytes();
    let mut hogs: Vec<Client> = (0..6).map(|_| client(&server)).collect();
    let mut refused = 0;
    for hog in &mut hogs {
        hog.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000000\r\n");
        // The server may close before it has read all.
        let piece = vec![b'x'; 5 << 20];
        let _ = std::io::Write::write_all(hog.stream(), &piece);
    }
    let end = Instant::now() + SOON;
    while refused < 3 && Instant::now() < end {
        refused = hogs.iter_mut().filter_map(|hog| is_ended(hog.stream()).then_some(())).count();
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(refused, 3, "three can hold 15 MiB, and do");
    assert_grown_at_most(&server, before, 32 * MIB);
    // Small requests are served all the same, and large ones as soon as there is room.
    let mut other = client(&server);
    assert_eq!(other.ask("SET b 1"), Reply::ok());
    assert_eq!(other.ask("GET b"), Reply::text("1"));
    drop(hogs);
    let end = Instant::now() + SOON;
    while !fits(&server, 10 * MIB) {
        assert!(Instant::now() < end, "the room of clients that went comes back");
    }
}

/// True if the server has closed the connection, or an error is there to be read.
fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("an option of every socket");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("an option of every socket");
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// True if a value of so many bytes is taken.
fn fits(server: &Server, bytes: u64) -> bool {
    let (mut client, mut request_bytes) = (client(server), Vec::new());
    request(&mut request_bytes, &[b"SET", &b"a"[..], &vec![b'x'; bytes as usize]]);
    let sent = std::io::Write::write_all(client.stream(), &request_bytes);
    sent.is_ok() && Reply::read(&mut std::io::BufReader::new(client.stream())).is_ok_and(is_ok)
}

fn is_ok(reply: Reply) -> bool {
    reply == Reply::ok()
}

#[test]
fn a_request_beyond_the_budget_is_refused_when_it_is_announced() {
    let _deadline = deadline("a_request_beyond_the_budget_is_refused_when_it_is_announced");
    let server = kv_with(2, &["--connection-mib=1"]);
    let mut client = client(&server);
    client.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1200000\r\n");
    assert_eq!(client.reply(), Reply::Error("ERR Protocol error: too big request".into()));
    assert_eq!(client.rest(), b"");
}

/// Waits until the server has closed the connection.
#[track_caller]
fn assert_closed(stream: &mut TcpStream) {
    // Nothing is read: what fills the buffers is what the client is closed for.
    let end = Instant::now() + SOON;
    let mut error = stream.take_error().expect("an option of every socket");
    while error.is_none() && Instant::now() < end {
        // To a connection that is closed nothing can be sent; the first time, it is only reset.
        match std::io::Write::write_all(stream, b"\r\n") {
            Ok(()) => thread::sleep(Duration::from_millis(10)),
            Err(_) => return,
        }
        error = stream.take_error().expect("an option of every socket");
    }
    assert!(error.is_some(), "the server closes the connection");
}

#[test]
fn a_client_that_never_reads_is_closed_after_a_time() {
    let _deadline = deadline("a_client_that_never_reads_is_closed_after_a_time");
    for shards in [1, 2] {
        let options = ["--unread-soft-mib", "1", "--unread-seconds", "1"];
        let server = kv_with(shards, &options);
        let mut other = client(&server);
        for key in ["a", "b"] {
            set(&mut other, key, 16 * MIB);
        }
        let mut stuck = server.connect();
        let requests = ["GET a", "GET b", "HGETALL nothing"].map(words).concat();
        std::io::Write::write_all(&mut stuck, &requests).expect("the server takes bytes");
        assert_closed(&mut stuck);
        assert_eq!(other.ask("PING"), Reply::Status("PONG".into()));
    }
}

#[test]
fn a_client_with_too_many_unread_replies_is_closed_at_once() {
    let _deadline = deadline("a_client_with_too_many_unread_replies_is_closed_at_once");
    let server = kv_with(2, &["--unread-hard-mib", "4"]);
    let mut setter = client(&server);
    set(&mut setter, "a", 3 * MIB);
    set(&mut setter, "b", 5 * MIB);
    assert!(matches!(setter.ask("GET a"), Reply::Bytes(value) if value.len() as u64 == 3 * MIB));
    setter.send(words("GET b"));
    let mut rest = Vec::new();
    // It may end with a reset or in order, but not with the value.
    let _ = setter.stream().read_to_end(&mut rest);
    assert!(rest.is_empty(), "{} bytes", rest.len());
    assert_eq!(client(&server).ask("PING"), Reply::Status("PONG".into()));
}

#[test]
fn a_client_that_says_nothing_is_closed_if_that_was_asked_for() {
    let _deadline = deadline("a_client_that_says_nothing_is_closed_if_that_was_asked_for");
    let server = kv_with(1, &["--timeout", "3"]);
    for half in ["", "*1\r\n$4\r\nPI"] {
        let mut idle = client(&server);
        assert_eq!(idle.ask("PING"), Reply::Status("PONG".into()));
        idle.send(half);
        assert_eq!(idle.rest(), b"");
    }
}

#[test]
fn silent_clients_are_asked_whether_they_are_still_there() {
    let _deadline = deadline("silent_clients_are_asked_whether_they_are_still_there");
    for (options, expected) in [(&[][..], true), (&["--tcp-keepalive", "0"], false)] {
        let server = kv_with(1, options);
        let mut client = client(&server);
        assert_eq!(client.ask("PING"), Reply::Status("PONG".into()));
        let here = client.stream().local_addr().expect("a connection has an address");
        let end = Instant::now() + SOON;
        // A reply that is not acknowledged yet has another timer.
        while has_keepalive_timer(server.address().port(), here.port()) != expected {
            assert!(Instant::now() < end, "with {options:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether the kernel will probe the connection from one local port to another when it is silent.
fn has_keepalive_timer(from: u16, to: u16) -> bool {
    /// From `net/ipv4/tcp_ipv4.c`: the keepalive timer is the one that runs.
    const KEEPALIVE: &str = "02:";
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let line = table.lines().find(|line| {
        let mut words = line.split_whitespace().skip(1);
        let mut ends_in = |port: u16| words.next().is_some_and(|it| it.ends_with(&port_text(port)));
        ends_in(from) && ends_in(to)
    });
    let timer = line.and_then(|line| line.split_whitespace().nth(5));
    timer.expect("the connection is listed").starts_with(KEEPALIVE)
}

fn port_text(port: u16) -> String {
    format!(":{port:04X}")
}

#[test]
fn idle_connections_keep_little_of_what_they_used_once() {
    let _deadline = deadline("idle_connections_keep_little_of_what_they_used_once");
    let server = kv(2);
    let mut clients: Vec<Client> = (0..150).map(|_| client(&server)).collect();
    let keys: Vec<String> = (0..48).map(|number| format!("{number:02}")).collect();
    for key in &keys {
        set(&mut clients[0], key, 40);
    }
    let before = server.resident_bytes();
    clients.iter_mut().for_each(|client| burst(client, &keys));
    // What the shards themselves receive into, 8 MiB each, and no more than 50 KiB a connection.
    assert_grown_at_most(&server, before, 24 * MIB);
}

/// How often a pipeline asks for each key.
const BURST: usize = 100;

/// Sends a pipeline for all shards and reads what comes.
fn burst(client: &mut Client, keys: &[String]) {
    let requests: Vec<u8> = keys.iter().flat_map(|key| words(&format!("GET {key}"))).collect();
    let requests = requests.repeat(BURST);
    let mut sender = client.stream().try_clone().expect("a socket can be shared");
    thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut sender, &requests));
        (0..BURST * keys.len()).for_each(|_| assert!(matches!(client.reply(), Reply::Bytes(_))));
    });
}

#[test]
fn a_byte_behind_a_large_request_does_not_keep_its_memory() {
    let _deadline = deadline("a_byte_behind_a_large_request_does_not_keep_its_memory");
    let server = kv(1);
    let mut client = client(&server);
    let before = server.resident_bytes();
    client.send([words(&format!("SET a {}", "x".repeat(48 << 20))), b"*".to_vec()].concat());
    assert_eq!(client.reply(), Reply::ok());
    assert_eq!(crate::client(&server).ask("DEL a"), Reply::Integer(1));
    let end = Instant::now() + SOON;
    while server.resident_bytes() > before + 16 * MIB && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    assert_grown_at_most(&server, before, 16 * MIB);
    client.send("1\r\n$4\r\nPING\r\n");
    assert_eq!(client.reply(), Reply::Status("PONG".into()));
}
