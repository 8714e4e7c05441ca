//! `INFO`: what every shard counts, added up, and what the server knows of itself.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use super::call::{Call, Done};
use crate::resp::{Args, reply};
use core::fmt::Write as _;

/// The version of Redis whose answers these are.
pub const REDIS_VERSION: &str = "7.0.15";

/// What the server knows of itself; whoever runs it fills this in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The port it listens on.
    pub tcp_port: u16,
    /// Its process.
    pub process_id: u32,
    /// How long it has been running, in seconds.
    pub uptime_s: u64,
    /// Connections open now.
    pub clients: u64,
    /// Connections accepted ever.
    pub connections: u64,
    /// Requests handled ever.
    pub commands: u64,
}

/// What one shard counts, or all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Keys.
    pub keys: i64,
    /// Keys with a deadline.
    pub deadlines: i64,
    /// Keys that expired ever.
    pub expired: i64,
}

/// Which parts of `INFO` were asked for, one bit each in the order of [`SECTIONS`].
#[derive(Clone, Copy, Debug)]
pub struct Sections(u8);

const SECTIONS: [&str; 5] = ["server", "clients", "stats", "replication", "keyspace"];

impl Sections {
    /// The sections that the arguments of an `INFO` name; all without arguments.
    pub fn parse(args: &Args<'_>) -> Self {
        const ALL: [&str; 3] = ["default", "all", "everything"];
        let every = (1 << SECTIONS.len()) - 1;
        if args.len() == 1 {
            return Self(every);
        }
        let bits = (1..args.len()).map(|index| {
            let named = SECTIONS.iter().position(|name| args.is(index, name));
            let all = ALL.iter().any(|name| args.is(index, name));
            if all { every } else { named.map_or(0, |section| 1 << section) }
        });
        Self(bits.fold(0, |bits, more| bits | more))
    }
}

/// One shard's part of `INFO`: its figures as an array.
pub fn figures(call: &mut Call<'_>) -> Done {
    let store = &call.store;
    let figures = [store.len(), store.deadlines(), store.expired as usize];
    reply::array(call.out, figures.len());
    figures.into_iter().for_each(|figure| reply::count(call.out, figure));
    Ok(())
}

/// The text of `INFO`.
pub fn text(facts: &Facts, figures: Figures, wanted: Sections) -> String {
    let bodies = [
        server(facts),
        format!("connected_clients:{}\r\n", facts.clients),
        stats(facts, figures),
        "role:master\r\nconnected_slaves:0\r\n".to_owned(),
        keyspace(figures),
    ];
    let mut text = String::new();
    for (bit, (name, body)) in SECTIONS.iter().zip(bodies).enumerate() {
        if wanted.0 & 1 << bit != 0 {
            let gap = if text.is_empty() { "" } else { "\r\n" };
            let (first, rest) = name.split_at(1);
            let _ = write!(text, "{gap}# {}{rest}\r\n{body}", first.to_uppercase());
        }
    }
    text
}

fn server(facts: &Facts) -> String {
    let Facts { tcp_port, process_id, uptime_s, .. } = *facts;
    let days = uptime_s / (24 * 60 * 60);
    format!(
        "redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nprocess_id:{process_id}\r\n\
         tcp_port:{tcp_port}\r\nuptime_in_seconds:{uptime_s}\r\nuptime_in_days:{days}\r\n"
    )
}

fn stats(facts: &Facts, figures: Figures) -> String {
    format!(
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\nexpired_keys:{}\r\n",
        facts.connections, facts.commands, figures.expired
    )
}

fn keyspace(Figures { keys, deadlines, .. }: Figures) -> String {
    match keys {
        0 => String::new(),
        _ => format!("db0:keys={keys},expires={deadlines},avg_ttl=0\r\n"),
    }
}
