//! Pipelines over several shards: order, batching, and bounds.
use super::*;
use crate::resp::{Parsed, Parser};
use crate::testing::{Server, server};

/// A pipeline that asks for everything, and whose replies tell their place.
fn pipeline() -> String {
    let mut lines = String::new();
    for number in 0..200 {
        lines.push_str(&format!("set key:{number} {number}\r\n"));
        lines.push_str(&format!("echo mark:{number}\r\n"));
        lines.push_str(&format!("get key:{}\r\n", number / 2));
        lines.push_str(&format!("mget key:{number} nosuch key:0 key:{}\r\n", number / 3));
        if number % 20 == 0 {
            lines.push_str("dbsize\r\nnonsense\r\nexists key:0 key:1 key:2\r\n");
        }
    }
    lines
}

#[test]
fn any_number_of_shards_answers_like_one() {
    let expected = Server::new(1).send(pipeline().as_bytes());
    for shards in [2, 3, 8] {
        assert!(Server::new(shards).send(pipeline().as_bytes()) == expected, "{shards} shards");
    }
}

#[test]
fn replies_stay_in_order_when_batches_stop_half_way() {
    let expected = Server::new(1).send(pipeline().as_bytes());
    for reply_bytes_max in [1, 10, 100, 1000] {
        let mut server = Server::new(3);
        server.reply_bytes_max = reply_bytes_max;
        assert!(server.send(pipeline().as_bytes()) == expected, "{reply_bytes_max} bytes");
    }
}

#[test]
fn a_pipeline_crosses_to_each_shard_once() {
    let mut server = Server::new(4);
    let lines: Vec<String> =
        pipeline().split_inclusive('\n').take(100).map(str::to_owned).collect();
    server.send(lines.concat().as_bytes());
    assert_eq!(server.crossings, 3);
}

#[test]
fn a_walk_over_all_shards_shows_every_key() {
    let mut server = Server::new(3);
    (0..500).for_each(|number| assert_eq!(server.ask(&format!("set {number} x")), "+OK\r\n"));
    let (mut seen, mut cursor) = (std::collections::HashSet::new(), "0".to_owned());
    loop {
        let reply = server.ask(&format!("scan {cursor} count 7"));
        let mut lines = reply.split("\r\n").skip(2);
        cursor = lines.next().unwrap().to_owned();
        seen.extend(lines.skip(2).step_by(2).map(str::to_owned));
        if cursor == "0" {
            break;
        }
    }
    assert!((0..500).all(|number| seen.contains(&number.to_string())));
}

#[test]
fn a_protocol_error_comes_after_the_replies_before_it() {
    let reply = Server::new(3).send(b"set a 1\r\nget a\r\n*1\r\n:5\r\nget a\r\n");
    let expected = "+OK\r\n$1\r\n1\r\n-ERR Protocol error: expected '$', got ':'\r\n";
    assert_eq!(reply, expected.as_bytes());
}

#[test]
fn nothing_is_answered_after_quit() {
    let mut server = Server::new(3);
    assert_eq!(server.ask("get a\r\nquit\r\nget a"), "$-1\r\n+OK\r\n");
    assert!(server.session.closing);
}

/// A round of shard 0 among `shards`, and what its requests need.
struct Shard0 {
    round: Round,
    session: Session,
    store: Store,
    out: Output,
    has_room: bool,
}

impl Shard0 {
    fn new(shards: usize) -> Self {
        let (session, store) = (Session::new(1), Store::new(0, shards));
        let round = Round::new(0, server(shards), None, &Rc::default());
        Self { round, session, store, out: Output::default(), has_room: true }
    }

    fn request(&mut self, line: &str) -> Taken {
        let mut parser = Parser::new(usize::MAX);
        let bytes = format!("{line}\r\n");
        let Ok(Parsed::Request { args, .. }) = parser.parse(bytes.as_bytes()) else {
            panic!("no request: {line}")
        };
        let Self { round, session, store, out, has_room } = self;
        let has_room = *has_room;
        let reserve = &mut |shards| has_room.then_some(()).ok_or(Wait::ForPermits(shards));
        round.request(&mut Context { session, store, now_ms: 0, reserve, out }, &args)
    }
}

