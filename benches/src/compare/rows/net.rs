//! Rows of TCP: echo, and what idle connections take.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Job, Role, Row};
use crate::compare::sample::Sample;
use crate::compare::target::Bound::{Itself, Limit, Peer};
use crate::compare::target::{Figure, Target};
use crate::compare::work::echo::Echo;
use crate::compare::work::{self, connections};
use crate::echo::load::Report;
use crate::echo::servers::{MINISS_EPOLL, SERVERS, Server, TOKIO_READABLE, named};
use crate::echo::skewed;
use crate::rivals::Rival;
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::Miniss;
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;

/// These rows.
pub fn rows() -> Vec<Row> {
    vec![
        echo(),
        echo_busy(),
        echo_256(),
        echo_1(),
        echo_1_spin(),
        connections(),
        echo_epoll(),
        connections_epoll(),
        skew("skew", "requests per second", Report::per_second),
        skew("skew-p50", "median latency", |report| quantile(report, 0.5)),
        skew("skew-p99", "99th percentile of latency", |report| quantile(report, 0.99)),
    ]
}

/// 64 connections with so many requests each: half a second.
const SKEW_REQUESTS: usize = 150;

fn skew(name: &'static str, measure: &'static str, value: fn(&Report) -> f64) -> Row {
    let title = "one of two shards has 58 of 64 connections, 50 us of work on each request";
    let row = Row::new(name, title).measure(measure).rounds_max(ROUNDS_MAX);
    let row = match name {
        "skew" => Row { wants_more: true, ..row.unit("k/s", 1e3) }
            .target(Target::at_least(Peer(1.0)))
            .target(Target::at_most(Peer(1.0)).on(Figure::Cpu))
            .note(SKEW_NOTE),
        _ => row.unit("us", 1e3).target(Target::at_most(Peer(1.0))),
    };
    let row = Row { has_server: true, ..row };
    skewed::SERVERS.into_iter().fold(row, |row, server| {
        let (role, name) = match server.name {
            "hot" => (Role::Ours, Miniss::NAME),
            "hot-least" => (Role::Variant, "miniss, LeastConnections"),
            "hot-submit" => (Role::Variant, "miniss, ServiceGroup"),
            "hot-shares" => (Role::Variant, "miniss, ServiceGroup, shares"),
            _ => (Role::Peer, "tokio 1.54.1, two threads"),
        };
        let run = move |job: &Job| work::skewed::run(server, job, value);
        row.with_run(role, name, SKEW_REQUESTS, run)
    })
}

fn quantile(report: &Report, q: f64) -> f64 {
    report.latency.value_at_quantile(q) as f64
}

const SKEW_NOTE: &str = "\
    skew: miniss serves a connection where it was placed, and no one steals; tokio does. \
    LeastConnections places the same connections by their count; with a ServiceGroup the hot shard \
    gives the other up to 16 requests to do at a time; with shares, connections are also in a \
    scheduling group beside the main one, in which calls are received. All connections make \
    equally many requests, so the cold shard has nothing more to do long before the end. The \
    client shares the second core, and is more urgent than the servers.";

/// About 3.5 us.
const WORK_STEPS: u32 = 6_000;
/// Longer than a request takes.
const SPIN: Duration = Duration::from_millis(1);

fn echo() -> Row {
    rate("echo", "TCP echo, 64 B, 64 connections", 50_000, Echo::of(64)).note(
        "echo: client and server cost the kernel about the same, and the core of the client is \
         always busy, so its speed is part of the rate; CPU per operation is the server's alone.",
    )
}

fn echo_busy() -> Row {
    let echo = Echo { work_steps: WORK_STEPS, ..Echo::of(64) };
    let title = "TCP echo, 64 B, 64 connections, 3.5 us of work on each";
    rate("echo-busy", title, 30_000, echo).note(
        "echo-busy: the same with equal work for everyone on each request, so that the server is \
         the slower side; the work is part of CPU per operation.",
    )
}

fn echo_256() -> Row {
    let title = "TCP echo, 64 B, 256 connections";
    rate("echo-256", title, 50_000, Echo::of(256))
}

fn rate(name: &'static str, title: &'static str, size: usize, echo: Echo) -> Row {
    let row = Row::new(name, title)
        .unit("k/s", 1e3)
        .measure("requests per second")
        .target(Target::at_least(Peer(1.15)))
        .target(Target::at_most(Limit(1.05)).on(Figure::Cpu))
        .rounds_max(ROUNDS_MAX)
        .traced(2_000, 10_000);
    let row = Row { wants_more: true, ..row };
    servers(row, size, move |server, job| echo.rate(server, job))
}

/// A run takes half a second.
const ROUNDS_MAX: usize = 7;

