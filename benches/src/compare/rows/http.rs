//! Rows of HTTP/1: hyper alone, and axum above it, on each runtime that it can run on.

#![forbid(unsafe_code)]

use super::{Role, Row};
use crate::compare::target::Bound::Peer;
use crate::compare::target::Target;
use crate::compare::work::http::{Seen, by_hyper, by_nginx, has_wrk};
use crate::http::RUNTIMES;
use crate::rivals::Rival;
use crate::rivals::compio::Compio;
use crate::rivals::miniss::Miniss;
use crate::rivals::monoio::Monoio;
use crate::rivals::tokio::Tokio;

/// These rows.
pub fn rows() -> Vec<Row> {
    let hello = ["hyper-hello", "hyper-hello-rate", "hyper-hello-p99"];
    let json = ["axum-json", "axum-json-rate", "axum-json-p99"];
    let hello = measures(hello, "hyper, a line of text, 64 connections", "hello", NOTE);
    hello.into_iter().chain(measures(json, "axum, an object of JSON", "json", NOTE_JSON)).collect()
}

const NOTE: &str = "\
    hyper-hello: the same version of hyper with the same settings and the same answer on each \
    runtime, by the adapters hyper-util, monoio-compat and cyper-core; nginx sends the same text \
    with some more headers, and has no runtime of Rust. glommio and smol have no adapter for \
    hyper 1. The client, wrk, has a core of its own, and needs it as much as the server does. \
    Under `chrt -f 50` the kernel's pauses of 50 ms are in the 99th percentile.";

const NOTE_JSON: &str = "\
    axum-json: an axum router above the same; nginx sends the object as text that it has.";

/// A run takes more than a second.
const ROUNDS_MAX: usize = 7;

/// What one answer is measured by.
fn measures(
    [efficiency, rate, p99]: [&'static str; 3],
    title: &'static str,
    answer: &'static str,
    note: &'static str,
) -> [Row; 3] {
    let row = |name, measure| {
        let row = Row::new(name, title).measure(measure).rounds_max(ROUNDS_MAX);
        Row { has_server: true, prepare: Some(has_wrk), ..row }
    };
    let more = |row: Row| Row { wants_more: true, ..row }.unit("k/s", 1e3);
    let efficiency = more(row(efficiency, "requests per CPU second of the server"))
        .target(Target::at_least(Peer(1.15)))
        .note(note);
    let rate = more(row(rate, "requests per second")).target(Target::at_least(Peer(1.0)));
    let p99 = row(p99, "99th percentile of latency").unit("us", 1e3);
    let p99 = p99.target(Target::at_most(Peer(1.0)));
    [
        everyone(efficiency, answer, |seen| seen.requests / seen.cpu_ns * 1e9),
        everyone(rate, answer, |seen| seen.per_second),
        everyone(p99, answer, |seen| seen.p99_ns),
    ]
}

fn everyone(row: Row, answer: &'static str, value: fn(&Seen) -> f64) -> Row {
    let row = RUNTIMES.into_iter().fold(row, |row, runtime| {
        let (role, name) = match runtime {
            "miniss" => (Role::Ours, Miniss::NAME),
            "miniss-epoll" => (Role::Variant, "miniss, epoll"),
            "tokio" => (Role::Peer, Tokio::NAME),
            "monoio" => (Role::Peer, Monoio::NAME),
            _ => (Role::Peer, Compio::NAME),
        };
        row.with_run(role, name, 1, move |_| by_hyper(runtime, answer, value))
    });
    row.with_run(Role::Peer, "nginx", 1, move |_| by_nginx(answer, value))
}
