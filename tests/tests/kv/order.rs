//! Replies come in the order of the requests, whichever shard they are for, and as a model says.

use std::collections::HashMap;
use std::thread;

use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;
use miniss_tests::resp::{Client, Reply, request};

use crate::{client, kv};

/// Requests in one pipeline: more than the server handles in one round.
const PIPELINE: usize = 10_000;
/// Few keys, so that most requests find something.
const KEYS: u64 = 24;

/// What the server should hold: strings, and lists under names of their own.
#[derive(Default)]
struct Model {
    strings: HashMap<String, Vec<u8>>,
    lists: HashMap<String, Vec<Vec<u8>>>,
}

impl Model {
    /// A random request, and the reply to expect.
    fn step(&mut self, random: &mut Random) -> (Vec<Vec<u8>>, Reply) {
        let key = format!("key:{}", random.below(KEYS));
        let value = random.number().to_string().into_bytes();
        match random.below(14) {
            0 | 1 => {
                self.strings.insert(key.clone(), value.clone());
                (words(&["SET", &key], [value]), Reply::ok())
            }
            2..=4 => {
                let reply = Reply::bytes_or_null(self.strings.get(&key));
                (words(&["GET", &key], []), reply)
            }
            5 => {
                let gone = self.strings.remove(&key).is_some();
                (words(&["DEL", &key], []), Reply::Integer(gone.into()))
            }
            6 => {
                let text = self.strings.entry(key.clone()).or_default();
                text.extend_from_slice(&value);
                (words(&["APPEND", &key], [value]), Reply::Integer(text.len() as i64))
            }
            7 => (words(&["ECHO"], [value.clone()]), Reply::Bytes(value)),
            8 => self.several(random),
            9 => self.set_several(random, &value),
            10 => {
                let list = self.lists.entry(format!("list:{key}")).or_default();
                list.push(value.clone());
                let reply = Reply::Integer(list.len() as i64);
                (words(&["RPUSH", &format!("list:{key}")], [value]), reply)
            }
            11 => {
                let list = self.lists.get(&format!("list:{key}")).map_or(&[][..], Vec::as_slice);
                let last = &list[list.len().saturating_sub(3)..];
                let reply = Reply::Array(last.iter().map(Reply::text).collect());
                (words(&["LRANGE", &format!("list:{key}"), "-3", "-1"], []), reply)
            }
            12 => {
                let keys = self.strings.len() + self.lists.len();
                (words(&["DBSIZE"], []), Reply::Integer(keys as i64))
            }
            _ => (words(&["INCR", "list"], []), self.count()),
        }
    }

    /// `MGET` of keys on several shards, one of them twice.
    fn several(&self, random: &mut Random) -> (Vec<Vec<u8>>, Reply) {
        let mut keys: Vec<_> = (0..3).map(|_| format!("key:{}", random.below(KEYS))).collect();
        keys.push(keys[0].clone());
        let replies = keys.iter().map(|key| Reply::bytes_or_null(self.strings.get(key)));
        let reply = Reply::Array(replies.collect());
        (words(&["MGET"], keys.into_iter().map(String::into_bytes)), reply)
    }

    /// `MSET` of keys on several shards.
    fn set_several(&mut self, random: &mut Random, value: &[u8]) -> (Vec<Vec<u8>>, Reply) {
        let mut pairs = Vec::new();
        for _ in 0..3 {
            let key = format!("key:{}", random.below(KEYS));
            self.strings.insert(key.clone(), value.to_vec());
            pairs.extend([key.into_bytes(), value.to_vec()]);
        }
        (words(&["MSET"], pairs), Reply::ok())
    }

    /// A counter of its own among the strings.
    fn count(&mut self) -> Reply {
        let text = self.strings.entry("list".into()).or_insert_with(|| b"0".to_vec());
        let number = str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        let number = number.expect("only this writes it") + 1;
        *text = number.to_string().into_bytes();
        Reply::Integer(number)
    }
}

fn words(first: &[&str], then: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    first.iter().map(|word| word.as_bytes().to_vec()).chain(then).collect()
}

/// Sends all requests from another thread while the replies are read here, and compares.
fn check(client: &mut Client, requests: &[(Vec<Vec<u8>>, Reply)], random: &mut Random) {
    let mut bytes = Vec::new();
    requests.iter().for_each(|(words, _)| request(&mut bytes, words));
    let mut sender = client.stream().try_clone().expect("a socket can be shared");
    let piece_bytes = 1 + random.below(100_000) as usize;
    thread::scope(|scope| {
        scope.spawn(move || {
            let write = |piece| std::io::Write::write_all(&mut sender, piece);
            bytes.chunks(piece_bytes).try_for_each(write).expect("the server takes bytes");
        });
        for (index, (words, expected)) in requests.iter().enumerate() {
            let text: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            assert_eq!(&client.reply(), expected, "request {index}: {text:?}");
        }
    });
}

fn replies_are_in_order(shards: usize) {
    let server = kv(shards);
    let (mut random, mut model) = (Random::new(), Model::default());
    for _ in 0..3 {
        let requests: Vec<_> = (0..PIPELINE).map(|_| model.step(&mut random)).collect();
        // Each pipeline comes over another connection, which may be at home on another shard.
        check(&mut client(&server), &requests, &mut random);
    }
}

#[test]
fn replies_come_in_order_from_one_shard() {
    let _deadline = deadline("replies_come_in_order_from_one_shard");
    replies_are_in_order(1);
}

#[test]
fn replies_come_in_order_from_two_shards() {
    let _deadline = deadline("replies_come_in_order_from_two_shards");
    replies_are_in_order(2);
}

#[test]
fn replies_come_in_order_from_five_shards() {
    let _deadline = deadline("replies_come_in_order_from_five_shards");
    replies_are_in_order(5);
}
