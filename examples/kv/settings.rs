//! What the server was told on the command line, and how it ends.
#![forbid(unsafe_code)]

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use miniss_linux::{BuildError, Driver, Runtime};

use crate::limits::Limits;
use crate::say::complain;

const ABOUT: &str =
    "kv: a server that speaks the Redis protocol (RESP2 and RESP3), in memory, on all cores";

const MORE: &str = "\
Requests and replies are charged before they grow; what would exceed the memory of its connection
or its shard is refused with an error that begins with OOM, and a request that is too large ends its
connection. The first 64 KiB of each are free.

Requests for one key are atomic. Those for keys of several shards (MSET, MGET, DEL, UNLINK, EXISTS,
FLUSHALL, DBSIZE, KEYS) are not isolated: each shard does its part by itself, so an MGET beside an
MSET may show some keys from before it and some from after, and two MSETs at the same time may leave
some keys of each. The requests of one connection keep their order.

It runs until SIGINT or SIGTERM: then it answers what it has received, and ends. A second one ends
it at once. Try: redis-cli -p 7379";

/// The options.
#[derive(Debug, Parser)]
#[command(name = "kv", about = ABOUT, after_help = MORE)]
pub struct Settings {
    /// Where to listen, IP:PORT
    #[arg(long = "addr", value_name = "ADDRESS", default_value = "127.0.0.1:7379")]
    pub address: String,
    /// How many shards; without it, one for each CPU allowed
    #[arg(long, value_name = "N")]
    shards: Option<NonZeroUsize>,
    /// auto, io-uring or epoll; without it, what MINISS_DRIVER says, or auto
    #[arg(long)]
    driver: Option<Driver>,
    /// Spin so many microseconds before sleeping
    #[arg(long, value_name = "N", default_value = "0")]
    idle_spin_us: u64,
    /// What a client may take.
    #[command(flatten)]
    pub limits: Limits,
}

impl Settings {
    /// A runtime as the settings want it.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`](miniss_linux::Builder::build).
    pub fn runtime(&self) -> Result<Runtime, BuildError> {
        let idle_spin = Duration::from_micros(self.idle_spin_us);
        let mut builder = Runtime::builder().idle_spin(idle_spin).thread_name("kv");
        if let Some(shards) = self.shards {
            builder = builder.shards(shards.get());
        }
        if let Some(driver) = self.driver {
            builder = builder.driver(driver);
        }
        builder.build()
    }
}

/// How the program ends: with one line on standard error if something went wrong.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("kv: {error}"));
            ExitCode::FAILURE
        }
    }
}
