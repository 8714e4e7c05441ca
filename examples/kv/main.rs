//! A Redis-protocol server whose keys are spread over all cores.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! `cargo run --release --example kv -- --addr 127.0.0.1:7379 --shards 2 --idle-spin-us 0`
//!
//! Every shard accepts connections and owns the keys that hash to it. A request for another shard's
//! key crosses to it; all requests that one connection has for one shard cross together, and the
//! replies come back in the order of the requests. In the order of the journey: [`server`] accepts,
//! [`connection`] reads and writes, [`resp`] parses, [`round`] routes and puts replies in order,
//! [`batch`] crosses, [`command`] and [`store`] do the work. [`stop`] ends it all.
#![deny(unsafe_code)]

mod batch;
mod budget;
mod command;
mod connection;
mod glob;
mod limits;
mod listen;
mod merge;
mod resp;
mod round;
mod say;
mod server;
mod session;
mod settings;
mod shard;
mod stop;
mod store;
#[cfg(test)]
mod testing;
mod traffic;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use say::log_to_stderr;
use settings::{Settings, exit_code};

/// Counts what `INFO` calls the used memory.
#[global_allocator]
static ALLOCATOR: usage::Counted = usage::Counted;

fn main() -> ExitCode {
    log_to_stderr();
    exit_code(server::run(Settings::parse()))
}
