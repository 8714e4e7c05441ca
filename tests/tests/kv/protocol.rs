//! The protocol on the wire: requests in any pieces, broken ones, greetings and goodbyes.

use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use miniss_tests::deadline::deadline;
use miniss_tests::program::Server;
use miniss_tests::resp::{Client, Reply, words};

use crate::{client, kv};

/// Requests of every shape, for keys on every shard.
fn mixed() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(words("MSET a 1 b 2 c 3 d 4"));
    bytes.extend(words("GET a"));
    bytes.extend_from_slice(b"ECHO \"in line\"\r\n\r\n*0\r\n");
    bytes.extend(words("MGET d c b a e"));
    bytes.extend_from_slice(b"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n*1\r\n");
    bytes.extend(words("DEL a b c d"));
    bytes
}

fn expect_mixed(client: &mut Client) {
    let texts = |texts: &[&str]| texts.iter().map(Reply::text).collect::<Vec<_>>();
    assert_eq!(client.reply(), Reply::ok());
    assert_eq!(client.reply(), Reply::text("1"));
    assert_eq!(client.reply(), Reply::text("in line"));
    let mut found = texts(&["4", "3", "2", "1"]);
    found.push(Reply::Null);
    assert_eq!(client.reply(), Reply::Array(found));
    assert_eq!(client.reply(), Reply::text("\r\n*1"));
    assert_eq!(client.reply(), Reply::Integer(4));
}

#[test]
fn requests_may_come_byte_by_byte() {
    let _deadline = deadline("requests_may_come_byte_by_byte");
    let server = kv(2);
    let mut client = client(&server);
    for byte in mixed() {
        client.send([byte]);
    }
    expect_mixed(&mut client);
}

#[test]
fn requests_may_be_split_anywhere() {
    let _deadline = deadline("requests_may_be_split_anywhere");
    let server = kv(2);
    let (mut client, bytes) = (client(&server), mixed());
    for split in 1..bytes.len() {
        client.send(&bytes[..split]);
        thread::sleep(Duration::from_millis(2));
        client.send(&bytes[split..]);
        expect_mixed(&mut client);
    }
}

/// Sends `bytes` and gives what comes back until the server closes.
fn last_words(server: &Server, bytes: &[u8]) -> String {
    let mut client = client(server);
    client.send(bytes);
    String::from_utf8(client.rest()).expect("replies to these are text")
}

#[test]
fn a_broken_request_is_answered_and_ends_the_connection() {
    let _deadline = deadline("a_broken_request_is_answered_and_ends_the_connection");
    let server = kv(2);
    let line = "x".repeat(70_000);
    let cases = [
        ("*1048577\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*one\r\n", "invalid multibulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
        ("*1\r\n$1x\r\n", "invalid bulk length"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*1\r\nPING\r\n", "expected '$', got 'P'"),
        ("ECHO \"open\r\n", "unbalanced quotes in request"),
        (line.as_str(), "too big inline request"),
        (&format!("*{line}"), "too big mbulk count string"),
        (&format!("*1\r\n${line}"), "too big bulk count string"),
    ];
    for (bytes, what) in cases {
        let expected = format!("-ERR Protocol error: {what}\r\n");
        assert_eq!(last_words(&server, bytes.as_bytes()), expected, "{bytes:.40}");
    }
    assert_eq!(client(&server).ask("PING"), Reply::Status("PONG".into()));
}

#[test]
fn what_came_before_a_broken_request_is_answered_first() {
    let _deadline = deadline("what_came_before_a_broken_request_is_answered_first");
    let server = kv(2);
    let mut bytes = [words("SET a 1"), words("SET b 2"), words("MGET a b")].concat();
    bytes.extend_from_slice(b"*x\r\nPING\r\n");
    let replies = "+OK\r\n+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n";
    let expected = format!("{replies}-ERR Protocol error: invalid multibulk length\r\n");
    assert_eq!(last_words(&server, &bytes), expected);
}

#[test]
fn requests_may_be_typed_by_hand() {
    let _deadline = deadline("requests_may_be_typed_by_hand");
    let server = kv(2);
    let mut client = client(&server);
    client.send("set a \"1\\x41\\n\"\nGET 'a'\r\n\r\n   \r\nping\r\nnothing like this\r\n");
    assert_eq!(client.reply(), Reply::ok());
    assert_eq!(client.reply(), Reply::text("1A\n"));
    assert_eq!(client.reply(), Reply::Status("PONG".into()));
    let unknown = "ERR unknown command 'nothing', with args beginning with: 'like' 'this' ";
    assert_eq!(client.reply(), Reply::Error(unknown.into()));
}

#[test]
fn quit_is_answered_and_what_follows_is_not() {
    let _deadline = deadline("quit_is_answered_and_what_follows_is_not");
    let server = kv(2);
    let bytes = [words("SET a 1"), words("QUIT"), words("SET a 2")].concat();
    assert_eq!(last_words(&server, &bytes), "+OK\r\n+OK\r\n");
    assert_eq!(client(&server).ask("GET a"), Reply::text("1"));
}

#[test]
fn a_client_that_has_said_everything_is_still_answered() {
    let _deadline = deadline("a_client_that_has_said_everything_is_still_answered");
    let server = kv(2);
    let mut client = client(&server);
    client.send([words("MSET a 1 b 2"), words("MGET a b")].concat());
    client.stream().shutdown(Shutdown::Write).expect("the server is there");
    assert_eq!(client.rest(), b"+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

#[test]
fn hello_changes_the_protocol_between_two_requests() {
    let _deadline = deadline("hello_changes_the_protocol_between_two_requests");
    let server = kv(2);
    let mut client = client(&server);
    client.send([words("GET a"), words("HELLO 3"), words("GET a"), words("HELLO 2")].concat());
    client.send([words("GET a"), words("HELLO 4"), words("QUIT")].concat());
    let text = String::from_utf8(client.rest()).expect("replies to these are text");
    let greeting = "$6\r\nserver\r\n$5\r\nredis\r\n";
    let (before, rest) = text.split_once(&format!("%7\r\n{greeting}")).expect("a map");
    assert_eq!(before, "$-1\r\n");
    let (between, after) = rest.split_once(&format!("*14\r\n{greeting}")).expect("an array");
    assert!(between.ends_with("*0\r\n_\r\n"), "{between}");
    let end = "$-1\r\n-NOPROTO unsupported protocol version\r\n+OK\r\n";
    assert!(after.ends_with(end), "{after}");
}

#[test]
fn noise_ends_its_own_connection_only() {
    let _deadline = deadline("noise_ends_its_own_connection_only");
    let server = kv(2);
    let mut random = miniss_tests::random::Random::new();
    let mut other = client(&server);
    for _ in 0..200 {
        let mut stream = server.connect();
        let len = 1 + random.below(3000) as usize;
        // The server may be gone before it was sent: that is an end, too.
        let _ = stream.write_all(&random.bytes(len));
        assert_eq!(other.ask("PING"), Reply::Status("PONG".into()));
    }
}
