//! Every command: its name, its arity, its reach, and what it does.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! **Reach** is what the router needs to know: the connection alone, the one shard of a key, the
//! shards of several keys, every shard, or the shard a cursor stands in.
//!
//! Names are looked up in a table built by the compiler: one multiplication, one or two compares.
#![forbid(unsafe_code)]

use super::call::{Call, Done, Fault, Talk};
use super::{
    catalog, connection, counters, expiry, hashes, info, keys, lists, scan, server, sets, strings,
};
use crate::resp::Args;
use crate::store::hashing::shard_of;

/// What a command does on a shard.
pub type Run = fn(&mut Call<'_>) -> Done;

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its name, in small letters.
    pub name: &'static str,
    /// How many arguments it takes, its name included; negative means at least so many.
    pub arity: i32,
    /// Its flags as `COMMAND` shows them, separated by spaces.
    pub flags: &'static str,
    /// The group `COMMAND DOCS` puts it in.
    pub group: &'static str,
    /// What it concerns.
    pub reach: Reach,
    /// How many arguments it has at least when its reply may have any size.
    large_from: usize,
}

/// What a command concerns, and so where it runs.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// Only the connection and the server: it runs where it arrives.
    Connection(fn(&mut Talk<'_>) -> Done),
    /// The key that is its first argument.
    Key(Run),
    /// Keys up to the last argument, one every `step` arguments; each shard answers for its own.
    Keys(usize, Run, Merge),
    /// All keys: every shard runs it.
    Every(Run, Merge),
    /// The keys of the shard that the cursor, its first argument, stands in.
    Cursor(Run),
}

/// How the answers of several shards become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Integers are added up.
    Sum,
    /// All say OK.
    AllOk,
    /// Arrays are joined, in any order.
    Join,
    /// Arrays with an element for each key, put together in the order of the keys.
    InOrder,
    /// Figures for `INFO`.
    Info,
    /// The steps of a walk over the shards, one beginning where the last ended.
    Walk,
}

