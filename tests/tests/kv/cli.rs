//! What `redis-cli` shows for a table of commands, in both protocols.
//!
//! Where a Redis server is installed, too, it is shown the same table: the expectations are then
//! known to be what Redis says.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::program::{installed, is_installed, run};

use crate::kv;

/// A command, what it shows in RESP2, and in RESP3 where that differs. They are run in this order.
type Row = (&'static str, &'static str, Option<&'static str>);

const fn same(command: &'static str, shown: &'static str) -> Row {
    (command, shown, None)
}

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

#[rustfmt::skip]
const TABLE: &[Row] = &[
    same("PING", "PONG"),
    same("PING hello", "\"hello\""),
    same("ECHO hello", "\"hello\""),
    same("SELECT 0", "OK"),
    same("SET s value", "OK"),
    same("GET s", "\"value\""),
    same("GET nothing", "(nil)"),
    same("GETSET s other", "\"value\""),
    same("SETNX s third", "(integer) 0"),
    same("SET s third NX", "(nil)"),
    same("SET s third XX GET", "\"other\""),
    same("STRLEN s", "(integer) 5"),
    same("APPEND s !", "(integer) 6"),
    same("GETDEL s", "\"third!\""),
    same("EXISTS s", "(integer) 0"),
    same("SET n 41", "OK"),
    same("INCR n", "(integer) 42"),
    same("DECRBY n 50", "(integer) -8"),
    same("INCRBY n x", "(error) ERR value is not an integer or out of range"),
    same("SET n 9223372036854775807", "OK"),
    same("INCR n", "(error) ERR increment or decrement would overflow"),
    same("MSET a 1 b 2 c 3 d 4", "OK"),
    same("MGET a nothing d c", "1) \"1\"\n2) (nil)\n3) \"4\"\n4) \"3\""),
    same("MSET a", "(error) ERR wrong number of arguments for 'mset' command"),
    same("DEL a b c d e", "(integer) 4"),
    same("RPUSH l a b c", "(integer) 3"),
    same("LPUSH l z", "(integer) 4"),
    same("LLEN l", "(integer) 4"),
    same("LRANGE l 0 -1", "1) \"z\"\n2) \"a\"\n3) \"b\"\n4) \"c\""),
    same("LRANGE l 5 9", "(empty array)"),
    same("LPOP l", "\"z\""),
    same("RPOP l 2", "1) \"c\"\n2) \"b\""),
    same("GET l", WRONG_TYPE),
    same("INCR l", WRONG_TYPE),
    same("TYPE l", "list"),
    same("TYPE nothing", "none"),
    same("SADD t a", "(integer) 1"),
    same("SADD t a", "(integer) 0"),
    ("SMEMBERS t", "1) \"a\"", Some("1~ \"a\"")),
    ("SMEMBERS nothing", "(empty array)", Some("(empty set)")),
    same("SCARD t", "(integer) 1"),
    same("SPOP t", "\"a\""),
    same("EXISTS t", "(integer) 0"),
    same("HSET h f 1 g 2", "(integer) 2"),
    same("HGET h g", "\"2\""),
    (
        "HGETALL h",
        "1) \"f\"\n2) \"1\"\n3) \"g\"\n4) \"2\"",
        Some("1# \"f\" => \"1\"\n2# \"g\" => \"2\""),
    ),
    same("HLEN h", "(integer) 2"),
    same("HDEL h f g", "(integer) 2"),
    same("SET e value EX 100", "OK"),
    same("PERSIST e", "(integer) 1"),
    same("TTL e", "(integer) -1"),
    same("TTL nothing", "(integer) -2"),
    same("SET e value EX 0", "(error) ERR invalid expire time in 'set' command"),
    same("SET e value EX", "(error) ERR syntax error"),
    same("KEYS e*", "1) \"e\""),
    same("DBSIZE", "(integer) 3"),
    ("CONFIG GET save", "1) \"save\"\n2) \"\"", Some("1# \"save\" => \"\"")),
    same("CLIENT GETNAME", "(nil)"),
    same("GET", "(error) ERR wrong number of arguments for 'get' command"),
    same(
        "NOTHING like this",
        "(error) ERR unknown command 'NOTHING', with args beginning with: 'like' 'this'",
    ),
    same("FLUSHALL", "OK"),
    same("DBSIZE", "(integer) 0"),
    same("SCAN 0", "1) \"0\"\n2) (empty array)"),
];

/// What `redis-cli` shows.
fn shown(port: &str, resp3: bool, command: &str) -> String {
    let mut cli = installed("redis-cli", "redis-tools");
    cli.args(["-p", port, "--no-raw"]).args(resp3.then_some("-3")).args(command.split(' '));
    let output = run(&mut cli);
    assert!(output.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn check(port: &str) {
    for resp3 in [false, true] {
        for (command, resp2_text, resp3_text) in TABLE {
            let expected = resp3_text.filter(|_| resp3).unwrap_or(resp2_text);
            assert_eq!(shown(port, resp3, command), expected, "{command}, RESP3: {resp3}");
        }
    }
}

#[test]
fn redis_cli_shows_what_it_should_with_one_shard() {
    let _deadline = deadline("redis_cli_shows_what_it_should_with_one_shard");
    check(&kv(1).port());
}

#[test]
fn redis_cli_shows_what_it_should_with_two_shards() {
    let _deadline = deadline("redis_cli_shows_what_it_should_with_two_shards");
    check(&kv(2).port());
}

/// A Redis server, until this is dropped.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        // If it has ended there is no one to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one on a port that was free a moment ago.
fn redis() -> (Redis, String) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port on the loopback");
    let port = address.port().to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let redis = Redis(command.stdout(Stdio::null()).spawn().expect("the program starts"));
    let end = Instant::now() + SOON;
    while std::net::TcpStream::connect(address).is_err() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    (redis, port)
}

#[test]
fn a_redis_server_answers_the_same() {
    let _deadline = deadline("a_redis_server_answers_the_same");
    if !is_installed("redis-server") {
        println!("Left out: there is no redis-server here to compare with.");
        return;
    }
    let (_redis, port) = redis();
    check(&port);
}
