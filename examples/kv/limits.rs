//! What a client may take: memory, and time without a word.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::budget::FREE_BYTES;
use crate::options::{Options, UsageError};

/// Limits for connections, from the command line.
#[derive(Debug)]
pub struct Limits {
    /// How long to wait for a client, if not without end.
    pub timeout: Option<Duration>,
    /// After how long without a word to ask whether the client is still there, if ever.
    pub keepalive: Option<Duration>,
    /// Bytes that one connection may hold.
    pub connection_bytes: usize,
    /// Bytes that the connections of one shard may hold together.
    pub shard_bytes: usize,
    /// Bytes of unread replies that end a connection at once.
    unread_bytes_hard: usize,
    /// Bytes of unread replies that end a connection that reads nothing for `unread_time`.
    unread_bytes_soft: usize,
    unread_time: Duration,
}

impl Limits {
    /// Takes the options that are about limits, with their defaults.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if a value is no number, or one of nothing.
    pub fn from_options(options: &mut Options) -> Result<Self, UsageError> {
        Ok(Self {
            timeout: seconds(options.value("timeout", 0)?),
            keepalive: seconds(options.value("tcp-keepalive", 300)?),
            connection_bytes: mib(options.positive("connection-mib", 512)?),
            shard_bytes: mib(options.positive("shard-mib", 1024)?),
            unread_bytes_hard: or_endless(mib(options.value("unread-hard-mib", 0)?)),
            unread_bytes_soft: or_endless(mib(options.value("unread-soft-mib", 8)?)),
            unread_time: Duration::from_secs(options.value("unread-seconds", 60)?),
        })
    }

    /// Bytes that a request may have.
    pub fn request_bytes_max(&self) -> usize {
        self.connection_bytes.saturating_add(FREE_BYTES)
    }

    /// How long to wait for a client that has `unread` bytes of replies before it.
    pub fn patience(&self, unread: usize) -> Option<Duration> {
        let soft = (unread > self.unread_bytes_soft).then_some(self.unread_time);
        self.timeout.into_iter().chain(soft).min()
    }

    /// Whether a client may have `unread` bytes of replies before it.
    pub fn allows_unread(&self, unread: usize) -> bool {
        unread <= self.unread_bytes_hard
    }
}

fn seconds(number: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(number))
}

fn mib(number: usize) -> usize {
    number.saturating_mul(1 << 20)
}

fn or_endless(bytes: usize) -> usize {
    if bytes == 0 { usize::MAX } else { bytes }
}
