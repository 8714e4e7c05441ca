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
//! [`batch`] crosses, [`command`] and [`store`] do the work.
#![forbid(unsafe_code)]

mod batch;
mod command;
mod connection;
mod glob;
mod listen;
mod merge;
mod options;
mod resp;
mod round;
mod say;
mod server;
mod session;
mod settings;
mod shard;
mod store;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

use settings::{Settings, exit_code};

const HELP: &str = "\
kv: a server that speaks the Redis protocol (RESP2 and RESP3), in memory, on all cores

  --addr ADDRESS       where to listen, IP:PORT     [127.0.0.1:7379]
  --shards N           how many shards              [one for each CPU allowed]
  --idle-spin-us N     spin so many microseconds before sleeping  [0]
  --help               this text

It runs until it is stopped. Try: redis-cli -p 7379";

fn main() -> ExitCode {
    exit_code(server::run(&Settings::from_command_line(HELP)))
}
