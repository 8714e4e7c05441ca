//! `KEYS` and `SCAN` while other requests run between their turns.
use std::collections::HashSet;
use std::sync::Arc;

use crate::batch::Batch;
use crate::budget::Budget;
use crate::command::{Command, Reach};
use crate::resp::{Output, Proto};
use crate::store::Store;
use crate::testing::{Server, in_short_turns};

fn put(store: &mut Store, key: &str) {
    let found = store.locate(key.as_bytes(), 0);
    store.put_string(found, key.as_bytes(), b"value");
}

fn remove(store: &mut Store, key: &str) {
    if let Ok(place) = store.locate(key.as_bytes(), 0) {
        store.remove(place);
    }
}

fn add_all(store: &mut Store, name: &str, count: usize) {
    (0..count).for_each(|number| put(store, &format!("{name}:{number}")));
}

/// The strings of an array.
fn strings(reply: &[u8]) -> Vec<String> {
    let text = str::from_utf8(reply).unwrap();
    let mut lines = text.split("\r\n");
    let count: usize = lines.next().unwrap()[1..].parse().unwrap();
    let strings: Vec<String> = lines.skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(strings.len(), count);
    strings
}

/// Runs `KEYS pattern`, with `between` after each turn; gives the keys and how many turns it took.
fn keys_in_turns(
    store: &mut Store,
    pattern: &[u8],
    mut between: impl FnMut(&mut Store),
) -> (Vec<String>, usize) {
    let Reach::Every(run, _) = Command::named(b"keys").unwrap().reach else { panic!() };
    let (mut batch, mut turns) = (Batch::default(), 0);
    batch.push(run, Proto::Resp2, [b"keys", pattern].into_iter());
    while batch.is_waiting() {
        batch.run(store, 0, usize::MAX);
        turns += 1;
        between(store);
    }
    let mut reply = Output::default();
    reply.append(batch.reply().unwrap());
    let pieces = reply.take_pieces();
    let bytes: Vec<u8> = pieces.flat_map(|piece| piece.string[piece.range].to_vec()).collect();
    (strings(&bytes), turns)
}

#[test]
fn keys_names_what_was_there_and_stays_once_while_others_come_go_and_come_again() {
    in_short_turns(|| {
        let mut store = Store::new(0, 1);
        add_all(&mut store, "stays", 40_000);
        add_all(&mut store, "goes", 20_000);
        let mut turn = 0;
        let (keys, turns) = keys_in_turns(&mut store, b"*s:*", |store| {
            for number in (0..20_000).skip(turn).step_by(7) {
                remove(store, &format!("goes:{number}"));
                put(store, &format!("goes:{number}"));
                put(store, &format!("comes:{turn}:{number}"));
            }
            turn += 1;
        });
        assert!(turns > 3, "{turns}");
        let unique: HashSet<&String> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len(), "a key is named twice");
        assert!(!keys.iter().any(|key| key.starts_with("comes")), "a key is named that came later");
        assert!((0..40_000).all(|number| unique.contains(&format!("stays:{number}"))));
    });
}

#[test]
fn keys_that_a_flush_interrupts_names_none_that_came_after_it() {
    in_short_turns(|| {
        let mut store = Store::new(0, 1);
        add_all(&mut store, "old", 60_000);
        let mut flushed = false;
        let (keys, _) = keys_in_turns(&mut store, b"*", |store| {
            if !flushed {
                store.clear();
                add_all(store, "new", 1000);
                flushed = true;
            }
        });
        assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("old")));
    });
}

#[test]
fn keys_that_exceed_the_budget_in_a_later_turn_are_refused() {
    in_short_turns(|| {
        let mut store = Store::new(0, 1);
        (0..400).for_each(|number| put(&mut store, &format!("{}{number}", "a".repeat(10 << 10))));
        let Reach::Every(run, _) = Command::named(b"keys").unwrap().reach else { panic!() };
        let (mut batch, mut turns) = (Batch::default(), 0);
        batch.charge_to(Some(Arc::new(Budget::new(1 << 20, None))));
        batch.push(run, Proto::Resp2, [b"keys", b"*".as_slice()].into_iter());
        while batch.is_waiting() {
            batch.run(&mut store, 0, usize::MAX);
            turns += 1;
        }
        let reply = String::from_utf8(batch.reply().unwrap().bytes().to_vec()).unwrap();
        assert!(turns > 3 && reply.starts_with("-OOM reply"), "{turns} turns: {reply:.99}");
    });
}

