//! The client: requests on many connections, from one thread, on io_uring by hand.
//!
//! A connection keeps `depth` requests under way: as soon as one has come back whole, the next is
//! sent. Every byte is compared with what was sent. Latency is taken from before a request is
//! handed to the kernel to after the system call that brought its last byte, so the client's own
//! work on a batch is part of it; the first requests, while it warms up, are not counted.
//!
//! New connections, at the start and for churn, are made by a blocking connect, which on a loopback
//! does not wait for the server; it delays the client's other connections by that much.

mod connection;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::pattern::PIECE_BYTES_MAX;
use crate::limits::{pin, thread_cpu};

/// More connections than this no machine of ours can keep.
pub const CONNECTIONS_MAX: usize = 16_384;
/// More under way on one connection than this measures nothing but queues.
pub const DEPTH_MAX: usize = 1024;

/// How long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// For so long after the warm-up.
    Time(Duration),
    /// Until so many requests have come back after the warm-up.
    Requests(u64),
    /// Until so many have come back on each connection, which then makes no more. There is no
    /// warm-up.
    Each(u64),
}

/// What is to be done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections at a time.
    pub connections: usize,
    /// Bytes of a request.
    pub message_bytes: usize,
    /// Requests under way on each connection.
    pub depth: usize,
    /// A connection is closed and made again after so many requests.
    pub churn: Option<u64>,
    /// What is done before counting starts.
    pub warm_up: Duration,
    /// How long to count.
    pub until: Until,
    /// For how long to look for replies before sleeping.
    pub spin: Duration,
    /// The CPU to run on.
    pub cpu: Option<usize>,
}

impl Load {
    /// 64 bytes, 64 connections, one request under way on each, for a second.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            connections: 64,
            message_bytes: 64,
            depth: 1,
            churn: None,
            warm_up: Duration::from_millis(100),
            until: Until::Time(Duration::from_secs(1)),
            spin: Duration::ZERO,
            cpu: None,
        }
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// [`LoadError`], at the first thing that goes wrong.
    pub fn run(&self) -> Result<Report, LoadError> {
        self.run_watching(&mut || Duration::ZERO)
    }

    /// Does it, and reads the server's CPU clock when counting begins and ends.
    ///
    /// # Errors
    ///
    /// [`LoadError`], at the first thing that goes wrong.
    pub fn run_watching(
        &self,
        server_cpu: &mut dyn FnMut() -> Duration,
    ) -> Result<Report, LoadError> {
        self.check()?;
        if let Some(cpu) = self.cpu {
            pin(cpu);
        }
        run::Run::new(*self)?.finish(&mut || Clocks { own: thread_cpu(), server: server_cpu() })
    }

    fn warm_up_at_first(&self) -> Duration {
        match self.until {
            Until::Each(_) => Duration::ZERO,
            _ => self.warm_up,
        }
    }

    /// How many requests a connection may make.
    fn requests_max(&self) -> Option<u64> {
        match self.until {
            Until::Each(count) => Some(count),
            _ => self.churn,
        }
    }

    fn check(&self) -> Result<(), LoadError> {
        let in_range = |what, value: usize, max: usize| match value {
            0 => Err(LoadError::Invalid(format!("{what} must be at least 1"))),
            _ if value > max => Err(LoadError::Invalid(format!("{what} may be at most {max}"))),
            _ => Ok(()),
        };
        in_range("the number of connections", self.connections, CONNECTIONS_MAX)?;
        in_range("the message size", self.message_bytes, PIECE_BYTES_MAX)?;
        in_range("the depth", self.depth, DEPTH_MAX)?;
        match (self.churn, self.until) {
            (Some(0), _) => Err(LoadError::Invalid("churn after 0 requests is none".into())),
            (_, Until::Requests(0) | Until::Each(0)) => {
                Err(LoadError::Invalid("0 requests measure nothing".into()))
            }
            _ => Ok(()),
        }
    }
}

/// No latency yet: in nanoseconds, up to an hour, with three digits.
pub fn latencies() -> Histogram<u64> {
    const HOUR_NS: u64 = 3_600_000_000_000;
    Histogram::new_with_bounds(1, HOUR_NS, 3).expect("it counts with up to five digits")
}

/// CPU clocks at one moment.
struct Clocks {
    own: Duration,
    server: Duration,
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Report {
    /// How long each request took, in nanoseconds; it knows how many there were, too.
    pub latency: Histogram<u64>,
    /// How long was counted.
    pub elapsed: Duration,
    /// Connections made, the first ones included.
    pub connects: u64,
    /// CPU time of the client.
    pub client_cpu: Duration,
    /// CPU time of the server, if it was watched.
    pub server_cpu: Duration,
}

impl Report {
    /// Requests per second.
    pub fn per_second(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in microseconds that the share `q`, from 0 to 1, did not exceed.
    pub fn latency_us(&self, q: f64) -> f64 {
        self.latency.value_at_quantile(q) as f64 / 1e3
    }

    /// CPU time of the server for each request, in microseconds.
    pub fn server_cpu_us(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.latency.len() as f64
    }
}

/// Why there is no report.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// What was asked for makes no sense.
    Invalid(String),
    /// A connection could not be made.
    Connect(SocketAddr, io::Error),
    /// The ring failed.
    Ring(io::Error),
    /// A connection failed.
    Connection(usize, io::Error),
    /// The server closed a connection with requests under way.
    Closed(usize),
    /// What came back is not what was sent.
    Mismatch {
        /// Which connection.
        connection: usize,
        /// After how many bytes that were right.
        after_bytes: u64,
    },
    /// Nothing came back for so long.
    Stalled(Duration),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => f.write_str(what),
            Self::Connect(address, error) => {
                write!(f, "cannot connect to {address}: {error}; does the server listen there?")
            }
            Self::Ring(error) => {
                write!(f, "io_uring: {error}; the client needs Linux 6.6 or later")
            }
            Self::Connection(number, error) => write!(f, "connection {number}: {error}"),
            Self::Closed(number) => write!(f, "the server closed connection {number}"),
            Self::Mismatch { connection, after_bytes } => write!(
                f,
                "connection {connection}: what came back differs from what was sent within the \
                 piece that begins after {after_bytes} bytes"
            ),
            Self::Stalled(time) => write!(f, "nothing came back for {time:?}"),
        }
    }
}

impl std::error::Error for LoadError {}
