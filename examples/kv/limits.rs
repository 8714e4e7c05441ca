//! What a client may take: memory, and time without a word.
//!
//! `[socket] ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ [socket]`
#![forbid(unsafe_code)]

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use crate::budget::FREE_BYTES;

/// Limits for connections, from the command line.
#[derive(Debug, Args)]
pub struct Limits {
    /// Close connections on which nothing happens for N seconds; 0: never
    #[arg(long = "timeout", value_name = "N", default_value = "0")]
    pub timeout_s: u64,
    /// After N seconds ask whether a silent client is there; 0: never
    #[arg(long = "tcp-keepalive", value_name = "N", default_value = "300")]
    pub keepalive_s: u64,
    /// Memory that requests and replies of one connection may take
    #[arg(long, value_name = "N", default_value = "512")]
    connection_mib: NonZeroUsize,
    /// Memory that those of all connections of a shard may take
    #[arg(long, value_name = "N", default_value = "1024")]
    shard_mib: NonZeroUsize,
    /// Close a connection that has more unread replies and reads nothing; 0: never
    #[arg(long, value_name = "N", default_value = "8")]
    unread_soft_mib: usize,
    /// For so many seconds a client may read nothing of them
    #[arg(long, value_name = "N", default_value = "60")]
    unread_seconds: u64,
    /// Close a connection that has more unread replies; 0: never
    #[arg(long, value_name = "N", default_value = "0")]
    unread_hard_mib: usize,
}

impl Limits {
    /// How long to wait for a client, if not without end.
    pub fn timeout(&self) -> Option<Duration> {
        seconds(self.timeout_s)
    }

    /// After how long without a word to ask whether the client is still there, if ever.
    pub fn keepalive(&self) -> Option<Duration> {
        seconds(self.keepalive_s)
    }

    /// Bytes that one connection may hold.
    pub fn connection_bytes(&self) -> usize {
        mib(self.connection_mib.get())
    }

    /// Bytes that the connections of one shard may hold together.
    pub fn shard_bytes(&self) -> usize {
        mib(self.shard_mib.get())
    }

    /// Bytes that a request may have.
    pub fn request_bytes_max(&self) -> usize {
        self.connection_bytes().saturating_add(FREE_BYTES)
    }

    /// How long to wait for a client that has `unread` bytes of replies before it.
    pub fn patience(&self, unread: usize) -> Option<Duration> {
        let is_soft = unread > or_endless(mib(self.unread_soft_mib));
        let soft = is_soft.then(|| Duration::from_secs(self.unread_seconds));
        self.timeout().into_iter().chain(soft).min()
    }

    /// Whether a client may have `unread` bytes of replies before it.
    pub fn allows_unread(&self, unread: usize) -> bool {
        unread <= or_endless(mib(self.unread_hard_mib))
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
