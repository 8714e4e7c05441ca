//! Pipelines over several shards: order, batching, and bounds.
use crate::testing::Server;

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
    server.send(pipeline().as_bytes());
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
