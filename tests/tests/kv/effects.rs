//! What others see of one connection's requests: a later one never before an earlier one that had
//! to wait, whether or not the client reads.

use std::io::Write;
use std::net::TcpStream;

use miniss_tests::deadline::deadline;
use miniss_tests::program::Server;
use miniss_tests::random::Random;
use miniss_tests::resp::{Client, Reply, words};
use miniss_tests::sockets::shrink_buffers;

use crate::{client, kv};

/// Marks that a pipeline sets one after the other, on all shards.
const MARKS: usize = 24;
/// Connections that set marks.
const SETS: usize = 8;
/// Keys with much to show, on all shards.
const LARGE: usize = 4;

/// A server whose keys have more to show than any socket takes.
fn with_large_values(shards: usize) -> (Server, Client) {
    let server = kv(shards);
    let mut observer = client(&server);
    let large = "x".repeat(8 << 20);
    for number in 0..LARGE {
        observer.send(words(&format!("SET string:{number} {large}")));
        assert_eq!(observer.reply(), Reply::ok());
        observer.send(words(&format!("HSET hash:{number} field {large}")));
        assert_eq!(observer.reply(), Reply::Integer(1));
        observer.send(words(&format!("RPUSH list:{number} {large}")));
        assert_eq!(observer.reply(), Reply::Integer(1));
    }
    (server, observer)
}

/// A connection that sends `requests` and never reads.
fn never_reading(server: &Server, requests: &[u8]) -> TcpStream {
    let mut stream = server.connect();
    shrink_buffers(&stream);
    stream.write_all(requests).expect("the server takes bytes");
    stream
}

fn mark(set: usize, number: usize) -> String {
    format!("mark:{set}:{number}")
}

fn is_set(observer: &mut Client, key: &str) -> bool {
    observer.ask(&format!("EXISTS {key}")) == Reply::Integer(1)
}

/// Fails if a mark is there and, looked for after it, an earlier one is not.
#[track_caller]
fn assert_set_in_order(observer: &mut Client, set: usize) {
    let present: Vec<bool> =
        (0..MARKS).rev().map(|number| is_set(observer, &mark(set, number))).collect();
    let first = present.iter().position(|present| *present).unwrap_or(MARKS);
    assert!(present[first..].iter().all(|present| *present), "from the last on: {present:?}");
}

#[test]
fn nothing_runs_before_what_waits_for_the_client_to_read() {
    let _deadline = deadline("nothing_runs_before_what_waits_for_the_client_to_read");
    let mut random = Random::new();
    for shards in [1, 2, 3] {
        let (server, mut observer) = with_large_values(shards);
        let mut stuck = Vec::new();
        for set in 0..SETS {
            let mut bytes = Vec::new();
            for number in 0..MARKS {
                bytes.extend(words(&large_request(&mut random)));
                bytes.extend(words(&format!("SET {} x", mark(set, number))));
            }
            stuck.push(never_reading(&server, &bytes));
            for set in 0..=set {
                assert_set_in_order(&mut observer, set);
            }
        }
        (0..SETS).for_each(|set| assert_set_in_order(&mut observer, set));
        drop(stuck);
    }
}

/// A request with a reply that is large, or of several shards, or neither.
fn large_request(random: &mut Random) -> String {
    let number = random.below(LARGE as u64);
    match random.below(8) {
        0 => format!("GET string:{number}"),
        1 => format!("HGETALL hash:{number}"),
        2 => format!("LRANGE list:{number} 0 -1"),
        3 => "MGET string:0 string:1 string:2 string:3".into(),
        4 => "KEYS string:*".into(),
        5 => "SCAN 0 COUNT 3".into(),
        6 => format!("EXISTS list:{number} hash:0 hash:1 hash:2"),
        _ => format!("HGET hash:{number} field"),
    }
}
