//! `COMMAND`: what the server says of its own commands.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Done, Fault, Talk};
use super::docs::{self, Doc};
use super::server::{Subcommand, dispatch, help};
use super::table::{COMMANDS, Command, arity_fits};
use super::{connection, server};
use crate::glob::Pattern;
use crate::resp::{Args, Output, Proto, reply};

/// What `COMMAND` can be followed by.
pub const SUBCOMMANDS: &[Subcommand] = &[
    ("command|count", 2, count),
    ("command|docs", -2, page),
    ("command|getkeys", -4, getkeys),
    ("command|help", 2, help),
    ("command|info", -2, info),
    ("command|list", -2, list),
];

/// The categories of access that a command can be in, in the order of Redis.
const CATEGORIES: [&str; 12] = [
    "keyspace",
    "read",
    "write",
    "set",
    "list",
    "hash",
    "string",
    "admin",
    "fast",
    "slow",
    "dangerous",
    "connection",
];

/// `COMMAND [COUNT | DOCS [name ...] | GETKEYS name ... | HELP | INFO [name ...] | LIST ...]`
pub fn command(talk: &mut Talk<'_>) -> Done {
    if talk.args.len() == 1 { info(talk) } else { dispatch(talk, "COMMAND", SUBCOMMANDS) }
}

