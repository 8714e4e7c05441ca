//! Commands about the server: `CONFIG GET`, and how subcommands are found.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Done, Fault, Talk};
use super::docs::Doc;
use super::table::{Command, arity_fits};
use crate::glob::Pattern;
use crate::resp::parser::BULK_BYTES_MAX;
use crate::resp::reply;
use crate::server::Server;
use crate::store::set::INTS_MAX;

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

/// The subcommand `HELP`: how to use the others.
pub fn help(talk: &mut Talk<'_>) -> Done {
    let parent = Command::named(talk.args.at(0)).map_or("", |command| command.name);
    let title = "<subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
    let mut lines = vec![format!("{} {title}", parent.to_uppercase())];
    for doc in Doc::subcommands(parent) {
        lines.extend([doc.usage(), format!("    {}", doc.summary)]);
    }
    reply::array(talk.out, lines.len());
    lines.iter().for_each(|line| reply::simple(talk.out, line));
    Ok(())
}

/// What `CONFIG` can be followed by.
pub const SUBCOMMANDS: &[Subcommand] = &[("config|get", -3, config_get), ("config|help", 2, help)];

/// `CONFIG GET pattern ... | HELP`
pub fn config(talk: &mut Talk<'_>) -> Done {
    dispatch(talk, "CONFIG", SUBCOMMANDS)
}

fn config_get(talk: &mut Talk<'_>) -> Done {
    let settings = settings(talk.server);
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
const SETTINGS: usize = 16;

/// The settings clients ask for, most of which cannot be otherwise here.
fn settings(server: &Server) -> [(&'static str, String); SETTINGS] {
    let fixed = |text: &str| text.to_owned();
    let Server { port, limits, .. } = server;
    [
        ("appendonly", fixed("no")),
        ("cluster-enabled", fixed("no")),
        ("client-query-buffer-limit", limits.request_bytes_max().to_string()),
        ("databases", fixed("1")),
        ("maxmemory", fixed("0")),
        ("maxmemory-policy", fixed("noeviction")),
        ("notify-keyspace-events", fixed("")),
        ("port", port.to_string()),
        ("proto-max-bulk-len", BULK_BYTES_MAX.to_string()),
        ("replicaof", fixed("")),
        ("requirepass", fixed("")),
        ("save", fixed("")),
        ("set-max-intset-entries", INTS_MAX.to_string()),
        ("slaveof", fixed("")),
        ("tcp-keepalive", limits.keepalive_s.to_string()),
        ("timeout", limits.timeout_s.to_string()),
    ]
}
