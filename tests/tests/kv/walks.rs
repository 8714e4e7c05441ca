//! Walks over all keys: others are served meanwhile, and nothing is missed.

use std::collections::HashSet;

use miniss_tests::deadline::deadline;
use miniss_tests::resp::{Reply, words};

use crate::{client, kv};

const KIB: usize = 1 << 10;

#[test]
fn others_are_served_while_a_stubborn_pattern_is_matched() {
    let _deadline = deadline("others_are_served_while_a_stubborn_pattern_is_matched");
    for shards in [1, 2] {
        let server = kv(shards);
        let (mut walker, mut other) = (client(&server), client(&server));
        for number in 0..400 {
            let key = format!("{}{number}", "a".repeat(128 * KIB));
            assert_eq!(walker.ask(&format!("SET {key} x")), Reply::ok());
        }
        let pattern = format!("*{0}?{0}b*", "a".repeat(31));
        walker.send(words(&format!("KEYS {pattern}")));
        let mut served = 0;
        while !is_readable(walker.stream()) {
            assert_eq!(other.ask("INCR n"), Reply::Integer(served + 1));
            served += 1;
        }
        assert_eq!(walker.reply(), Reply::Array(Vec::new()));
        assert!(served > 3, "{served} requests of another client while KEYS ran");
    }
}

fn is_readable(stream: &std::net::TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a stream can be asked");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a stream can wait");
    peeked.is_ok()
}

#[test]
fn keys_over_all_shards_names_all_once_while_others_change_them() {
    let _deadline = deadline("keys_over_all_shards_names_all_once_while_others_change_them");
    let server = kv(2);
    let (mut walker, mut other) = (client(&server), client(&server));
    for number in 0..50_000 {
        walker.send(words(&format!("SET stays:{number} x")));
    }
    (0..50_000).for_each(|_| assert_eq!(walker.reply(), Reply::ok()));
    for round in 0..5 {
        walker.send(words("KEYS *"));
        for number in 0..200 {
            let key = format!("comes:{}", number % 50);
            other.send([words(&format!("SET {key} x")), words(&format!("DEL {key}"))].concat());
        }
        let Reply::Array(keys) = walker.reply() else { panic!("no array") };
        (0..200).for_each(|_| {
            assert_eq!(other.reply(), Reply::ok());
            assert_eq!(other.reply(), Reply::Integer(1));
        });
        let unique: HashSet<Vec<u8>> = keys.iter().map(bytes).collect();
        assert_eq!(unique.len(), keys.len(), "round {round}: a key is named twice");
        let stays = |number: &usize| unique.contains(format!("stays:{number}").as_bytes());
        assert_eq!((0..50_000).filter(stays).count(), 50_000, "round {round}");
    }
}

fn bytes(reply: &Reply) -> Vec<u8> {
    let Reply::Bytes(bytes) = reply else { panic!("no string: {reply:?}") };
    bytes.clone()
}
