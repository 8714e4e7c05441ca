//! The command line of `echo_load`.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::load::{Load, Until};
use super::servers::{Placement, SERVERS, Server, Settings, named};
use super::trial::{Comparison, Task};

const MORE: &str = "\
Kinds: uring and epoll (by hand), miniss, tokio, monoio, compio, glommio, smol. If asked for, also
miniss-epoll, ours without io_uring, and tokio-readable, which holds no buffer while it waits; and
hot-… on two cores, where one has nine of ten connections: hot, -least, -submit, -shares, -tokio.";

/// What the command line asks for.
#[derive(Debug, Parser)]
#[command(
    name = "echo_load",
    about = "echo_load: a client for TCP echo servers, servers to try it on, and a comparison",
    after_help = MORE,
    disable_help_subcommand = true,
    flatten_help = true
)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Loads a server, and reports rate and latency
    Load(LoadOptions),
    /// Runs a server until it is stopped; prints its address
    Serve(ServeOptions),
    /// Every kind of server in turn, on core 0, the client on core 1
    Compare(CompareOptions),
}

/// A client.
#[derive(Debug, Args)]
pub struct LoadOptions {
    /// Where the server listens, IP:PORT
    address: SocketAddr,
    #[command(flatten)]
    requests: Requests,
    /// The CPU to run on
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
}

impl LoadOptions {
    /// What to do to the server.
    pub fn load(&self) -> Load {
        Load { cpu: self.cpu, ..self.requests.load(self.address) }
    }
}

/// A server.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// What kind of server
    #[arg(value_parser = server)]
    pub kind: Server,
    /// Where to listen, IP:PORT
    #[arg(long = "addr", value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    address: SocketAddr,
    #[command(flatten)]
    manner: Manner,
    /// The CPU to run on
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
}

impl ServeOptions {
    /// How it listens and waits.
    pub fn settings(&self) -> Settings {
        Settings { address: self.address, idle_spin: self.manner.idle_spin() }
    }

    /// Where it runs.
    pub fn placement(&self) -> Placement {
        Placement { cpu: self.cpu, work_steps: self.manner.work }
    }
}

/// A comparison.
#[derive(Debug, Args)]
pub struct CompareOptions {
    #[command(flatten)]
    requests: Requests,
    #[command(flatten)]
    manner: Manner,
    /// How often everyone has a turn
    #[arg(long, value_name = "N", default_value = "7")]
    rounds: NonZeroUsize,
    /// These kinds; the first is what others are compared with
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = server)]
    only: Vec<Server>,
}

impl CompareOptions {
    /// What is compared, and how.
    pub fn comparison(&self) -> Comparison {
        let load = self.requests.load(SocketAddr::from(([127, 0, 0, 1], 0)));
        let task = Task { load, idle_spin: self.manner.idle_spin(), work_steps: self.manner.work };
        let servers = if self.only.is_empty() { SERVERS.to_vec() } else { self.only.clone() };
        Comparison { task, rounds: self.rounds.get(), servers }
    }
}

/// What a client asks for.
#[derive(Debug, Args)]
struct Requests {
    /// Connections at a time
    #[arg(long, value_name = "N", default_value = "64")]
    connections: usize,
    /// Bytes of a request, up to 1048576
    #[arg(long, value_name = "BYTES", default_value = "64")]
    size: usize,
    /// Requests under way on each connection
    #[arg(long, value_name = "N", default_value = "1")]
    depth: usize,
    /// Close and reconnect after N requests; without it, never
    #[arg(long, value_name = "N")]
    churn: Option<u64>,
    /// How long to count
    #[arg(long, value_name = "N", default_value = "1000")]
    time_ms: u64,
    /// Count so many requests instead
    #[arg(long, value_name = "N", conflicts_with = "time_ms")]
    requests: Option<u64>,
    /// What is done before is not counted
    #[arg(long, value_name = "N", default_value = "100")]
    warm_up_ms: u64,
    /// Look so long for replies before sleeping
    #[arg(long, value_name = "N", default_value = "0")]
    spin_us: u64,
}

impl Requests {
    fn load(&self, address: SocketAddr) -> Load {
        let time = Until::Time(Duration::from_millis(self.time_ms));
        Load {
            connections: self.connections,
            message_bytes: self.size,
            depth: self.depth,
            churn: self.churn,
            warm_up: Duration::from_millis(self.warm_up_ms),
            until: self.requests.map_or(time, Until::Requests),
            spin: Duration::from_micros(self.spin_us),
            ..Load::new(address)
        }
    }
}

/// What every server does.
#[derive(Debug, Args)]
struct Manner {
    /// Look so long for work before sleeping
    #[arg(long, value_name = "N", default_value = "0")]
    idle_spin_us: u64,
    /// Steps of work for each message, under 1 ns each
    #[arg(long, value_name = "N", default_value = "0")]
    work: u32,
}

impl Manner {
    fn idle_spin(&self) -> Duration {
        Duration::from_micros(self.idle_spin_us)
    }
}

fn server(name: &str) -> Result<Server, String> {
    named(name).ok_or_else(|| {
        let names: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
        format!("there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::servers::{MINISS_EPOLL, TOKIO_READABLE};

    fn parsed(line: &str) -> Result<Command, String> {
        let words = ["echo_load"].into_iter().chain(line.split_whitespace());
        Options::try_parse_from(words).map(|it| it.command).map_err(|error| error.to_string())
    }

    #[test]
    fn a_load_is_read() {
        let line = "load 127.0.0.1:7 --connections 3 --size 10 --depth 2 --churn 9 --requests 100";
        let Ok(Command::Load(load)) = parsed(line) else { panic!("no load") };
        let load = load.load();
        assert_eq!(load.address.port(), 7);
        assert_eq!((load.connections, load.message_bytes, load.depth), (3, 10, 2));
        assert_eq!((load.churn, load.until), (Some(9), Until::Requests(100)));
    }

    #[test]
    fn servers_and_comparisons_are_read() {
        let Ok(Command::Serve(serve)) = parsed("serve miniss --idle-spin-us 50 --cpu 1 --work 9")
        else {
            panic!("no server")
        };
        assert_eq!((serve.kind.name, serve.placement().cpu), ("miniss", Some(1)));
        assert_eq!(serve.placement().work_steps, 9);
        assert_eq!(serve.settings().idle_spin, Duration::from_micros(50));
        let Ok(Command::Compare(compare)) = parsed("compare --only epoll,tokio --rounds 3") else {
            panic!("no comparison")
        };
        let comparison = compare.comparison();
        let names: Vec<_> = comparison.servers.iter().map(|server| server.name).collect();
        assert_eq!((names.as_slice(), comparison.rounds), (["epoll", "tokio"].as_slice(), 3));
    }

    #[test]
    fn every_server_is_in_the_help() {
        let servers = SERVERS.iter().chain([&MINISS_EPOLL, &TOKIO_READABLE]);
        servers.for_each(|server| assert!(MORE.contains(server.name), "{}", server.name));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("load localhost", "'localhost'"),
            ("serve nginx", "'nginx'"),
            ("serve nginx", "there are uring, epoll, miniss"),
            ("load 127.0.0.1:7 --rounds 3", "'--rounds'"),
            ("compare --only tokio,x", "'x'"),
        ] {
            let text = parsed(line).expect_err("it is wrong");
            assert!(text.contains(named), "{line}: {text}");
        }
    }
}
