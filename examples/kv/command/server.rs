//! Commands about the server: `COMMAND` and `CONFIG GET`, and how subcommands are found.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Done, Fault, Talk};
use super::info::Facts;
use super::table::{COMMANDS, Command, arity_fits};
use crate::glob::Pattern;
use crate::resp::parser::{BULK_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::resp::{Output, Proto, reply};

/// A subcommand: its full name, its arity with both names counted, and what it does.
pub type Subcommand = (&'static str, i32, fn(&mut Talk<'_>) -> Done);

/// Runs the subcommand of `parent`, given in capitals, that the request names.
pub fn dispatch(talk: &mut Talk<'_>, parent: &str, subcommands: &[Subcommand]) -> Done {
    let wanted = talk.args.at(1);
    let named = |full: &str| {
        let name = full.as_bytes().get(parent.len() + 1..).unwrap_or_default();
        name.eq_ignore_ascii_case(wanted)
    };
    match subcommands.iter().find(|(full, ..)| named(full)) {
        None => Err(Fault::unknown_subcommand(parent, wanted)),
        Some((full, arity, _)) if !arity_fits(*arity, talk.args.len()) => Err(Fault::Arity(full)),
        Some((.., run)) => run(talk),
    }
}

/// `CONFIG GET pattern ...`
pub fn config(talk: &mut Talk<'_>) -> Done {
    dispatch(talk, "CONFIG", &[("config|get", -3, config_get)])
}

fn config_get(talk: &mut Talk<'_>) -> Done {
    let settings = settings(&(talk.facts)());
    let mut found: [Option<(&[u8], &str)>; SETTINGS] = [None; SETTINGS];
    for pattern in talk.args.from(2) {
        let read = Pattern::new(&pattern.to_ascii_lowercase())?;
        for ((name, value), found) in settings.iter().zip(&mut found) {
            if found.is_none() && read.matches(name.as_bytes()) {
                // A name that is spelled out comes back as it was spelled.
                let exact = pattern.eq_ignore_ascii_case(name.as_bytes());
                *found = Some((if exact { pattern } else { name.as_bytes() }, value));
            }
        }
    }
    let found: Vec<_> = found.into_iter().flatten().collect();
    reply::map(talk.out, talk.session.proto, found.len());
    for (name, value) in found {
        reply::bulk(talk.out, name);
        reply::bulk(talk.out, value.as_bytes());
    }
    Ok(())
}

/// How many settings clients ask for.
const SETTINGS: usize = 9;

/// The settings clients ask for, most of which cannot be otherwise here.
fn settings(facts: &Facts) -> [(&'static str, String); SETTINGS] {
    let fixed = |text: &str| text.to_owned();
    [
        ("appendonly", fixed("no")),
        ("client-query-buffer-limit", REQUEST_BYTES_MAX.to_string()),
        ("databases", fixed("1")),
        ("maxmemory", fixed("0")),
        ("maxmemory-policy", fixed("noeviction")),
        ("port", facts.tcp_port.to_string()),
        ("proto-max-bulk-len", BULK_BYTES_MAX.to_string()),
        ("save", fixed("")),
        ("timeout", fixed("0")),
    ]
}

/// `COMMAND [COUNT | DOCS [name ...] | INFO [name ...] | LIST]`
pub fn command(talk: &mut Talk<'_>) -> Done {
    const SUBCOMMANDS: &[Subcommand] = &[
        ("command|count", 2, command_count),
        ("command|docs", -2, command_docs),
        ("command|info", -2, command_info),
        ("command|list", 2, command_list),
    ];
    if talk.args.len() == 1 {
        return command_info(talk);
    }
    dispatch(talk, "COMMAND", SUBCOMMANDS)
}

fn command_count(talk: &mut Talk<'_>) -> Done {
    reply::count(talk.out, COMMANDS.len());
    Ok(())
}

fn command_list(talk: &mut Talk<'_>) -> Done {
    reply::array(talk.out, COMMANDS.len());
    COMMANDS.iter().for_each(|command| reply::bulk(talk.out, command.name.as_bytes()));
    Ok(())
}

fn command_info(talk: &mut Talk<'_>) -> Done {
    let proto = talk.session.proto;
    if talk.args.len() <= 2 {
        reply::array(talk.out, COMMANDS.len());
        COMMANDS.iter().for_each(|command| write_info(talk.out, proto, command));
        return Ok(());
    }
    reply::array(talk.out, talk.args.len() - 2);
    for name in talk.args.from(2) {
        match Command::named(name) {
            Some(command) => write_info(talk.out, proto, command),
            None => reply::null(talk.out, proto),
        }
    }
    Ok(())
}

/// Ten fields; the last four, categories, tips, key patterns and subcommands, stay empty.
fn write_info(out: &mut Output, proto: Proto, command: &Command) {
    reply::array(out, 10);
    reply::bulk(out, command.name.as_bytes());
    reply::integer(out, i64::from(command.arity));
    let flags = command.flags.split_ascii_whitespace();
    reply::set(out, proto, flags.clone().count());
    flags.for_each(|flag| reply::simple(out, flag));
    let (first, last, step) = command.key_positions();
    [first, last, step].into_iter().for_each(|number| reply::integer(out, number));
    (0..4).for_each(|_| reply::set(out, proto, 0));
}

fn command_docs(talk: &mut Talk<'_>) -> Done {
    let named: Vec<&Command> = match talk.args.len() {
        2 => COMMANDS.iter().collect(),
        _ => talk.args.from(2).filter_map(Command::named).collect(),
    };
    reply::map(talk.out, talk.session.proto, named.len());
    for command in named {
        reply::bulk(talk.out, command.name.as_bytes());
        reply::map(talk.out, talk.session.proto, 1);
        reply::bulk(talk.out, b"group");
        reply::bulk(talk.out, command.group.as_bytes());
    }
    Ok(())
}
