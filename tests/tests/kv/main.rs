//! The example `kv` against real clients, and against clients that want to break it.
//!
//! `client ─▶ socket ─▶ [the example kv, a process of its own] ─▶ reply ─▶ client`
//!
//! - [`cli`]: what `redis-cli` shows, in both protocols
//! - [`benchmark`]: all of `redis-benchmark`, with one shard and with two
//! - [`order`]: long pipelines over all shards, against a model
//! - [`protocol`]: requests in any pieces, broken requests, greetings and goodbyes
//! - [`memory`]: clients that promise or ask for more than is good
//! - [`limits`]: budgets of memory, and time
//! - [`effects`]: what others see of a pipeline, and in which order
//! - [`modes`]: commands that are refused together with what follows
//! - [`stop`]: signals, and what is answered before the end
//! - [`values`]: large values, keys that expire, counters that many share
//! - [`figures`]: `INFO`, and the modes of `redis-cli` that read it
//! - [`walks`]: `KEYS` and `SCAN` beside other clients
//! - [`connections`]: clients that come, go, are killed, or are too many

#![forbid(unsafe_code)]

mod benchmark;
mod cli;
mod connections;
mod effects;
mod figures;
mod limits;
mod memory;
mod modes;
mod order;
mod protocol;
mod stop;
mod values;
mod walks;

use miniss_tests::program::Server;
use miniss_tests::resp::Client;

/// The example, with so many shards.
fn kv(shards: usize) -> Server {
    Server::start("kv", shards)
}

/// A client of `server`.
fn client(server: &Server) -> Client {
    Client::new(server.connect())
}
