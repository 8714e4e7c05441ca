//! What `COMMAND DOCS` says of each command: the help and the hints that `redis-cli` shows.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! Arguments are written down as a line, and read when someone asks:
//!
//! | written | an argument that |
//! |---|---|
//! | `name` `name:type` | is a string, or of this type |
//! | `NAME` | is this word |
//! | `NAME argument` | follows this word |
//! | `name(a\|b)` | is one of these |
//! | `name{a b}` | is all of these |
//! | `[argument]` | may be left out |
//! | `argument...` | may be repeated |
#![forbid(unsafe_code)]

use crate::resp::{Output, Proto, reply};

/// One command's or subcommand's page.
#[derive(Debug)]
pub struct Doc {
    /// Its name; that of a subcommand holds its parent's, as in `client|id`.
    pub name: &'static str,
    since: &'static str,
    complexity: &'static str,
    /// What it is for.
    pub summary: &'static str,
    arguments: &'static str,
}

const N: &str = "O(N) where N is the number of arguments";
const ELEMENTS: &str = "O(N) where N is the number of elements in the reply";
const ALL: &str = "O(N) where N is the number of keys";
const DEPENDS: &str = "Depends on subcommand.";
const HELP: &str = "Show helpful text about the different subcommands";

#[rustfmt::skip]
static DOCS: &[Doc] = &[
    doc("append", "2.0.0", "O(1)", "Append a value to a key", "key:key value"),
    doc("auth", "1.0.0", "O(1)", "Authenticate to the server", "[username] password"),
    doc("client", "2.4.0", DEPENDS, "A container for client connection commands", ""),
    doc("client|getname", "2.6.9", "O(1)", "Get the current connection name", ""),
    doc("client|help", "5.0.0", "O(1)", HELP, ""),
    doc("client|id", "5.0.0", "O(1)", "Returns the client ID for the current connection", ""),
    doc("client|reply", "3.2.0", "O(1)", "Instruct the server whether to reply to commands",
        "on_off_skip(ON|OFF|SKIP)"),
    doc("client|setinfo", "7.2.0", "O(1)", "Say which library the client uses",
        "attr(LIB-NAME libname|LIB-VER libver)"),
    doc("client|setname", "2.6.9", "O(1)", "Set the current connection name", "connection-name"),
    doc("command", "2.8.13", "O(N) where N is the number of commands",
        "Get array of Redis command details", ""),
    doc("command|count", "2.8.13", "O(1)", "Get total number of Redis commands", ""),
    doc("command|docs", "7.0.0", N, "Get array of specific Redis command documentation",
        "[command-name...]"),
    doc("command|getkeys", "2.8.13", N, "Extract keys given a full Redis command",
        "command [arg...]"),
    doc("command|help", "5.0.0", "O(1)", HELP, ""),
    doc("command|info", "2.8.13", N,
        "Get array of specific Redis command details, or all when no argument is given.",
        "[command-name...]"),
    doc("command|list", "7.0.0", "O(N) where N is the number of commands",
        "Get an array of Redis command names",
        "[FILTERBY filterby(MODULE module-name|ACLCAT category|PATTERN pattern:pattern)]"),
    doc("config", "2.0.0", DEPENDS, "A container for server configuration commands", ""),
    doc("config|get", "2.0.0", N, "Get the values of configuration parameters",
        "parameter{parameter}..."),
    doc("config|help", "5.0.0", "O(1)", HELP, ""),
    doc("dbsize", "1.0.0", "O(1)", "Return the number of keys in the selected database", ""),
    doc("decr", "1.0.0", "O(1)", "Decrement the integer value of a key by one", "key:key"),
    doc("decrby", "1.0.0", "O(1)", "Decrement the integer value of a key by the given number",
        "key:key decrement:integer"),
    doc("del", "1.0.0", N, "Delete a key", "key:key..."),
    doc("echo", "1.0.0", "O(1)", "Echo the given string", "message"),
    doc("exists", "1.0.0", N, "Determine if a key exists", "key:key..."),
    doc("expire", "1.0.0", "O(1)", "Set a key's time to live in seconds",
        "key:key seconds:integer [condition(NX|XX|GT|LT)]"),
    doc("expireat", "1.2.0", "O(1)", "Set the expiration for a key as a UNIX timestamp",
        "key:key unix-time-seconds:unix-time [condition(NX|XX|GT|LT)]"),
    doc("flushall", "1.0.0", ALL, "Remove all keys from all databases", "[async(ASYNC|SYNC)]"),
    doc("get", "1.0.0", "O(1)", "Get the value of a key", "key:key"),
    doc("getdel", "6.2.0", "O(1)", "Get the value of a key and delete the key", "key:key"),
    doc("getset", "1.0.0", "O(1)", "Set the string value of a key and return its old value",
        "key:key value"),
    doc("hdel", "2.0.0", N, "Delete one or more hash fields", "key:key field..."),
    doc("hello", "6.0.0", "O(1)", "Handshake with Redis",
        "[arguments{protover:integer [AUTH username_password{username password}] \
         [SETNAME clientname]}]"),
    doc("hget", "2.0.0", "O(1)", "Get the value of a hash field", "key:key field"),
    doc("hgetall", "2.0.0", ELEMENTS, "Get all the fields and values in a hash", "key:key"),
    doc("hlen", "2.0.0", "O(1)", "Get the number of fields in a hash", "key:key"),
    doc("hset", "2.0.0", N, "Set the string value of a hash field",
        "key:key field_value{field value}..."),
    doc("incr", "1.0.0", "O(1)", "Increment the integer value of a key by one", "key:key"),
    doc("incrby", "1.0.0", "O(1)", "Increment the integer value of a key by the given amount",
        "key:key increment:integer"),
    doc("info", "1.0.0", "O(1)", "Get information and statistics about the server",
        "[section...]"),
    doc("keys", "1.0.0", ALL, "Find all keys matching the given pattern", "pattern:pattern"),
    doc("llen", "1.0.0", "O(1)", "Get the length of a list", "key:key"),
    doc("lpop", "1.0.0", ELEMENTS, "Remove and get the first elements in a list",
        "key:key [count:integer]"),
    doc("lpush", "1.0.0", N, "Prepend one or multiple elements to a list", "key:key element..."),
    doc("lrange", "1.0.0", ELEMENTS, "Get a range of elements from a list",
        "key:key start:integer stop:integer"),
    doc("mget", "1.0.0", N, "Get the values of all the given keys", "key:key..."),
    doc("mset", "1.0.1", N, "Set multiple keys to multiple values", "key_value{key:key value}..."),
    doc("persist", "2.2.0", "O(1)", "Remove the expiration from a key", "key:key"),
    doc("pexpire", "2.6.0", "O(1)", "Set a key's time to live in milliseconds",
        "key:key milliseconds:integer [condition(NX|XX|GT|LT)]"),
    doc("pexpireat", "2.6.0", "O(1)",
        "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        "key:key unix-time-milliseconds:unix-time [condition(NX|XX|GT|LT)]"),
    doc("ping", "1.0.0", "O(1)", "Ping the server", "[message]"),
    doc("psetex", "2.6.0", "O(1)", "Set the value and expiration in milliseconds of a key",
        "key:key milliseconds:integer value"),
    doc("pttl", "2.6.0", "O(1)", "Get the time to live for a key in milliseconds", "key:key"),
    doc("quit", "1.0.0", "O(1)", "Close the connection", ""),
    doc("reset", "6.2.0", "O(1)", "Reset the connection", ""),
    doc("rpop", "1.0.0", ELEMENTS, "Remove and get the last elements in a list",
        "key:key [count:integer]"),
    doc("rpush", "1.0.0", N, "Append one or multiple elements to a list", "key:key element..."),
    doc("sadd", "1.0.0", N, "Add one or more members to a set", "key:key member..."),
    doc("scan", "2.8.0", "O(1) for every call. O(N) for a complete iteration.",
        "Incrementally iterate the keys space",
        "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]"),
    doc("scard", "1.0.0", "O(1)", "Get the number of members in a set", "key:key"),
    doc("select", "1.0.0", "O(1)", "Change the selected database for the current connection",
        "index:integer"),
    doc("set", "1.0.0", "O(1)", "Set the string value of a key",
        "key:key value [condition(NX|XX)] [GET] [expiration(EX seconds:integer|\
         PX milliseconds:integer|EXAT unix-time-seconds:unix-time|\
         PXAT unix-time-milliseconds:unix-time|KEEPTTL)]"),
    doc("setex", "2.0.0", "O(1)", "Set the value and expiration of a key",
        "key:key seconds:integer value"),
    doc("setnx", "1.0.0", "O(1)", "Set the value of a key, only if the key does not exist",
        "key:key value"),
    doc("smembers", "1.0.0", ELEMENTS, "Get all the members in a set", "key:key"),
    doc("spop", "1.0.0", ELEMENTS, "Remove and return one or multiple random members from a set",
        "key:key [count:integer]"),
    doc("srem", "1.0.0", N, "Remove one or more members from a set", "key:key member..."),
    doc("strlen", "2.2.0", "O(1)", "Get the length of the value stored in a key", "key:key"),
    doc("ttl", "1.0.0", "O(1)", "Get the time to live for a key in seconds", "key:key"),
    doc("type", "1.0.0", "O(1)", "Determine the type stored at key", "key:key"),
    doc("unlink", "4.0.0", N, "Delete a key; what takes long to free is freed by and by",
        "key:key..."),
];

const fn doc(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
    arguments: &'static str,
) -> Doc {
    Doc { name, since, complexity, summary, arguments }
}

impl Doc {
    /// The page of a command, or of a subcommand by its full name.
    pub fn named(name: &str) -> Option<&'static Self> {
        DOCS.iter().find(|doc| doc.name == name)
    }

    /// The pages of the subcommands of `parent`.
    pub fn subcommands(parent: &str) -> impl Iterator<Item = &'static Self> {
        DOCS.iter().filter(move |doc| {
            doc.name.split_once('|').is_some_and(|(container, _)| container == parent)
        })
    }

    /// What it takes in the words of a help text, as in `GETNAME` or `INFO [command-name ...]`.
    pub fn usage(&self) -> String {
        let (_, name) = self.name.split_once('|').unwrap_or(("", self.name));
        let arguments = read_all(self.arguments);
        let words = arguments.iter().map(Argument::usage);
        [name.to_uppercase()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// Appends the name and the page of `doc`, which belongs to `group`.
pub fn write(out: &mut Output, proto: Proto, doc: &Doc, group: &str) {
    let arguments = read_all(doc.arguments);
    let subcommands: Vec<&Doc> = Doc::subcommands(doc.name).collect();
    let optional = [!arguments.is_empty(), !subcommands.is_empty()];
    reply::bulk(out, doc.name.as_bytes());
    reply::map(out, proto, 4 + optional.into_iter().filter(|there| *there).count());
    write_pair(out, "summary", doc.summary);
    write_pair(out, "since", doc.since);
    write_pair(out, "group", group);
    write_pair(out, "complexity", doc.complexity);
    if !arguments.is_empty() {
        write_arguments(out, proto, &arguments);
    }
    if !subcommands.is_empty() {
        reply::bulk(out, b"subcommands");
        reply::map(out, proto, subcommands.len());
        subcommands.into_iter().for_each(|doc| write(out, proto, doc, group));
    }
}

fn write_arguments(out: &mut Output, proto: Proto, arguments: &[Argument]) {
    reply::bulk(out, b"arguments");
    reply::array(out, arguments.len());
    arguments.iter().for_each(|argument| argument.write(out, proto));
}

fn write_pair(out: &mut Output, key: &str, value: &str) {
    reply::bulk(out, key.as_bytes());
    reply::bulk(out, value.as_bytes());
}

/// An argument of a command.
#[derive(Debug, Default)]
struct Argument {
    name: String,
    kind: String,
    /// The word that stands before it, or that it is.
    token: Option<String>,
    /// What it is one of, or made of.
    parts: Vec<Self>,
    is_optional: bool,
    is_repeated: bool,
}

impl Argument {
    fn write(&self, out: &mut Output, proto: Proto) {
        let flags = [(self.is_optional, "optional"), (self.is_repeated, "multiple")];
        let flags: Vec<&str> =
            flags.iter().filter(|(has, _)| *has).map(|(_, flag)| *flag).collect();
        let fields = [self.token.is_some(), !flags.is_empty(), !self.parts.is_empty()];
        reply::map(out, proto, 2 + fields.into_iter().filter(|there| *there).count());
        write_pair(out, "name", &self.name);
        write_pair(out, "type", &self.kind);
        if let Some(token) = &self.token {
            write_pair(out, "token", token);
        }
        if !flags.is_empty() {
            reply::bulk(out, b"flags");
            reply::set(out, proto, flags.len());
            flags.iter().for_each(|flag| reply::simple(out, flag));
        }
        if !self.parts.is_empty() {
            write_arguments(out, proto, &self.parts);
        }
    }

    /// As people write it.
    fn usage(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Self::usage).collect();
        let word = match self.kind.as_str() {
            "pure-token" => String::new(),
            "oneof" => parts.join("|"),
            "block" => parts.join(" "),
            _ => format!("<{}>", self.name),
        };
        let word = [self.token.as_deref().unwrap_or(""), &word].join(" ").trim().to_owned();
        let word = if self.is_repeated { format!("{word} ...") } else { word };
        if self.is_optional { format!("[{word}]") } else { word }
    }
}

/// All arguments of a line.
fn read_all(line: &str) -> Vec<Argument> {
    let mut rest = line;
    let mut arguments = Vec::new();
    while !rest.is_empty() {
        arguments.push(read(&mut rest));
        rest = rest.trim_start();
    }
    arguments
}

/// Reads the argument at the front of `rest`.
fn read(rest: &mut &str) -> Argument {
    let is_optional = skip(rest, "[");
    let mut argument = Argument { is_optional, ..read_plain(rest) };
    argument.is_repeated = skip(rest, "...");
    if is_optional {
        skip(rest, "]");
    }
    argument
}

fn read_plain(rest: &mut &str) -> Argument {
    let word = read_word(rest);
    let is_token = word.starts_with(|first: char| first.is_ascii_uppercase());
    if is_token && !skip(rest, " ") {
        let (name, kind) = (word.to_lowercase(), "pure-token".to_owned());
        return Argument { name, kind, token: Some(word), ..Argument::default() };
    }
    if is_token {
        return Argument { token: Some(word), ..read_plain(rest) };
    }
    let (kind, parts) = if skip(rest, "(") {
        ("oneof".to_owned(), read_parts(rest, "|", ")"))
    } else if skip(rest, "{") {
        ("block".to_owned(), read_parts(rest, " ", "}"))
    } else {
        let typed = skip(rest, ":");
        (if typed { read_word(rest) } else { "string".to_owned() }, Vec::new())
    };
    Argument { name: word, kind, parts, ..Argument::default() }
}

fn read_parts(rest: &mut &str, between: &str, end: &str) -> Vec<Argument> {
    let mut parts = vec![read(rest)];
    while !skip(rest, end) && skip(rest, between) {
        parts.push(read(rest));
    }
    parts
}

fn read_word(rest: &mut &str) -> String {
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let end = rest.find(|letter| !in_word(letter)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word.to_owned()
}

/// Skips `text` at the front of `rest`; false if something else is there.
fn skip(rest: &mut &str, text: &str) -> bool {
    let after = rest.strip_prefix(text);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::COMMANDS;

    fn usage(line: &str) -> String {
        let words = read_all(line).iter().map(Argument::usage).collect::<Vec<_>>();
        words.join(" ")
    }

    #[test]
    fn every_command_has_a_page_and_every_line_of_arguments_is_read_to_its_end() {
        for command in &COMMANDS {
            assert!(Doc::named(command.name).is_some(), "{}", command.name);
        }
        for doc in DOCS {
            let arguments = read_all(doc.arguments);
            let named =
                |argument: &Argument| !argument.name.is_empty() && !argument.kind.is_empty();
            assert!(arguments.iter().all(named), "{}: {arguments:?}", doc.name);
            assert_eq!(arguments.is_empty(), doc.arguments.is_empty());
        }
    }

    #[test]
    fn arguments_are_what_they_are_written_as() {
        assert_eq!(usage("key:key value"), "<key> <value>");
        assert_eq!(usage("key:key field_value{field value}..."), "<key> <field> <value> ...");
        assert_eq!(usage("[condition(NX|XX)] [GET]"), "[NX|XX] [GET]");
        assert_eq!(usage("[expiration(EX s:integer|KEEPTTL)]"), "[EX <s>|KEEPTTL]");
        assert_eq!(usage("[arguments{v:integer [AUTH u_p{u p}]}]"), "[<v> [AUTH <u> <p>]]");
    }

    #[test]
    fn a_page_is_written_as_redis_writes_it() {
        let mut out = Output::default();
        write(&mut out, Proto::Resp2, Doc::named("incrby").unwrap(), "string");
        let text = String::from_utf8(out.bytes_mut().clone()).unwrap();
        let words: Vec<&str> = text.split("\r\n").filter(|line| !line.starts_with('$')).collect();
        let page = "incrby *10 summary Increment the integer value of a key by the given amount \
                    since 1.0.0 group string complexity O(1) arguments *2 \
                    *4 name key type key *4 name increment type integer ";
        assert_eq!(words.join(" "), page);
    }
}
