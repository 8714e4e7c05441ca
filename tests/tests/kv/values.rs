//! Large values, keys that expire, counters that many share.

use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::resp::{Client, Reply, request};

use crate::{client, kv};

/// Sets `key` on one connection and reads it on another.
fn round_trip(from: &mut Client, to: &mut Client, key: &str, value: &[u8]) {
    let mut bytes = Vec::new();
    request(&mut bytes, &[b"SET", key.as_bytes(), value]);
    from.send(bytes);
    assert_eq!(from.reply(), Reply::ok());
    // Not assert_eq: no one wants to read the difference.
    assert!(to.ask(&format!("GET {key}")) == Reply::text(value), "{} bytes changed", value.len());
}

#[test]
fn a_mebibyte_round_trips() {
    let _deadline = deadline("a_mebibyte_round_trips");
    let value = Random::new().bytes(1 << 20);
    for shards in [1, 2] {
        let server = kv(shards);
        let (mut from, mut to) = (client(&server), client(&server));
        for key in ["a", "b", "c", "d"] {
            round_trip(&mut from, &mut to, key, &value);
        }
    }
}

#[test]
fn sixty_four_mebibytes_round_trip() {
    let _deadline = deadline("sixty_four_mebibytes_round_trip");
    let value = Random::new().bytes(1 << 20).repeat(64);
    let server = kv(2);
    let (mut from, mut to) = (client(&server), client(&server));
    // Of several keys some belong to the shard of the connection and some do not.
    for key in ["a", "b", "c"] {
        round_trip(&mut from, &mut to, key, &value);
        assert_eq!(from.ask(&format!("DEL {key}")), Reply::Integer(1));
    }
}

#[test]
fn a_key_past_its_deadline_is_never_seen() {
    let _deadline = deadline("a_key_past_its_deadline_is_never_seen");
    let server = kv(2);
    let mut client = client(&server);
    for round in 0..20 {
        let key = format!("key:{round}");
        let start = Instant::now();
        assert_eq!(client.ask(&format!("SET {key} value PX 20")), Reply::ok());
        while client.ask(&format!("GET {key}")) == Reply::text("value") {
            let late = start.elapsed() > SOON;
            assert!(!late, "the key should have vanished after 20 ms");
        }
        assert!(start.elapsed() >= Duration::from_millis(19), "it vanished too early");
        assert_eq!(client.ask(&format!("EXISTS {key}")), Reply::Integer(0));
    }
}

#[test]
fn keys_that_no_one_asks_for_vanish_too() {
    let _deadline = deadline("keys_that_no_one_asks_for_vanish_too");
    let server = kv(2);
    let mut client = client(&server);
    // Three times: the task that expires keys ends with the last of them and must start again.
    for _ in 0..3 {
        for number in 0..1000 {
            assert_eq!(client.ask(&format!("SET key:{number} value PX 50")), Reply::ok());
        }
        assert_eq!(client.ask("SET stays value"), Reply::ok());
        let start = Instant::now();
        while client.ask("DBSIZE") != Reply::Integer(1) {
            assert!(start.elapsed() < SOON, "{:?}", client.ask("DBSIZE"));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn deadlines_are_set_told_and_lifted() {
    let _deadline = deadline("deadlines_are_set_told_and_lifted");
    let server = kv(2);
    let mut client = client(&server);
    let table = [
        ("TTL a", -2),
        ("EXPIRE a 1000", 0),
        ("APPEND a value", 5),
        ("TTL a", -1),
        ("PERSIST a", 0),
        ("EXPIRE a 1000", 1),
        ("TTL a", 1000),
        ("EXPIRE a 500 GT", 0),
        ("EXPIRE a 500 LT", 1),
        ("TTL a", 500),
        ("APPEND a more", 9),
        ("TTL a", 500),
        ("PERSIST a", 1),
        ("PTTL a", -1),
        ("EXPIRE a -1", 1),
        ("EXISTS a", 0),
    ];
    for (request, expected) in table {
        let reply = client.ask(request);
        let Reply::Integer(number) = reply else { panic!("{request}: {reply:?}") };
        // Time may have passed since the deadline was set.
        let passed = if expected >= 500 { SOON.as_secs() as i64 } else { 0 };
        assert!((expected - passed..=expected).contains(&number), "{request}: {number}");
    }
    assert_eq!(client.ask("SET a value EX 100"), Reply::ok());
    assert_eq!(client.ask("SET a value"), Reply::ok());
    assert_eq!(client.ask("TTL a"), Reply::Integer(-1), "SET lifts the deadline");
}

#[test]
fn counts_of_fifty_connections_add_up() {
    let _deadline = deadline("counts_of_fifty_connections_add_up");
    let server = kv(2);
    let counts = thread::scope(|scope| {
        let count = || {
            let mut client = client(&server);
            let pairs = (0..100).map(|_| (client.ask("INCR a"), client.ask("INCRBY b 3")));
            pairs.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(count)).collect();
        let counts = threads.into_iter().flat_map(|thread| thread.join().expect("no panic"));
        counts.map(|(a, _)| a).collect::<Vec<_>>()
    });
    let mut client = client(&server);
    assert_eq!(client.ask("GET a"), Reply::text("5000"));
    assert_eq!(client.ask("GET b"), Reply::text("15000"));
    let mut numbers: Vec<_> = counts.into_iter().map(|reply| format!("{reply:?}")).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5000, "each INCR gives another number");
}