fn echo_1() -> Row {
    let title = "TCP echo, 64 B, 1 connection, both sides sleep";
    latency(Row::new("echo-1", title).target(Target::at_most(Peer(1.0))), Echo::of(1))
}

fn echo_1_spin() -> Row {
    let title = "TCP echo, 64 B, 1 connection, servers that can spin do";
    let row = Row::new("echo-1-spin", title).target(Target::at_most(Limit(1.1)));
    latency(row, Echo { idle_spin: SPIN, ..Echo::of(1) })
}

fn latency(row: Row, echo: Echo) -> Row {
    let row =
        row.measure("median latency").unit("us", 1e3).rounds_max(ROUNDS_MAX).traced(500, 2_500);
    servers(row, 5_000, move |server, job| echo.latency(server, job))
}

fn connections() -> Row {
    let row = Row::new("connections", "an idle TCP connection")
        .measure("memory in user space")
        .unit("B", 1.0)
        .target(Target::at_most(Itself(512.0)))
        .rounds_max(3)
        .note(
            "connections: growth of the server's own memory over 2,000 connections that have \
             echoed once. By hand and in miniss a pool of buffers serves all connections; it is \
             in use before, so that it is not part of the growth. `tokio, readable` takes a \
             buffer only when there is something to read, as its documentation shows.",
        );
    let row = servers(Row { has_server: true, ..row }, 2_000, connections::idle);
    row.with_run(Role::Peer, "tokio, readable", 2_000, |job| connections::idle(TOKIO_READABLE, job))
}

fn echo_epoll() -> Row {
    let row = Row::new("echo-epoll", "TCP echo, 64 B, 64 connections, without io_uring")
        .unit("k/s", 1e3)
        .measure("requests per second")
        .target(Target::at_most(Peer(1.0)).on(Figure::Cpu))
        .rounds_max(ROUNDS_MAX)
        .traced(2_000, 10_000);
    let row = Row { wants_more: true, ..row };
    over_epoll(row, 50_000, |server, job| Echo::of(64).rate(server, job))
}

fn connections_epoll() -> Row {
    let row = Row::new("connections-epoll", "an idle TCP connection, without io_uring")
        .measure("memory in user space")
        .unit("B", 1.0)
        .target(Target::at_most(Peer(0.5)))
        .rounds_max(3)
        .note(
            "echo-epoll, connections-epoll: ours where io_uring is not to be had, beside the \
             peers that use epoll themselves, and ours on io_uring.",
        );
    over_epoll(row, 2_000, connections::idle).with_run(
        Role::Peer,
        "tokio, readable",
        2_000,
        |job| connections::idle(TOKIO_READABLE, job),
    )
}

/// Ours over epoll, and those that use epoll, too.
fn over_epoll(
    row: Row,
    size: usize,
    run: impl Fn(Server, &Job) -> Result<Sample, String> + Send + Sync + Copy + 'static,
) -> Row {
    let others = ["epoll", "miniss", "tokio", "smol"].into_iter().filter_map(named);
    let row = Row { has_server: true, ..row };
    others.chain([MINISS_EPOLL]).fold(row, |row, server| {
        let (role, name) = match server.name {
            "miniss-epoll" => (Role::Ours, "miniss, epoll"),
            "miniss" => (Role::Variant, "miniss, io_uring"),
            _ => subject(server),
        };
        row.with_run(role, name, size, move |job| run(server, job))
    })
}

/// Every kind of server as a subject.
fn servers(
    row: Row,
    size: usize,
    run: impl Fn(Server, &Job) -> Result<Sample, String> + Send + Sync + Copy + 'static,
) -> Row {
    let row = Row { has_server: true, ..row };
    SERVERS.into_iter().fold(row, |row, server| {
        let (role, name) = subject(server);
        row.with_run(role, name, size, move |job| run(server, job))
    })
}

/// What a kind of server stands for, and what tables call it.
pub(super) fn subject(server: Server) -> (Role, &'static str) {
    match server.name {
        "uring" => (Role::Limit, "io_uring by hand"),
        "epoll" => (Role::Limit, "epoll by hand"),
        "miniss" => (Role::Ours, Miniss::NAME),
        "tokio" => (Role::Peer, Tokio::NAME),
        "monoio" => (Role::Peer, Monoio::NAME),
        "compio" => (Role::Peer, Compio::NAME),
        "glommio" => (Role::Peer, Glommio::NAME),
        "smol" => (Role::Peer, Smol::NAME),
        other => (Role::Variant, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_server_stands_for_something() {
        let roles = SERVERS.map(|server| subject(server).0);
        let count = |role| roles.iter().filter(|&&other| other == role).count();
        assert_eq!([Role::Limit, Role::Ours, Role::Peer].map(count), [2, 1, 5]);
    }
}
