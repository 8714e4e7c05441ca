//! Commands that are refused, and after which what follows would mean something else.

use miniss_tests::deadline::deadline;
use miniss_tests::resp::{Client, Reply, words};

use crate::{client, kv};

fn error(text: &str) -> Reply {
    Reply::Error(text.into())
}

#[track_caller]
fn assert_refused(client: &mut Client, request: &str) {
    let reply = client.ask(request);
    assert!(matches!(reply, Reply::Error(_)), "{request}: {reply:?}");
}

const ABORTED: &str = "EXECABORT Transaction discarded because of previous errors.";

#[test]
fn nothing_of_a_refused_transaction_runs() {
    let _deadline = deadline("nothing_of_a_refused_transaction_runs");
    for shards in [1, 2] {
        let server = kv(shards);
        let mut client = client(&server);
        for end in ["EXEC", "discard"] {
            let requests = ["MULTI", "INCR a", "MSET b 1 c 2", "PING", "FLUSHALL", "MULTI", end];
            client.send(requests.map(words).concat());
            for request in &requests[..6] {
                assert!(matches!(client.reply(), Reply::Error(_)), "{request}");
            }
            let expected = if end == "EXEC" { error(ABORTED) } else { Reply::ok() };
            assert_eq!(client.reply(), expected);
            assert_eq!(client.ask("EXISTS a b c"), Reply::Integer(0));
        }
        assert_eq!(client.ask("EXEC"), error("ERR EXEC without MULTI"));
        assert_eq!(client.ask("DISCARD"), error("ERR DISCARD without MULTI"));
        assert_eq!(client.ask("INCR a"), Reply::Integer(1));
        assert_eq!(client.ask("DEL a"), Reply::Integer(1));
    }
}

#[test]
fn replies_to_what_came_before_a_refused_transaction_stay_in_order() {
    let _deadline = deadline("replies_to_what_came_before_a_refused_transaction_stay_in_order");
    let server = kv(3);
    let mut client = client(&server);
    let mut bytes = Vec::new();
    for number in 0..20 {
        bytes.extend(words(&format!("SET {number} {number}")));
    }
    bytes.extend(["MULTI", "SET 0 lost", "EXEC"].map(words).concat());
    for number in 0..20 {
        bytes.extend(words(&format!("GET {number}")));
    }
    client.send(bytes);
    (0..20).for_each(|_| assert_eq!(client.reply(), Reply::ok()));
    (0..2).for_each(|_| assert!(matches!(client.reply(), Reply::Error(_))));
    assert_eq!(client.reply(), error(ABORTED));
    (0..20).for_each(|number| assert_eq!(client.reply(), Reply::text(number.to_string())));
}

#[test]
fn no_request_for_another_database_runs_in_this_one() {
    let _deadline = deadline("no_request_for_another_database_runs_in_this_one");
    let server = kv(2);
    let mut client = client(&server);
    assert_eq!(client.ask("SELECT 1"), error("ERR DB index is out of range"));
    for request in ["SET a 1", "GET a", "FLUSHALL", "PING", "SELECT 2", "SELECT x"] {
        assert_refused(&mut client, request);
    }
    assert_eq!(client.ask("SELECT 0"), Reply::ok());
    assert_eq!(client.ask("GET a"), Reply::Null);
    assert_eq!(client.ask("SELECT x"), error("ERR value is not an integer or out of range"));
    assert_eq!(client.ask("SET a 1"), Reply::ok());
}

#[test]
fn a_client_that_was_refused_a_subscription_is_refused_what_follows() {
    let _deadline = deadline("a_client_that_was_refused_a_subscription_is_refused_what_follows");
    let server = kv(2);
    let mut client = client(&server);
    for (begin, end) in [("SUBSCRIBE a", "UNSUBSCRIBE"), ("PSUBSCRIBE a*", "punsubscribe a*")] {
        assert_refused(&mut client, begin);
        assert_refused(&mut client, "SET a 1");
        let Reply::Array(words) = client.ask(end) else { panic!("no array") };
        let name = end.split(' ').next().map(str::to_lowercase).map(Reply::text);
        assert_eq!(words, [name.expect("a word"), Reply::Null, Reply::Integer(0)]);
        assert_eq!(client.ask("GET a"), Reply::Null);
    }
    assert_refused(&mut client, "MONITOR");
    assert_refused(&mut client, "SET a 1");
    assert_eq!(client.ask("RESET"), Reply::Status("RESET".into()));
    assert_eq!(client.ask("GET a"), Reply::Null);
}