/// A key of `shard`.
fn key_of(shard: usize, shards: usize) -> String {
    let keys = (0..).map(|number| format!("key:{number}"));
    keys.into_iter().find(|key| shard_of(key.as_bytes(), shards) == shard).unwrap()
}

#[test]
fn behind_a_large_request_only_its_own_shard_takes_more() {
    let [here, near, far] = [0, 1, 2].map(|shard| key_of(shard, 3));
    let mut at = Shard0::new(3);
    assert_eq!(at.request(&format!("set {far} x")), Ok(()));
    assert_eq!(at.request(&format!("hgetall {near}")), Ok(()));
    assert_eq!(at.request(&format!("set {near} x")), Ok(()));
    assert_eq!(at.request("ping"), Ok(()));
    for later in ["set HERE x", "get FAR", "mset HERE x FAR y", "flushall", "keys *", "scan 0"] {
        let later = later.replace("HERE", &here).replace("FAR", &far);
        assert_eq!(at.request(&later), Err(Wait::ForReplies), "{later}");
    }
    assert_eq!(at.store.len(), 0, "nothing of what waits has run");
}

#[test]
fn a_large_request_for_several_shards_is_alone() {
    let [here, near] = [0, 1].map(|shard| key_of(shard, 2));
    let many = format!(" {here} {near}").repeat(REPLIES_MAX);
    for large in [format!("mget{many}"), "keys *".into(), "scan 0".into()] {
        let mut at = Shard0::new(2);
        assert_eq!(at.request(&format!("get {near}")), Ok(()));
        assert_eq!(at.request(&large), Err(Wait::ForReplies), "{large:.20} behind another");
        let mut at = Shard0::new(2);
        assert_eq!(at.request(&large), Ok(()));
        for later in [format!("get {here}"), format!("get {near}"), "dbsize".into()] {
            assert_eq!(at.request(&later), Err(Wait::ForReplies), "{later} behind {large:.20}");
        }
    }
}

#[test]
fn a_round_without_room_waits_with_all_that_follows() {
    let [here, near, far] = [0, 1, 2].map(|shard| key_of(shard, 3));
    let mut at = Shard0 { has_room: false, ..Shard0::new(3) };
    assert_eq!(at.request(&format!("set {here} x")), Ok(()));
    let crossings = [(format!("set {near} x"), 1..2), ("dbsize".into(), 0..3)];
    for (crossing, shards) in crossings.into_iter().chain([(format!("mget {near} {far}"), 0..3)]) {
        assert_eq!(at.request(&crossing), Err(Wait::ForPermits(shards)), "{crossing}");
        assert!(!at.round.is_waiting());
    }
    at.has_room = true;
    assert_eq!(at.request(&format!("set {near} x")), Ok(()));
    at.has_room = false;
    assert_eq!(at.request(&format!("set {near} y")), Ok(()), "they cross together");
    assert_eq!(at.request(&format!("set {far} x")), Err(Wait::ForPermits(2..3)));
}

#[test]
fn what_a_round_needs_goes_back_to_the_stock_and_the_stock_is_bounded() {
    let (requests, stock) = (pipeline().into_bytes(), Rc::default());
    let mut servers: Vec<_> = (0..20).map(|_| Server::with_stock(8, &stock)).collect();
    servers.iter_mut().for_each(|server| drop(server.send(&requests)));
    let bytes: usize = stock.crossings.borrow().iter().map(|it| it.capacity_bytes()).sum();
    assert_eq!(bytes, stock.bytes.get());
    assert!(bytes > 0 && bytes <= STOCK_BYTES_MAX, "{bytes}");
}

#[test]
fn a_long_request_for_all_shards_is_there_once() {
    let mut at = Shard0::new(8);
    let long = "x".repeat(100_000);
    assert_eq!(at.request(&format!("info {long}")), Ok(()));
    let batches = (1..8).filter_map(|shard| at.round.take_batch(shard));
    let bytes: usize = batches.map(|batch| batch.capacity_bytes()).sum();
    assert!(bytes < 50_000, "{bytes} bytes in the batches");
}
