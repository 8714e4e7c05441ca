//! What `INFO` says is what happens.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::program::{Server, installed, run};
use miniss_tests::resp::{Client, Reply, words};

use crate::{client, kv};

/// The value of a field of `INFO`.
fn field(client: &mut Client, name: &str) -> String {
    let Reply::Bytes(text) = client.ask("INFO") else { panic!("no text") };
    let text = String::from_utf8(text).expect("figures are text");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("{name} in {text}")).to_owned()
}

fn number(client: &mut Client, name: &str) -> u64 {
    let value = field(client, name);
    value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
}

#[test]
fn memory_is_told_as_it_is_taken_and_given_back() {
    let _deadline = deadline("memory_is_told_as_it_is_taken_and_given_back");
    const BYTES: u64 = 64 << 20;
    let server = kv(2);
    let mut client = client(&server);
    let before = number(&mut client, "used_memory");
    for key in ["a", "b", "c", "d"] {
        assert_eq!(
            client.ask(&format!("SET {key} {}", "x".repeat(BYTES as usize / 4))),
            Reply::ok()
        );
    }
    let during = number(&mut client, "used_memory");
    assert!(during >= before + BYTES, "{before} {during}");
    assert!(during < before + 4 * BYTES, "{before} {during}");
    assert!(number(&mut client, "used_memory_rss") >= BYTES);
    assert_eq!(client.ask("DEL a b c d"), Reply::Integer(4));
    let end = Instant::now() + SOON;
    // Large values are freed by and by.
    while number(&mut client, "used_memory") > before + BYTES / 4 {
        assert!(Instant::now() < end, "the memory is not given back");
    }
    assert!(number(&mut client, "used_memory_peak") >= during);
}

#[test]
fn what_crosses_the_network_and_what_is_asked_is_counted() {
    let _deadline = deadline("what_crosses_the_network_and_what_is_asked_is_counted");
    let server = kv(2);
    let (mut client, _idle) = (client(&server), client(&server));
    let value = "x".repeat(100_000);
    assert_eq!(client.ask(&format!("SET a {value}")), Reply::ok());
    assert_eq!(client.ask("GET a"), Reply::text(&value));
    assert!(number(&mut client, "total_net_input_bytes") > 100_000);
    assert!(number(&mut client, "total_net_output_bytes") > 100_000);
    let commands = number(&mut client, "total_commands_processed");
    (0..10).for_each(|_| drop(client.ask("PING")));
    assert_eq!(number(&mut client, "total_commands_processed"), commands + 11);
    assert_eq!(number(&mut client, "connected_clients"), 2);
    assert_eq!(number(&mut client, "total_connections_received"), 2);
    assert_eq!(number(&mut client, "blocked_clients"), 0);
    assert_eq!(number(&mut client, "keyspace_hits"), 1);
    let seconds: f64 = field(&mut client, "used_cpu_user").parse().expect("a number of seconds");
    assert!(seconds >= 0.0);
    assert_eq!(number(&mut client, "tcp_port").to_string(), server.port());
    let driver = field(&mut client, "multiplexing_api").replace('_', "-");
    assert!(server.said().contains(&format!(", 2 shards, {driver}\n")), "{driver}");
}

#[test]
fn requests_per_second_are_those_of_the_last_second() {
    let _deadline = deadline("requests_per_second_are_those_of_the_last_second");
    let server = kv(2);
    let mut client = client(&server);
    // Whatever the clock says when it begins, at some time half of these were a moment ago.
    let end = Instant::now() + SOON;
    loop {
        client.send(words("PING").repeat(1000));
        (0..1000).for_each(|_| drop(client.reply()));
        if number(&mut client, "instantaneous_ops_per_sec") >= 500 {
            break;
        }
        assert!(Instant::now() < end, "no requests are told");
    }
    while number(&mut client, "instantaneous_ops_per_sec") > 50 {
        thread::sleep(Duration::from_millis(200));
        assert!(Instant::now() < end, "requests of long ago are told");
    }
}

/// What `redis-cli` prints in one of its modes.
fn cli(server: &Server, arguments: &[&str]) -> String {
    let mut cli = installed("redis-cli", "redis-tools");
    let output = run(cli.args(["-p", &server.port()]).args(arguments));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &errors
}

#[test]
fn redis_cli_finds_the_largest_keys() {
    let _deadline = deadline("redis_cli_finds_the_largest_keys");
    let server = kv(2);
    let mut client = client(&server);
    (0..500).for_each(|number| drop(client.ask(&format!("SET small:{number} x"))));
    assert_eq!(client.ask(&format!("SET large {}", "x".repeat(5000))), Reply::ok());
    assert_eq!(client.ask("RPUSH list a b c"), Reply::Integer(3));
    let shown = cli(&server, &["--bigkeys"]);
    assert!(shown.contains("Sampled 502 keys"), "{shown}");
    assert!(shown.contains("Biggest string found '\"large\"' has 5000 bytes"), "{shown}");
    assert!(shown.contains("Biggest   list found '\"list\"' has 3 items"), "{shown}");
    let found = cli(&server, &["--scan", "--pattern", "small:*"]);
    assert_eq!(found.lines().count(), 500);
}

#[test]
fn redis_cli_shows_statistics_and_help() {
    let _deadline = deadline("redis_cli_shows_statistics_and_help");
    let server = kv(2);
    let mut client = client(&server);
    (0..300).for_each(|number| drop(client.ask(&format!("SET {number} x"))));
    let row = row_of_statistics(&server);
    let columns: Vec<&str> = row.split_ascii_whitespace().collect();
    let [keys, memory, clients, blocked, requests, ..] = columns[..] else { panic!("{row}") };
    assert_eq!((keys, clients, blocked), ("300", "2", "0"), "{row}");
    assert!(memory.ends_with('M') || memory.ends_with('K'), "{row}");
    assert!(requests.parse::<u64>().is_ok_and(|requests| requests >= 300), "{row}");
    let help = typed(&server, "help set\nhelp @hash\n");
    assert!(help.contains("key value [NX|XX] [GET] [EX seconds|"), "{help}");
    assert!(help.contains("Set the string value of a key"), "{help}");
    assert!(help.contains("key field value [field value ...]"), "{help}");
}

/// The first row of figures that `redis-cli --stat` shows; it goes on until it is killed.
fn row_of_statistics(server: &Server) -> String {
    let mut cli = installed("redis-cli", "redis-tools");
    let cli = cli.args(["-p", &server.port(), "--stat"]).stdout(Stdio::piped());
    let mut child = cli.spawn().expect("the program starts");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut lines = lines.map(|line| line.expect("it writes lines"));
    let row = lines.find(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    child.kill().and_then(|()| child.wait()).expect("it runs until it is killed");
    row.expect("a row of figures")
}

/// What `redis-cli` answers when these lines are typed.
fn typed(server: &Server, lines: &str) -> String {
    let mut cli = installed("redis-cli", "redis-tools");
    let cli = cli.args(["-p", &server.port()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = cli.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(lines.as_bytes()).expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
