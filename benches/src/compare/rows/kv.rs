//! Rows of the example `kv` and redis-server, under redis-benchmark.

#![forbid(unsafe_code)]

use super::{Role, Row};
use crate::compare::target::Bound::Peer;
use crate::compare::target::{Figure, Target};
use crate::compare::work::kv::{Requests, build_kv};

/// These rows.
pub fn rows() -> Vec<Row> {
    let one_core = Requests { request: "get", in_flight: 1, shares_two_cores: false };
    let in_16s = Requests { in_flight: 16, ..one_core };
    let two_cores = Requests { shares_two_cores: true, ..in_16s };
    let set = |requests| Requests { request: "set", ..requests };
    vec![
        row("kv-get", one_core, 1.2).note(NOTE),
        row("kv-set", set(one_core), 1.2),
        row("kv-16-get", in_16s, 1.5),
        row("kv-16-set", set(in_16s), 1.5),
        row("kv-2cores-get", two_cores, 1.5).note(NOTE_TWO_CORES),
        row("kv-2cores-set", set(two_cores), 1.5),
    ]
}

/// A run takes more than a second.
const ROUNDS_MAX: usize = 5;

const NOTE: &str = "\
    kv: with one request in flight redis-benchmark, on a core of its own, has as much to do as the \
    server, so its speed is part of the rate; CPU per operation is the server's alone.";

const NOTE_TWO_CORES: &str = "\
    kv-2cores: kv with two shards, and redis-server as it comes, without I/O threads: with two, \
    which spin, it was 8 to 15 times slower here. The client needs a core, too, so the rate says \
    little; CPU per operation does.";

fn row(name: &'static str, requests: Requests, factor: f64) -> Row {
    let row = Row::new(name, title(requests))
        .measure("requests per second")
        .unit("k/s", 1e3)
        .target(Target::at_least(Peer(factor)))
        .target(Target::at_most(Peer(1.0 / factor)).on(Figure::Cpu))
        .rounds_max(ROUNDS_MAX);
    let size = if requests.in_flight == 1 { 80_000 } else { 600_000 };
    let row = Row { wants_more: true, has_server: true, prepare: Some(build_kv), ..row }
        .with_run(Role::Ours, "miniss, kv", size, move |job| requests.to_kv("io-uring", job))
        .with_run(Role::Variant, "miniss, kv, epoll", size, move |job| requests.to_kv("epoll", job))
        .with_run(Role::Peer, "redis-server 7", size, move |job| requests.to_redis(job));
    // Under strace a server that shares its cores is another one.
    if requests.shares_two_cores { row } else { row.traced(5_000, 25_000) }
}

fn title(requests: Requests) -> String {
    let Requests { request, in_flight, shares_two_cores } = requests;
    let place = if shares_two_cores { "two cores with the client" } else { "one core" };
    format!("{}, 50 connections, {in_flight} in flight each, {place}", request.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_say_what_is_asked() {
        let titles: Vec<_> = rows().into_iter().map(|row| row.title).collect();
        assert_eq!(titles[0], "GET, 50 connections, 1 in flight each, one core");
        let last = "SET, 50 connections, 16 in flight each, two cores with the client";
        assert_eq!(titles[5], last);
    }
}