#[test]
fn reset_leaves_every_mode_and_quit_is_always_understood() {
    let _deadline = deadline("reset_leaves_every_mode_and_quit_is_always_understood");
    let server = kv(2);
    for begin in ["MULTI", "SELECT 1", "SUBSCRIBE a", "MONITOR"] {
        let mut client = client(&server);
        assert_eq!(client.ask("CLIENT SETNAME me"), Reply::ok());
        assert_refused(&mut client, begin);
        assert_refused(&mut client, "SET a 1");
        assert_eq!(client.ask("RESET"), Reply::Status("RESET".into()));
        assert_eq!(client.ask("CLIENT GETNAME"), Reply::Null);
        assert_refused(&mut client, begin);
        client.send(words("QUIT"));
        assert_eq!(client.rest(), b"+OK\r\n");
    }
    assert_eq!(client(&server).ask("GET a"), Reply::Null);
}

#[test]
fn a_client_that_wants_no_replies_or_another_protocol_is_closed() {
    let _deadline = deadline("a_client_that_wants_no_replies_or_another_protocol_is_closed");
    let server = kv(2);
    for request in ["CLIENT REPLY OFF", "CLIENT REPLY SKIP", "SYNC", "PSYNC ? -1"] {
        let mut client = client(&server);
        client.send([words(request), words("SET a 1")].concat());
        let rest = String::from_utf8(client.rest()).expect("the error is text");
        assert!(rest.starts_with("-ERR ") && rest.matches("\r\n").count() == 1, "{rest}");
    }
    let mut client = client(&server);
    assert_eq!(client.ask("CLIENT REPLY ON"), Reply::ok());
    assert_eq!(client.ask("GET a"), Reply::Null);
}

#[test]
fn a_browser_that_was_tricked_into_sending_requests_is_closed() {
    let _deadline = deadline("a_browser_that_was_tricked_into_sending_requests_is_closed");
    let server = kv(2);
    let attacks: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\nHost: intranet\r\n\r\nSET pwned 1\r\n",
        b"GET / HTTP/1.1\r\nHost: intranet\r\n\r\nSET pwned 1\r\n",
        b"*1\r\n$4\r\npost\r\n*3\r\n$3\r\nSET\r\n$5\r\npwned\r\n$1\r\n1\r\n",
        b"MULTI\r\nhost: x\r\nEXEC\r\nSET pwned 1\r\n",
    ];
    for attack in attacks {
        let mut browser = client(&server);
        browser.send(attack);
        let rest = String::from_utf8(browser.rest()).expect("what comes is text");
        assert!(rest.lines().all(|line| line.starts_with("-ERR")), "{rest}");
        assert_eq!(client(&server).ask("EXISTS pwned"), Reply::Integer(0));
    }
}

#[test]
fn a_client_that_greets_as_someone_else_is_refused_as_in_redis() {
    let _deadline = deadline("a_client_that_greets_as_someone_else_is_refused_as_in_redis");
    let server = kv(2);
    let mut client = client(&server);
    let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
    assert_eq!(client.ask("AUTH someone secret"), error(wrong));
    assert_eq!(client.ask("AUTH default anything"), Reply::ok());
    let Reply::Error(text) = client.ask("AUTH secret") else { panic!("no error") };
    assert!(text.starts_with("ERR AUTH <password> called without any password"), "{text}");
    assert_eq!(client.ask("HELLO 3 AUTH someone secret"), error(wrong));
    // The protocol is the one before.
    client.send(words("GET a"));
    let mut reply = [0; 5];
    std::io::Read::read_exact(client.stream(), &mut reply).expect("the server answers");
    assert_eq!(&reply, b"$-1\r\n");
}