impl Command {
    /// Finds the command that a request names and checks how many arguments it has.
    ///
    /// # Errors
    ///
    /// There is no such command, or it takes another number of arguments.
    pub fn resolve(args: &Args<'_>) -> Result<&'static Self, Fault> {
        let command = Self::named(args.at(0)).ok_or_else(|| Fault::unknown_command(args))?;
        let fits = arity_fits(command.arity, args.len());
        // Keys with values must come in pairs; each shard then sees whole ones.
        let paired = !matches!(command.reach, Reach::Keys(2, ..)) || args.len() % 2 == 1;
        if fits && paired { Ok(command) } else { Err(Fault::Arity(command.name)) }
    }

    /// The command called `name`, in capital or small letters.
    pub fn named(name: &[u8]) -> Option<&'static Self> {
        let packed = pack(name)?;
        let mut slot = slot_of(packed);
        while INDEX[slot] != 0 {
            let command = &COMMANDS[INDEX[slot] as usize - 1];
            if PACKED[INDEX[slot] as usize - 1] == packed && command.name.len() == name.len() {
                return Some(command);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// True if the reply to a request with `args` may have any size. That of other commands is
    /// small, a string, or one for each argument.
    pub fn is_large(&self, args: &Args<'_>) -> bool {
        args.len() >= self.large_from
    }

    /// The first key's argument, the last one's (negative: from the end), and the step between.
    pub fn key_positions(&self) -> (i64, i64, i64) {
        match self.reach {
            Reach::Key(_) => (1, 1, 1),
            Reach::Keys(step, ..) => (1, -1, step as i64),
            _ => (0, 0, 0),
        }
    }
}

/// True if `len` arguments satisfy `arity`.
pub fn arity_fits(arity: i32, len: usize) -> bool {
    let wanted = arity.unsigned_abs() as usize;
    if arity < 0 { len >= wanted } else { len == wanted }
}

/// The shard a `SCAN` runs on; the shard `here` refuses what is no cursor.
pub fn cursor_shard(args: &Args<'_>, here: usize, shards: usize) -> usize {
    scan::parse_cursor(args.at(1)).map_or(here, |cursor| scan::shard_of_cursor(cursor, shards))
}

/// The shard that every key of a request belongs to, if there is one such.
pub fn common_shard(args: &Args<'_>, step: usize, shards: usize) -> Option<usize> {
    let mut owners = args.from(1).step_by(step).map(|key| shard_of(key, shards));
    let first = owners.next()?;
    owners.all(|owner| owner == first).then_some(first)
}

/// Commands about one key that show many elements of it, and with how many arguments they do.
const LARGE: [(&str, usize); 6] =
    [("hgetall", 2), ("lpop", 3), ("lrange", 4), ("rpop", 3), ("smembers", 2), ("spop", 3)];

const WRITE: &str = "write denyoom";
const WRITE_FAST: &str = "write denyoom fast";
const FREE: &str = "write";
const FREE_FAST: &str = "write fast";
const READ: &str = "readonly";
const READ_FAST: &str = "readonly fast";
const TALK: &str = "loading stale fast";
const GREET: &str = "noscript loading stale fast no_auth allow_busy";

use Reach::{Connection, Cursor, Every, Key, Keys};

/// Every command.
pub static COMMANDS: [Command; COUNT] = LIST;

const COUNT: usize = LIST.len();
#[rustfmt::skip]
const LIST: [Command; 57] = [
    row("append", 3, WRITE_FAST, "string", Key(strings::append)),
    row("auth", -2, GREET, "connection", Connection(connection::auth)),
    row("client", -2, "", "connection", Connection(connection::client)),
    row("command", -1, "loading stale", "server", Connection(catalog::command)),
    row("config", -2, "", "server", Connection(server::config)),
    row("dbsize", 1, READ_FAST, "server", Every(keys::dbsize, Merge::Sum)),
    row("decr", 2, WRITE_FAST, "string", Key(counters::decr)),
    row("decrby", 3, WRITE_FAST, "string", Key(counters::decrby)),
    row("del", -2, FREE, "generic", Keys(1, keys::del, Merge::Sum)),
    row("echo", 2, TALK, "connection", Connection(connection::echo)),
    row("exists", -2, READ_FAST, "generic", Keys(1, keys::exists, Merge::Sum)),
    row("expire", -3, FREE_FAST, "generic", Key(expiry::expire)),
    row("expireat", -3, FREE_FAST, "generic", Key(expiry::expireat)),
    row("flushall", -1, FREE, "server", Every(keys::flushall, Merge::AllOk)),
    row("get", 2, READ_FAST, "string", Key(strings::get)),
    row("getdel", 2, FREE_FAST, "string", Key(strings::getdel)),
    row("getset", 3, WRITE_FAST, "string", Key(strings::getset)),
    row("hdel", -3, FREE_FAST, "hash", Key(hashes::hdel)),
    row("hello", -1, GREET, "connection", Connection(connection::hello)),
    row("hget", 3, READ_FAST, "hash", Key(hashes::hget)),
    row("hgetall", 2, READ, "hash", Key(hashes::hgetall)),
    row("hlen", 2, READ_FAST, "hash", Key(hashes::hlen)),
    row("hset", -4, WRITE_FAST, "hash", Key(hashes::hset)),
    row("incr", 2, WRITE_FAST, "string", Key(counters::incr)),
    row("incrby", 3, WRITE_FAST, "string", Key(counters::incrby)),
    row("info", -1, "loading stale", "server", Every(info::figures, Merge::Info)),
    row("keys", 2, READ, "generic", Every(scan::keys, Merge::Join)),
    row("llen", 2, READ_FAST, "list", Key(lists::llen)),
    row("lpop", -2, FREE_FAST, "list", Key(lists::lpop)),
    row("lpush", -3, WRITE_FAST, "list", Key(lists::lpush)),
    row("lrange", 4, READ, "list", Key(lists::lrange)),
    row("mget", -2, READ_FAST, "string", Keys(1, strings::mget, Merge::InOrder)),
    row("mset", -3, WRITE, "string", Keys(2, strings::mset, Merge::AllOk)),
    row("persist", 2, FREE_FAST, "generic", Key(expiry::persist)),
    row("pexpire", -3, FREE_FAST, "generic", Key(expiry::pexpire)),
    row("pexpireat", -3, FREE_FAST, "generic", Key(expiry::pexpireat)),
    row("ping", -1, "fast", "connection", Connection(connection::ping)),
    row("psetex", 4, WRITE, "string", Key(strings::psetex)),
    row("pttl", 2, READ_FAST, "generic", Key(expiry::pttl)),
    row("quit", -1, GREET, "connection", Connection(connection::quit)),
    row("reset", 1, GREET, "connection", Connection(connection::reset)),
    row("rpop", -2, FREE_FAST, "list", Key(lists::rpop)),
    row("rpush", -3, WRITE_FAST, "list", Key(lists::rpush)),
    row("sadd", -3, WRITE_FAST, "set", Key(sets::sadd)),
    row("scan", -2, READ, "generic", Cursor(scan::scan)),
    row("scard", 2, READ_FAST, "set", Key(sets::scard)),
    row("select", 2, TALK, "connection", Connection(connection::select)),
    row("set", -3, WRITE, "string", Key(strings::set)),
    row("setex", 4, WRITE, "string", Key(strings::setex)),
    row("setnx", 3, WRITE_FAST, "string", Key(strings::setnx)),
    row("smembers", 2, READ, "set", Key(sets::smembers)),
    row("spop", -2, FREE_FAST, "set", Key(sets::spop)),
    row("srem", -3, FREE_FAST, "set", Key(sets::srem)),
    row("strlen", 2, READ_FAST, "string", Key(strings::strlen)),
    row("ttl", 2, READ_FAST, "generic", Key(expiry::ttl)),
    row("type", 2, READ_FAST, "generic", Key(keys::type_of)),
    row("unlink", -2, FREE_FAST, "generic", Keys(1, keys::del, Merge::Sum)),
];

const fn large_from(name: &str) -> usize {
    let mut index = 0;
    while index < LARGE.len() {
        if is_same(name.as_bytes(), LARGE[index].0.as_bytes()) {
            return LARGE[index].1;
        }
        index += 1;
    }
    usize::MAX
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

const fn row(
    name: &'static str,
    arity: i32,
    flags: &'static str,
    group: &'static str,
    reach: Reach,
) -> Command {
    Command { name, arity, flags, group, reach, large_from: large_from(name) }
}

/// Slots of the name index: a power of two, several times the number of commands.
const SLOTS: usize = 256;
/// Longest name that can be looked up: what a `u128` holds.
const NAME_BYTES_MAX: usize = size_of::<u128>();

/// For every command, its packed name.
static PACKED: [u128; COUNT] = packed_names();
/// For every slot, one more than the command's number; zero if it is free.
static INDEX: [u8; SLOTS] = index();

/// A name as one number, its letters made small; `None` if it is too long.
const fn pack(name: &[u8]) -> Option<u128> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut packed = 0;
    let mut index = 0;
    while index < name.len() {
        packed = packed << 8 | name[index] as u128;
        index += 1;
    }
    // Bit 6 marks letters, bit 5 small ones. Other bytes with bit 6 never become letters so.
    Some(packed | (packed & (u128::MAX / 0xff * 0x40)) >> 1)
}

const fn slot_of(packed: u128) -> usize {
    let folded = packed as u64 ^ ((packed >> 64) as u64).rotate_left(17);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % SLOTS
}

const fn packed_names() -> [u128; COUNT] {
    let mut packed = [0; COUNT];
    let mut number = 0;
    while number < COUNT {
        packed[number] = match pack(LIST[number].name.as_bytes()) {
            Some(name) => name,
            None => panic!("a name longer than can be packed"),
        };
        number += 1;
    }
    packed
}

const fn index() -> [u8; SLOTS] {
    let packed = packed_names();
    let mut index = [0; SLOTS];
    let mut number = 0;
    while number < COUNT {
        let mut slot = slot_of(packed[number]);
        while index[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = number as u8 + 1;
        number += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_small_and_capital_letters_and_nothing_else_is() {
        for command in &COMMANDS {
            let found = |name: &str| Command::named(name.as_bytes()).map(|found| found.name);
            assert_eq!(found(command.name), Some(command.name));
            assert_eq!(found(&command.name.to_uppercase()), Some(command.name));
            assert_eq!(found(&format!("{}\0", command.name)), None);
            assert_eq!(found(&format!("\0{}", command.name)), None);
            assert_eq!(found(&format!("{}x", command.name)), None);
        }
        for name in ["", "g", "ge", "g@t", "a name that is far too long"] {
            assert!(Command::named(name.as_bytes()).is_none(), "{name}");
        }
    }
}
