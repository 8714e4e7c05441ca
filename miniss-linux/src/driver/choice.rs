//! Which driver a runtime is to have, and which one it has.

#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::uring::{chunks_within_limit, entries_within_limit, report_short, shard_bytes};
use crate::error::DriverUnavailable;

/// The kernel interface that a runtime stands on. A program does the same on each, with the same
/// results and the same errors.
///
/// ```
/// use miniss_linux::{Driver, Runtime};
///
/// let runtime = Runtime::builder().shards(1).driver(Driver::Epoll).build().unwrap();
/// assert_eq!(runtime.driver().kind(), Driver::Epoll);
/// assert_eq!("io-uring".parse(), Ok(Driver::IoUring));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Driver {
    /// io_uring where it works, else epoll. What works is found by trying, never by the kernel's
    /// version: a container may forbid what the kernel has.
    #[default]
    Auto,
    /// io_uring or an error. It is the faster one.
    IoUring,
    /// epoll, which every Linux has and allows. One thing it does not tell: that the peer of a Unix
    /// socket will read no more ([`Shutdown::Read`](std::net::Shutdown)) while a write waits for
    /// room. The write then ends when the peer closes its socket.
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::IoUring => "io-uring",
            Self::Epoll => "epoll",
        })
    }
}

impl FromStr for Driver {
    type Err = UnknownDriver;

    fn from_str(word: &str) -> Result<Self, UnknownDriver> {
        match word {
            "auto" => Ok(Self::Auto),
            "io-uring" | "io_uring" => Ok(Self::IoUring),
            "epoll" => Ok(Self::Epoll),
            _ => Err(UnknownDriver(word.into())),
        }
    }
}

/// A word that names no [`Driver`].
///
/// ```
/// let error = "kqueue".parse::<miniss_linux::Driver>().unwrap_err();
/// assert_eq!(error.to_string(), "\"kqueue\" is no driver; auto, io-uring and epoll are");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownDriver(String);

impl fmt::Display for UnknownDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no driver; auto, io-uring and epoll are", self.0)
    }
}

impl std::error::Error for UnknownDriver {}

/// The driver of a runtime, and why it has this one; see
/// [`Runtime::driver`](crate::Runtime::driver).
#[derive(Debug)]
pub struct ChosenDriver {
    pub(crate) kind: Kind,
    refusal: Option<DriverUnavailable>,
}

impl ChosenDriver {
    pub(crate) fn new(kind: Kind, refusal: Option<DriverUnavailable>) -> Self {
        Self { kind, refusal }
    }

    /// Which one: [`Driver::IoUring`] or [`Driver::Epoll`].
    pub fn kind(&self) -> Driver {
        match self.kind {
            Kind::IoUring => Driver::IoUring,
            Kind::Epoll => Driver::Epoll,
        }
    }

    /// Why it is not io_uring, although that was to be tried first.
    ///
    /// ```
    /// use miniss_linux::{Driver, Runtime};
    ///
    /// let runtime = Runtime::builder().shards(1).driver(Driver::Epoll).build().unwrap();
    /// assert!(runtime.driver().refusal().is_none(), "it was not tried");
    /// ```
    pub fn refusal(&self) -> Option<&DriverUnavailable> {
        self.refusal.as_ref()
    }
}

impl fmt::Display for ChosenDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            None => write!(f, "{}", self.kind()),
            Some(refusal) => write!(f, "{}: {refusal}", self.kind()),
        }
    }
}

/// A driver that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    IoUring,
    Epoll,
}

/// What a driver is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverConfig {
    pub(crate) kind: Kind,
    /// Submission queue entries; the completion queue has four times as many.
    pub(crate) ring_entries: u32,
    /// Provided receive buffers, a power of two.
    pub(crate) recv_buffers: u16,
    /// Bytes in each of them.
    pub(crate) recv_buffer_bytes: u32,
    /// Chunks of aligned memory that a ring may be told of.
    pub(crate) registered_chunks_max: usize,
    /// The longest spin before a sleep, in nanoseconds; zero: none.
    pub(crate) idle_spin_ns: u64,
    /// The longest spin before a sleep that a call is expected to end, in nanoseconds; zero: none.
    pub(crate) call_spin_ns: u64,
    /// How long to wait until the kernel has memory for the smallest ring.
    pub(crate) memory_patience: Duration,
}

/// As long as is waited for memory where there is nothing else; and where there is another driver.
const PATIENCE: Duration = Duration::from_secs(6);
const PATIENCE_WITH_CHOICE: Duration = Duration::from_secs(1);

impl DriverConfig {
    /// For each of `shards` shards on `kind`. Rings are so small that all of them fit the user's
    /// allowance of locked memory together.
    pub(crate) fn on(self, kind: Kind, wanted: Driver, shards: usize) -> Self {
        let (ring_entries, registered_chunks_max) = match kind {
            Kind::IoUring => (
                entries_within_limit(self.ring_entries, self.recv_buffers, shards),
                chunks_within_limit(shards),
            ),
            Kind::Epoll => (self.ring_entries, 0),
        };
        let memory_patience = match wanted {
            Driver::Auto => PATIENCE_WITH_CHOICE,
            Driver::IoUring | Driver::Epoll => PATIENCE,
        };
        Self { kind, ring_entries, registered_chunks_max, memory_patience, ..self }
    }

    /// Says so if rings have fewer entries than were `wanted`.
    pub(crate) fn report_small_rings(&self, wanted: u32) {
        let entries = self.ring_entries;
        if entries < wanted {
            report_short(format_args!("rings have {entries} entries instead of {wanted}"));
        }
    }

    /// Bytes that a shard on io_uring wants to lock.
    pub(crate) fn locked_bytes(&self) -> u64 {
        shard_bytes(self.ring_entries, self.recv_buffers)
    }
}
