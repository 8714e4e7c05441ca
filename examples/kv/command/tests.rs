//! Requests and the exact bytes Redis 7.0 answers, on one shard and on three.
use crate::testing::{START_MS, Server};

/// Runs a conversation on a fresh server of one shard and on one of three.
fn converse(lines: &[(&str, &str)]) {
    for shards in [1, 3] {
        let mut server = Server::new(shards);
        for (request, expected) in lines {
            assert_eq!(server.ask(request), *expected, "{request:?} on {shards} shards");
        }
    }
}

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const NOT_POSITIVE: &str = "-ERR value is out of range, must be positive\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NIL: &str = "$-1\r\n";
const OK: &str = "+OK\r\n";

#[test]
fn strings() {
    converse(&[
        ("get a", NIL),
        ("set a 1", OK),
        ("GET a", "$1\r\n1\r\n"),
        ("set a 2 nx", NIL),
        ("set b 2 xx", NIL),
        ("set a 3 xx get", "$1\r\n1\r\n"),
        ("set b 3 nx get", NIL),
        ("set a 1 nx xx", SYNTAX),
        ("set a 1 ex 10 px 10", SYNTAX),
        ("set a 1 ex 10 keepttl", SYNTAX),
        ("set a 1 ex", SYNTAX),
        ("set a 1 ex x", NOT_INTEGER),
        ("set a 1 ex 0", "-ERR invalid expire time in 'set' command\r\n"),
        ("set a 1 px 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
        ("setex a -1 x", "-ERR invalid expire time in 'setex' command\r\n"),
        ("setnx a x", ":0\r\n"),
        ("setnx c x", ":1\r\n"),
        ("getset a 4", "$1\r\n3\r\n"),
        ("getdel a", "$1\r\n4\r\n"),
        ("getdel a", NIL),
        ("append a xy", ":2\r\n"),
        ("append a \"\\x00z\"", ":4\r\n"),
        ("strlen a", ":4\r\n"),
        ("strlen nosuch", ":0\r\n"),
        ("mset a 1 b 2 c 3 d 4", OK),
        ("mget a nosuch b a d", "*5\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n4\r\n"),
        ("mset a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
    ]);
}

#[test]
fn counters() {
    converse(&[
        ("incr n", ":1\r\n"),
        ("decrby n 5", ":-4\r\n"),
        ("incrby n 14", ":10\r\n"),
        ("get n", "$2\r\n10\r\n"),
        ("incrby n 1.5", NOT_INTEGER),
        ("decrby n -9223372036854775808", "-ERR decrement would overflow\r\n"),
        ("set n 9223372036854775807", OK),
        ("incr n", "-ERR increment or decrement would overflow\r\n"),
        ("set n 010", OK),
        ("incr n", NOT_INTEGER),
        ("rpush l a", ":1\r\n"),
        ("incr l", WRONG_TYPE),
    ]);
}

#[test]
fn deadlines() {
    converse(&[
        ("set a 1 ex 100", OK),
        ("ttl a", ":100\r\n"),
        ("pttl a", ":100000\r\n"),
        ("set a 2 keepttl", OK),
        ("ttl a", ":100\r\n"),
        ("set a 3", OK),
        ("ttl a", ":-1\r\n"),
        ("ttl nosuch", ":-2\r\n"),
        ("expire a 100 xx", ":0\r\n"),
        ("expire a 100 gt", ":0\r\n"),
        ("expire a 100 lt", ":1\r\n"),
        ("expire a 50 gt", ":0\r\n"),
        ("expire a 200 xx gt", ":1\r\n"),
        ("expire a 300 nx", ":0\r\n"),
        ("pttl a", ":200000\r\n"),
        ("persist a", ":1\r\n"),
        ("persist a", ":0\r\n"),
        (
            "expire a 1 nx gt",
            "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
        ),
        ("expire a 1 gt lt", "-ERR GT and LT options at the same time are not compatible\r\n"),
        ("expire a 1 foo", "-ERR Unsupported option foo\r\n"),
        ("expire a x", NOT_INTEGER),
        ("expire a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
        ("expire a -1", ":1\r\n"),
        ("exists a", ":0\r\n"),
    ]);
}

#[test]
fn lists() {
    converse(&[
        ("rpush l a b c", ":3\r\n"),
        ("lpush l z y", ":5\r\n"),
        ("lrange l 0 1", "*2\r\n$1\r\ny\r\n$1\r\nz\r\n"),
        ("lrange l -2 100", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("lrange l 3 1", "*0\r\n"),
        ("lrange l 9223372036854775807 -9223372036854775808", "*0\r\n"),
        ("lpop l", "$1\r\ny\r\n"),
        ("rpop l 2", "*2\r\n$1\r\nc\r\n$1\r\nb\r\n"),
        ("lpop l 0", "*0\r\n"),
        ("lpop l -1", NOT_POSITIVE),
        ("lpop l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
        ("lpop nosuch", NIL),
        ("lpop nosuch 1", "*-1\r\n"),
        ("get l", WRONG_TYPE),
        ("lpop l 9", "*2\r\n$1\r\nz\r\n$1\r\na\r\n"),
        ("exists l", ":0\r\n"),
    ]);
}

#[test]
fn hashes() {
    converse(&[
        ("hset h a 1 b 2 c 3", ":3\r\n"),
        ("hset h a 9 d 4", ":1\r\n"),
        ("hset h a", "-ERR wrong number of arguments for 'hset' command\r\n"),
        ("hget h a", "$1\r\n9\r\n"),
        ("hget h nosuch", NIL),
        ("hdel h b nosuch", ":1\r\n"),
        ("hgetall h", "*6\r\n$1\r\na\r\n$1\r\n9\r\n$1\r\nc\r\n$1\r\n3\r\n$1\r\nd\r\n$1\r\n4\r\n"),
        ("hlen h", ":3\r\n"),
        ("sadd h a", WRONG_TYPE),
        ("hdel h a c d", ":3\r\n"),
        ("type h", "+none\r\n"),
    ]);
}

#[test]
fn sets() {
    converse(&[
        ("sadd s 5 1 3 1", ":3\r\n"),
        ("smembers s", "*3\r\n$1\r\n1\r\n$1\r\n3\r\n$1\r\n5\r\n"),
        ("srem s 1 9", ":1\r\n"),
        ("scard s", ":2\r\n"),
        ("spop s 0", "*0\r\n"),
        ("spop s x", NOT_POSITIVE),
        ("spop s 1 2", SYNTAX),
        ("lpush s a", WRONG_TYPE),
        ("spop s 100", "*2\r\n$1\r\n3\r\n$1\r\n5\r\n"),
        ("spop s", NIL),
        ("spop s 1", "*0\r\n"),
        ("smembers s", "*0\r\n"),
    ]);
}

#[test]
fn keys_of_all_shards() {
    converse(&[
        ("mset a 1 b 2 c 3 d 4 e 5", OK),
        ("dbsize", ":5\r\n"),
        ("exists a b a nosuch", ":3\r\n"),
        ("keys c", "*1\r\n$1\r\nc\r\n"),
        ("scan 0 match d", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nd\r\n"),
        ("scan 0 type hash", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("scan x", "-ERR invalid cursor\r\n"),
        ("scan 0 count 0", SYNTAX),
        ("scan 0 count x", NOT_INTEGER),
        ("info keyspace", "$44\r\n# Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=0\r\n\r\n"),
        ("mset f 1 g 1", OK),
        ("pexpire f 1000", ":1\r\n"),
        ("pexpire g 3000", ":1\r\n"),
        ("info keyspace", "$47\r\n# Keyspace\r\ndb0:keys=7,expires=2,avg_ttl=2000\r\n\r\n"),
        ("persist g", ":1\r\n"),
        ("info keyspace", "$47\r\n# Keyspace\r\ndb0:keys=7,expires=1,avg_ttl=1000\r\n\r\n"),
        ("del f g", ":2\r\n"),
        ("del a b nosuch", ":2\r\n"),
        ("unlink c d", ":2\r\n"),
        ("flushall foo", SYNTAX),
        ("dbsize", ":1\r\n"),
        ("flushall", OK),
        ("dbsize", ":0\r\n"),
    ]);
}

#[test]
fn the_connection_and_the_server() {
    converse(&[
        ("ping", "+PONG\r\n"),
        ("ping hi", "$2\r\nhi\r\n"),
        ("ping a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
        ("echo hi", "$2\r\nhi\r\n"),
        ("select 0", OK),
        ("select 99", "-ERR DB index is out of range\r\n"),
        ("select 0", OK),
        ("client id", ":7\r\n"),
        ("client getname", NIL),
        ("client setname me", OK),
        ("client getname", "$2\r\nme\r\n"),
        ("client setinfo lib-name x", OK),
        ("client setname", "-ERR wrong number of arguments for 'client|setname' command\r\n"),
        ("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"),
        ("config get SAVE", "*2\r\n$4\r\nSAVE\r\n$0\r\n\r\n"),
        ("config get", "-ERR wrong number of arguments for 'config|get' command\r\n"),
        ("config get replicaof", "*2\r\n$9\r\nreplicaof\r\n$0\r\n\r\n"),
        ("command getkeys mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("command getkeys get a", "*1\r\n$1\r\na\r\n"),
        ("command getkeys ping a", "-ERR The command has no key arguments\r\n"),
        ("command getkeys nosuch a", "-ERR Invalid command specified\r\n"),
        ("command getkeys get a b", "-ERR Invalid number of arguments specified for command\r\n"),
        ("command list filterby pattern GETD*", "*1\r\n$6\r\ngetdel\r\n"),
        ("command list filterby pattern config|g*", "*1\r\n$10\r\nconfig|get\r\n"),
        ("command list filterby aclcat Admin", "*1\r\n$10\r\nconfig|get\r\n"),
        ("command list filterby aclcat nosuch", "*0\r\n"),
        ("command list filterby module nosuch", "*0\r\n"),
        ("command list filterby nosuch x", SYNTAX),
        ("command list filterby", SYNTAX),
        ("command info nosuch", "*1\r\n$-1\r\n"),
        (
            "command info hget",
            "*1\r\n*10\r\n$4\r\nhget\r\n:3\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
             *3\r\n+@read\r\n+@hash\r\n+@fast\r\n*0\r\n*0\r\n*0\r\n",
        ),
        ("command docs nosuch", "*0\r\n"),
        (
            "config help",
            "*5\r\n+CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n\
             +GET <parameter> ...\r\n+    Get the values of configuration parameters\r\n\
             +HELP\r\n+    Show helpful text about the different subcommands\r\n",
        ),
        ("hello 4", "-NOPROTO unsupported protocol version\r\n"),
        ("hello 2 foo", "-ERR Syntax error in HELLO option 'foo'\r\n"),
        ("hello 2 setname you foo", "-ERR Syntax error in HELLO option 'foo'\r\n"),
        ("client getname", "$3\r\nyou\r\n"),
        (
            "hello 2 auth nosuch x foo",
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        ),
        ("hello 2 auth default x foo", "-ERR Syntax error in HELLO option 'foo'\r\n"),
        ("hello 2 setname", "-ERR Syntax error in HELLO option 'setname'\r\n"),
        ("foo a b", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
        ("get", "-ERR wrong number of arguments for 'get' command\r\n"),
    ]);
}

#[test]
fn the_third_protocol_has_nulls_maps_and_sets() {
    let hello = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n\
                 $5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n\
                 $4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    converse(&[
        ("hello 3", hello),
        ("get a", "_\r\n"),
        ("lpop a 1", "_\r\n"),
        ("mget a b c", "*3\r\n_\r\n_\r\n_\r\n"),
        ("hset h f v", ":1\r\n"),
        ("hgetall h", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
        ("hgetall a", "%0\r\n"),
        ("sadd s 1", ":1\r\n"),
        ("smembers s", "~1\r\n$1\r\n1\r\n"),
        ("config get save", "%1\r\n$4\r\nsave\r\n$0\r\n\r\n"),
        ("info nosuch", "=4\r\ntxt:\r\n"),
    ]);
}

#[test]
fn a_key_is_gone_when_its_time_comes() {
    let mut server = Server::new(2);
    assert_eq!(server.ask("set a 1 px 10"), OK);
    server.now_ms = START_MS + 9;
    assert_eq!(server.ask("pttl a"), ":1\r\n");
    // It lives through the millisecond of its deadline.
    server.now_ms = START_MS + 10;
    assert_eq!(server.ask("pttl a"), ":0\r\n");
    server.now_ms = START_MS + 11;
    assert_eq!(server.ask("get a"), NIL);
    assert_eq!(server.ask("dbsize"), ":0\r\n");
}

/// The fields of `INFO` with these sections.
fn info(server: &mut Server, sections: &str) -> Vec<(String, String)> {
    let reply = server.ask(&format!("info {sections}"));
    let fields = reply.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn number(fields: &[(String, String)], name: &str) -> u64 {
    let value = fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    value.unwrap_or_else(|| panic!("{name} in {fields:?}")).parse().unwrap()
}

#[test]
fn info_gives_the_sections_that_were_asked_for_in_its_own_order() {
    let titles = |sections: &str| {
        let reply = Server::new(2).ask(&format!("info {sections}"));
        let titles = reply.lines().filter_map(|line| line.strip_prefix("# "));
        titles.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let all = "Server Clients Memory Persistence Stats Replication CPU Cluster Keyspace";
    for sections in ["", "all", "everything", "default", "Everything server", "nosuch ALL"] {
        assert_eq!(titles(sections), all, "{sections}");
    }
    assert_eq!(titles("keyspace CPU server nosuch cpu"), "Server CPU Keyspace");
    assert_eq!(titles("nosuch"), "");
}

#[test]
fn info_counts_keys_that_were_read_and_keys_that_were_not_there() {
    for shards in [1, 3] {
        let mut server = Server::new(shards);
        server.ask("mset a 1 b 2");
        server.ask("rpush l x");
        server.ask("mget a b nosuch");
        server.ask("exists a nosuch nosuch");
        let reads = "get a,strlen a,ttl a,type l,llen l,lrange l 0 0,getset a 1,set b 3 get,\
                     hget nosuch f,scard nosuch,smembers nosuch,hgetall nosuch";
        let others = "incr b,append b x,expire a 100,persist a,del nosuch,set new x,lpop l,\
                      hset h f v,sadd s x,setnx a 1,keys *,scan 0,get";
        for request in reads.split(',').chain(others.split(',')) {
            server.ask(request);
        }
        let stats = info(&mut server, "stats");
        assert_eq!(number(&stats, "keyspace_hits"), 11);
        assert_eq!(number(&stats, "keyspace_misses"), 7);
    }
}

#[test]
fn errors_quote_options_whole_and_unknown_names_in_part() {
    let mut server = Server::new(1);
    let word = "x".repeat(300);
    let option = |request: &str| Server::new(1).ask(&format!("{request} {word}"));
    assert_eq!(option("expire a 1"), format!("-ERR Unsupported option {word}\r\n"));
    assert_eq!(option("hello 2"), format!("-ERR Syntax error in HELLO option '{word}'\r\n"));
    let unknown =
        format!("-ERR unknown command '{}', with args beginning with: \r\n", &word[..128]);
    assert_eq!(server.ask(&word), unknown);
    let unknown = format!("-ERR unknown subcommand '{}'. Try CLIENT HELP.\r\n", &word[..128]);
    assert_eq!(option("client"), unknown);
}
