//! What each shard has: its part in the end of the program, and its counts.

use std::cell::Cell;
use std::io;
use std::ops::Add;

use miniss_linux::sharded::Service;
use miniss_linux::signal::{GracefulShutdown, ShardShutdown};

use crate::failure::{Cut, Failure};

/// One shard's part in the work.
pub struct Worker {
    shutdown: ShardShutdown,
    counts: Cell<Counts>,
}

impl Service for Worker {}

/// What has been done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Files, and links, from the first byte to the last.
    pub files: u64,
    /// Bytes, also of files that are not done.
    pub bytes: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

impl Worker {
    /// That of this shard; it listens to the signals from now on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new(shutdown: &GracefulShutdown) -> io::Result<Self> {
        Ok(Self { shutdown: shutdown.on_shard()?, counts: Cell::default() })
    }

    /// What this shard has done.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Adds to what this shard has done.
    pub fn count(&self, done: Counts) {
        self.counts.set(self.counts.get() + done);
    }

    /// Runs `work`, and drops it if the program is asked to end.
    pub async fn until_asked<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Cut> {
        Ok(self.shutdown.until_requested(work).await.ok_or(Cut::Asked)??)
    }
}