#[test]
fn a_stubborn_pattern_has_many_turns_with_others_between() {
    in_short_turns(|| {
        let mut store = Store::new(0, 1);
        (0..40).for_each(|number| put(&mut store, &format!("{}{number}", "a".repeat(64 << 10))));
        let pattern = format!("*{}b*", "a".repeat(1000));
        let (keys, turns) = keys_in_turns(&mut store, pattern.as_bytes(), |_| {});
        assert_eq!((keys.len(), turns > 5), (0, true), "{turns} turns");
    });
}

#[test]
fn a_step_of_a_scan_ends_early_when_it_takes_long_and_the_walk_is_whole_all_the_same() {
    in_short_turns(|| {
        for shards in [1, 3] {
            let mut server = Server::new(shards);
            for number in 0..60 {
                let key = format!("{}{number}", "a".repeat(32 << 10));
                assert_eq!(server.ask(&format!("set {key} x")), "+OK\r\n");
            }
            let pattern = format!("*{}*", "a".repeat(1000));
            let (mut seen, mut steps, mut cursor) = (HashSet::new(), 0, "0".to_owned());
            while steps == 0 || cursor != "0" {
                let reply = server.ask(&format!("scan {cursor} count 1000000 match {pattern}"));
                let mut lines = reply.split("\r\n").skip(2);
                cursor = lines.next().unwrap().to_owned();
                seen.extend(
                    lines.skip(2).step_by(2).map(str::to_owned).filter(|key| !key.is_empty()),
                );
                steps += 1;
            }
            assert_eq!((seen.len(), steps > 5), (60, true), "{steps} steps");
        }
    });
}

#[test]
fn a_pipeline_of_walks_and_changes_runs_in_its_order() {
    in_short_turns(|| {
        for shards in [1, 3] {
            let mut server = Server::new(shards);
            for number in 0..50_000 {
                server.ask(&format!("set {number} x"));
            }
            let pipeline = "keys *\r\nset new x\r\nkeys new\r\ndel new\r\nkeys *\r\ndbsize";
            let reply = server.ask(pipeline);
            let (first, rest) = reply.split_once("+OK\r\n").unwrap();
            assert_eq!(strings(first.as_bytes()).len(), 50_000);
            let (middle, last) = rest.split_once(":1\r\n").unwrap();
            assert_eq!(middle, "*1\r\n$3\r\nnew\r\n");
            assert!(last.starts_with("*50000\r\n") && last.ends_with(":50000\r\n"));
        }
    });
}

#[test]
fn every_number_is_a_cursor_and_nothing_else_is() {
    for shards in [1, 3] {
        let mut server = Server::new(shards);
        (0..1000).for_each(|number| drop(server.ask(&format!("set {number} x"))));
        for cursor in ["-1", "7", "+7", "18446744073709551615", "281474976710656", "5\\x00"] {
            let reply = server.ask(&format!("scan \"{cursor}\""));
            assert!(reply.starts_with("*2\r\n$"), "{cursor}: {reply}");
        }
        for cursor in ["x", "", "1x", " 1", "18446744073709551616", "-", "--1", "1 "] {
            let reply = server.ask(&format!("scan \"{cursor}\""));
            let empty_is_zero = cursor.is_empty() && reply.starts_with("*2\r\n");
            assert!(empty_is_zero || reply == "-ERR invalid cursor\r\n", "{cursor}: {reply}");
        }
    }
}

#[test]
fn a_pattern_that_is_too_long_is_refused_with_its_bounds() {
    for shards in [1, 3] {
        let mut server = Server::new(shards);
        let pattern = "x".repeat((64 << 10) + 1).into_bytes();
        let text = "-ERR pattern is too long: it may have 65536 bytes, 1024 stars, and 64 \
                    characters between two stars that are not all plain\r\n";
        for command in ["*2\r\n$4\r\nkeys\r\n", "*4\r\n$4\r\nscan\r\n$1\r\n0\r\n$5\r\nmatch\r\n"] {
            let head = format!("{command}${}\r\n", pattern.len());
            let reply = server.send(&[head.as_bytes(), &pattern, b"\r\n"].concat());
            assert_eq!(String::from_utf8(reply).unwrap(), text);
        }
    }
}