fn count(talk: &mut Talk<'_>) -> Done {
    reply::count(talk.out, COMMANDS.len());
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE name | FILTERBY ACLCAT category | FILTERBY PATTERN pattern]`
fn list(talk: &mut Talk<'_>) -> Done {
    let filter = Filter::parse(&talk.args)?;
    let names: Vec<&str> =
        entries().filter(|entry| filter.takes(entry)).map(|entry| entry.name).collect();
    reply::array(talk.out, names.len());
    names.iter().for_each(|name| reply::bulk(talk.out, name.as_bytes()));
    Ok(())
}

/// Which commands are listed.
enum Filter<'a> {
    All,
    /// Those of a module, of which there are none.
    Module,
    Category(&'a [u8]),
    Pattern(Pattern),
}

impl<'a> Filter<'a> {
    fn parse(args: &Args<'a>) -> Result<Self, Fault> {
        if args.len() == 2 {
            return Ok(Self::All);
        }
        if args.len() != 5 || !args.is(2, "filterby") {
            return Err(Fault::SYNTAX);
        }
        if args.is(3, "module") {
            Ok(Self::Module)
        } else if args.is(3, "aclcat") {
            Ok(Self::Category(args.at(4)))
        } else if args.is(3, "pattern") {
            Ok(Self::Pattern(Pattern::new(&args.at(4).to_ascii_lowercase())?))
        } else {
            Err(Fault::SYNTAX)
        }
    }

    fn takes(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(name) => {
                entry.categories().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
            }
            Self::Pattern(pattern) => pattern.matches(entry.name.as_bytes()),
        }
    }
}

/// A command or a subcommand, as it is listed.
#[derive(Clone, Copy)]
struct Entry {
    name: &'static str,
    arity: i32,
    flags: &'static str,
    group: &'static str,
    /// The first key's argument, the last one's, and the step between.
    keys: (i64, i64, i64),
}

/// Every command, each before its subcommands.
fn entries() -> impl Iterator<Item = Entry> {
    COMMANDS.iter().flat_map(|command| [Entry::of(command)].into_iter().chain(subentries(command)))
}

fn subentries(parent: &'static Command) -> impl Iterator<Item = Entry> {
    let subcommands = match parent.name {
        "client" => connection::SUBCOMMANDS,
        "command" => SUBCOMMANDS,
        "config" => server::SUBCOMMANDS,
        _ => &[],
    };
    subcommands.iter().map(move |(name, arity, _)| Entry::sub(name, *arity, parent.group))
}

impl Entry {
    fn of(command: &Command) -> Self {
        let Command { name, arity, flags, group, .. } = *command;
        Self { name, arity, flags, group, keys: command.key_positions() }
    }

    fn sub(name: &'static str, arity: i32, group: &'static str) -> Self {
        let flags = match name {
            "config|get" => "admin noscript loading stale",
            "client|help" => "loading stale",
            _ if name.starts_with("client|") => "noscript loading stale",
            _ => "loading stale",
        };
        Self { name, arity, flags, group, keys: (0, 0, 0) }
    }

    /// The command, or the subcommand whose name holds its parent's.
    fn named(name: &[u8]) -> Option<Self> {
        let parent = name.split(|byte| *byte == b'|').next().and_then(Command::named)?;
        let mut entries = [Self::of(parent)].into_iter().chain(subentries(parent));
        entries.find(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name))
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.split_ascii_whitespace().any(|own| own == flag)
    }

    fn categories(&self) -> impl Iterator<Item = &'static str> {
        CATEGORIES.into_iter().filter(|category| self.is_in(category))
    }

    fn is_in(&self, category: &str) -> bool {
        let (parent, is_sub) =
            self.name.split_once('|').map_or((self.name, false), |it| (it.0, true));
        match category {
            "read" => self.has_flag("readonly"),
            "write" | "fast" | "admin" => self.has_flag(category),
            "slow" => !self.has_flag("fast"),
            "keyspace" => self.group == "generic" || matches!(self.name, "dbsize" | "flushall"),
            "dangerous" => {
                self.has_flag("admin") || matches!(self.name, "flushall" | "info" | "keys")
            }
            // A command that is nothing without what follows it is in no group.
            "connection" if parent == "client" => is_sub,
            "connection" => self.group == category || parent == "command",
            group => self.group == group,
        }
    }
}

/// `COMMAND GETKEYS name argument ...`
fn getkeys(talk: &mut Talk<'_>) -> Done {
    let command = Command::named(talk.args.at(2));
    let command = command.ok_or(Fault::Text("ERR Invalid command specified"))?;
    let (first, last, step) = command.key_positions();
    if first == 0 {
        return Err(Fault::Text("ERR The command has no key arguments"));
    }
    let len = talk.args.len() - 2;
    if !arity_fits(command.arity, len) {
        return Err(Fault::Text("ERR Invalid number of arguments specified for command"));
    }
    let end = if last < 0 { len } else { last as usize + 1 };
    let keys = talk.args.from(2).take(end).skip(first as usize).step_by(step as usize);
    let keys: Vec<&[u8]> = keys.collect();
    reply::array(talk.out, keys.len());
    keys.iter().for_each(|key| reply::bulk(talk.out, key));
    Ok(())
}

/// `COMMAND INFO [name ...]`
fn info(talk: &mut Talk<'_>) -> Done {
    let proto = talk.session.proto;
    if talk.args.len() <= 2 {
        reply::array(talk.out, COMMANDS.len());
        COMMANDS.iter().for_each(|command| write_whole(talk.out, proto, Entry::of(command)));
        return Ok(());
    }
    reply::array(talk.out, talk.args.len() - 2);
    for name in talk.args.from(2) {
        match Entry::named(name) {
            Some(entry) => write_whole(talk.out, proto, entry),
            None => reply::null(talk.out, proto),
        }
    }
    Ok(())
}

fn write_whole(out: &mut Output, proto: Proto, entry: Entry) {
    let subentries = || Command::named(entry.name.as_bytes()).into_iter().flat_map(subentries);
    write_fields(out, proto, entry);
    match subentries().count() {
        0 => reply::set(out, proto, 0),
        count => reply::array(out, count),
    }
    for entry in subentries() {
        write_fields(out, proto, entry);
        reply::set(out, proto, 0);
    }
}

/// Nine fields of ten: all but the subcommands. There are no tips for clients of a cluster, and
/// the keys are where the positions say.
fn write_fields(out: &mut Output, proto: Proto, entry: Entry) {
    let flags = entry.flags.split_ascii_whitespace();
    let (first, last, step) = entry.keys;
    reply::array(out, 10);
    reply::bulk(out, entry.name.as_bytes());
    reply::integer(out, i64::from(entry.arity));
    reply::set(out, proto, flags.clone().count());
    flags.for_each(|flag| reply::simple(out, flag));
    [first, last, step].into_iter().for_each(|number| reply::integer(out, number));
    reply::set(out, proto, entry.categories().count());
    entry.categories().for_each(|category| reply::simple(out, &format!("@{category}")));
    (0..2).for_each(|_| reply::set(out, proto, 0));
}

/// `COMMAND DOCS [name ...]`
fn page(talk: &mut Talk<'_>) -> Done {
    let named: Vec<Entry> = match talk.args.len() {
        2 => COMMANDS.iter().map(Entry::of).collect(),
        _ => talk.args.from(2).filter_map(Entry::named).collect(),
    };
    let pages = named.iter().filter_map(|entry| Some((Doc::named(entry.name)?, entry.group)));
    let pages: Vec<_> = pages.collect();
    reply::map(talk.out, talk.session.proto, pages.len());
    for (page, group) in pages {
        docs::write(talk.out, talk.session.proto, page, group);
    }
    Ok(())
}
