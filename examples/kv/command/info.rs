//! `INFO`: what every shard counts, added up, and what the server knows of itself.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! The fields are those of Redis that tools read and that mean something here. What this server
//! never does, it says so: it evicts nothing, saves nothing, and no client waits for a key.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use miniss_linux::Driver;

use super::call::{Call, Done};
use crate::resp::{Args, reply};
use crate::server::Server;
use crate::shard::now_ms;
use crate::usage::{Cpu, Usage, tell};

/// The version of Redis whose answers these are.
pub const REDIS_VERSION: &str = "7.0.15";

/// What one shard counts, or all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Keys.
    pub keys: i64,
    /// Keys with a deadline.
    pub deadlines: i64,
    /// How long those have left to live, all together, in milliseconds.
    pub left_ms: i64,
    /// Keys that expired ever.
    pub expired: i64,
    /// Keys that were read ever.
    pub hits: i64,
    /// Keys that were to be read and were not there.
    pub misses: i64,
    /// Connections open now.
    pub clients: i64,
    /// Connections accepted ever.
    pub accepted: i64,
    /// Requests handled ever, and in the last second.
    pub commands: [i64; 2],
    /// Bytes received ever, and in the last second.
    pub input: [i64; 2],
    /// Bytes sent ever, and in the last second.
    pub output: [i64; 2],
}

impl Figures {
    /// How many there are.
    pub const COUNT: usize = 14;

    /// Each of them.
    pub fn row(&mut self) -> [&mut i64; Self::COUNT] {
        let Self { keys, deadlines, left_ms, expired, hits, misses, clients, accepted, .. } = self;
        let Self { commands: [a, b], input: [c, d], output: [e, f], .. } = self;
        [keys, deadlines, left_ms, expired, hits, misses, clients, accepted, a, b, c, d, e, f]
    }
}

/// Which parts of `INFO` were asked for, one bit each in the order of [`SECTIONS`].
#[derive(Clone, Copy, Debug)]
pub struct Sections(u16);

const SECTIONS: [&str; 9] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "cluster",
    "keyspace",
];

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
    // The shard of the connection will tell what all use.
    tell();
    let mut figures = call.store.figures(call.now_ms);
    reply::array(call.out, Figures::COUNT);
    figures.row().into_iter().for_each(|figure| reply::integer(call.out, *figure));
    Ok(())
}

/// The text of `INFO`.
pub fn text(server: &Server, figures: Figures, wanted: Sections) -> String {
    let mut text = String::new();
    for (bit, name) in SECTIONS.iter().enumerate() {
        if wanted.0 & 1 << bit == 0 {
            continue;
        }
        let title = if *name == "cpu" { "CPU".to_owned() } else { capitalized(name) };
        let gap = if text.is_empty() { "" } else { "\r\n" };
        let _ = write!(text, "{gap}# {title}\r\n");
        for (field, value) in section(name, server, figures) {
            let _ = write!(text, "{field}:{value}\r\n");
        }
    }
    text
}

fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

/// Names and values.
type Fields = Vec<(&'static str, String)>;

fn section(name: &str, server: &Server, figures: Figures) -> Fields {
    match name {
        "server" => about_server(server),
        "clients" => clients(figures),
        "memory" => memory(&Usage::now()),
        "persistence" => persistence(),
        "stats" => stats(figures),
        "replication" => replication(),
        "cpu" => cpu(&Usage::now()),
        "cluster" => vec![("cluster_enabled", "0".to_owned())],
        _ => keyspace(figures),
    }
}

fn about_server(server: &Server) -> Fields {
    const DAY_S: u64 = 24 * 60 * 60;
    let uptime_s = server.start.elapsed().as_secs();
    let program = std::env::current_exe().unwrap_or_default();
    let multiplexing_api = match server.driver {
        Driver::Epoll => "epoll",
        Driver::Auto | Driver::IoUring => "io_uring",
    };
    vec![
        ("redis_version", REDIS_VERSION.to_owned()),
        ("redis_mode", "standalone".to_owned()),
        ("os", format!("Linux {}", std::env::consts::ARCH)),
        ("arch_bits", usize::BITS.to_string()),
        ("multiplexing_api", multiplexing_api.to_owned()),
        ("process_id", std::process::id().to_string()),
        ("run_id", run_id().to_owned()),
        ("tcp_port", server.port.to_string()),
        ("server_time_usec", (now_ms() * 1000).to_string()),
        ("uptime_in_seconds", uptime_s.to_string()),
        ("uptime_in_days", (uptime_s / DAY_S).to_string()),
        ("executable", program.display().to_string()),
        ("config_file", String::new()),
        ("shards", server.shards.to_string()),
    ]
}

/// Forty hexadecimal digits that tell this run of the server from all others.
fn run_id() -> &'static str {
    static ID: LazyLock<String> = LazyLock::new(|| {
        let parts: [u64; 3] = core::array::from_fn(|_| crate::store::hashing::draw());
        let digits = parts.map(|part| format!("{part:016x}")).concat();
        digits[..40].to_owned()
    });
    &ID
}

