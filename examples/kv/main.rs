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
mod options;
mod permits;
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
mod usage;

use std::process::ExitCode;

use settings::{Settings, exit_code};

const HELP: &str = "\
kv: a server that speaks the Redis protocol (RESP2 and RESP3), in memory, on all cores

  --addr ADDRESS       where to listen, IP:PORT     [127.0.0.1:7379]
  --shards N           how many shards              [one for each CPU allowed]
  --driver DRIVER      auto, io-uring or epoll      [auto, or what MINISS_DRIVER says]
  --idle-spin-us N     spin so many microseconds before sleeping  [0]
  --timeout N          close connections on which nothing happens for N seconds; 0: never  [0]
  --tcp-keepalive N    after N seconds ask whether a silent client is there; 0: never  [300]
  --connection-mib N   memory that requests and replies of one connection may take  [512]
  --shard-mib N        memory that those of all connections of a shard may take  [1024]
  --unread-soft-mib N  close a connection that has more unread replies and reads nothing
  --unread-seconds N   for so many seconds; 0 MiB: never  [8, 60]
  --unread-hard-mib N  close a connection that has more unread replies; 0: never  [0]
  --help               this text

Requests and replies are charged before they grow; what would exceed the memory of its connection
or its shard is refused with an error that begins with OOM, and a request that is too large ends its
connection. The first 64 KiB of each are free.

Requests for one key are atomic. Those for keys of several shards (MSET, MGET, DEL, UNLINK, EXISTS,
FLUSHALL, DBSIZE, KEYS) are not isolated: each shard does its part by itself, so an MGET beside an
MSET may show some keys from before it and some from after, and two MSETs at the same time may leave
some keys of each. The requests of one connection keep their order.

It runs until SIGINT or SIGTERM: then it answers what it has received, and ends. A second one ends
it at once. Try: redis-cli -p 7379";

/// Counts what `INFO` calls the used memory.
#[global_allocator]
static ALLOCATOR: usage::Counted = usage::Counted;

fn main() -> ExitCode {
    exit_code(server::run(Settings::from_command_line(HELP)))
}