fn clients(figures: Figures) -> Fields {
    vec![
        ("connected_clients", figures.clients.to_string()),
        // No command waits for another client.
        ("blocked_clients", "0".to_owned()),
        ("tracking_clients", "0".to_owned()),
    ]
}

fn memory(usage: &Usage) -> Fields {
    let Usage { memory, memory_peak, resident, system_memory, .. } = *usage;
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    vec![
        ("used_memory", memory.to_string()),
        ("used_memory_human", human(memory)),
        ("used_memory_rss", resident.to_string()),
        ("used_memory_rss_human", human(resident)),
        ("used_memory_peak", memory_peak.to_string()),
        ("used_memory_peak_human", human(memory_peak)),
        ("used_memory_peak_perc", format!("{:.2}%", 100.0 * share(memory, memory_peak))),
        ("total_system_memory", system_memory.to_string()),
        ("total_system_memory_human", human(system_memory)),
        ("maxmemory", "0".to_owned()),
        ("maxmemory_human", human(0)),
        ("maxmemory_policy", "noeviction".to_owned()),
        ("mem_fragmentation_ratio", format!("{:.2}", share(resident, memory))),
        ("mem_fragmentation_bytes", (resident as i64 - memory as i64).to_string()),
        ("mem_allocator", "libc".to_owned()),
    ]
}

/// A number of bytes as people read it.
fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P"];
    let power = (bytes.max(1).ilog2() / 10) as usize;
    match power.checked_sub(1) {
        None => format!("{bytes}B"),
        Some(unit) => {
            format!("{:.2}{}", bytes as f64 / (1_u64 << (10 * power)) as f64, units[unit.min(4)])
        }
    }
}

/// Nothing is ever saved or loaded.
fn persistence() -> Fields {
    let names = ["loading", "async_loading", "rdb_bgsave_in_progress", "aof_enabled"];
    let names = names.into_iter().chain(["aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    names.map(|name| (name, "0".to_owned())).collect()
}

fn stats(figures: Figures) -> Fields {
    let kib = |bytes: i64| format!("{:.2}", bytes as f64 / 1024.0);
    vec![
        ("total_connections_received", figures.accepted.to_string()),
        ("total_commands_processed", figures.commands[0].to_string()),
        ("instantaneous_ops_per_sec", figures.commands[1].to_string()),
        ("total_net_input_bytes", figures.input[0].to_string()),
        ("total_net_output_bytes", figures.output[0].to_string()),
        ("instantaneous_input_kbps", kib(figures.input[1])),
        ("instantaneous_output_kbps", kib(figures.output[1])),
        ("expired_keys", figures.expired.to_string()),
        // Nothing is evicted: there is no bound for all keys.
        ("evicted_keys", "0".to_owned()),
        ("keyspace_hits", figures.hits.to_string()),
        ("keyspace_misses", figures.misses.to_string()),
        ("pubsub_channels", "0".to_owned()),
        ("pubsub_patterns", "0".to_owned()),
        ("total_forks", "0".to_owned()),
    ]
}

fn replication() -> Fields {
    vec![("role", "master".to_owned()), ("connected_slaves", "0".to_owned())]
}

fn cpu(usage: &Usage) -> Fields {
    let seconds = |time: Duration| format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    let [own, children]: [Cpu; 2] = usage.cpu;
    vec![
        ("used_cpu_sys", seconds(own.system)),
        ("used_cpu_user", seconds(own.user)),
        ("used_cpu_sys_children", seconds(children.system)),
        ("used_cpu_user_children", seconds(children.user)),
    ]
}

fn keyspace(figures: Figures) -> Fields {
    let Figures { keys, deadlines, left_ms, .. } = figures;
    if keys == 0 {
        return Vec::new();
    }
    let average_ms = left_ms / deadlines.max(1);
    vec![("db0", format!("keys={keys},expires={deadlines},avg_ttl={average_ms}"))]
}
