//! Room for the calls to other shards, which a round has before it takes a request for them.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ store ─▶ reply ─▶ socket`
//!
//! A batch that waited on its way while the batch for another shard does not would let later
//! requests run before earlier ones. So a connection has a permit for a call before the round takes
//! the first request for that shard; without one it waits, with all that follows.
//!
//! No two connections wait for each other: one that waits holds permits of lower shards only.
#![forbid(unsafe_code)]

use std::mem::take;
use std::ops::Range;

use miniss_linux::CallError;
use miniss_linux::sharded::{Permit, ServiceGroup};

/// Batches on their way. Between two shards so few that a lane never fills: half of what it holds,
/// the other half being for answers.
static BATCHES: ServiceGroup = ServiceGroup::new("batches", 1, 4096).per_caller_max(64);

/// The permits that one connection has.
#[derive(Debug, Default)]
pub struct Permits {
    held: Vec<Permit>,
    /// The shards for which there was none when they were asked for.
    wanted: Range<usize>,
}

impl Permits {
    /// Takes a permit for each of `shards` that has none; false, and none is taken, if there is not
    /// one for each.
    #[must_use]
    pub fn take(&mut self, shards: Range<usize>) -> bool {
        let held = self.held.len();
        for shard in shards.clone() {
            if self.position(shard).is_some() {
                continue;
            }
            let Some(permit) = BATCHES.try_reserve(shard) else {
                self.held.truncate(held);
                self.wanted = shards;
                return false;
            };
            self.held.push(permit);
        }
        true
    }

    /// Waits for the permits that could not be taken. To be called when none is held.
    ///
    /// # Errors
    ///
    /// If this shard is ending.
    ///
    /// # Cancellation
    ///
    /// Dropping it gives up the place in the queue.
    pub async fn wait(&mut self) -> Result<(), CallError> {
        for shard in take(&mut self.wanted) {
            self.held.push(reserve(shard).await?);
        }
        Ok(())
    }

    /// The permit for `shard`, if need be after a wait; then it is the turn of higher shards only.
    ///
    /// # Errors
    ///
    /// If this shard is ending.
    ///
    /// # Cancellation
    ///
    /// Dropping it gives up the place in the queue.
    pub async fn permit(&mut self, shard: usize) -> Result<Permit, CallError> {
        match self.position(shard) {
            Some(position) => Ok(self.held.swap_remove(position)),
            None => reserve(shard).await,
        }
    }

    /// Gives back those that were not used.
    pub fn give_back(&mut self) {
        self.held.clear();
    }

    fn position(&self, shard: usize) -> Option<usize> {
        self.held.iter().position(|permit| permit.shard().index() == shard)
    }
}

async fn reserve(shard: usize) -> Result<Permit, CallError> {
    // On the heap: it is seldom, and the task of a connection is to stay small.
    Box::pin(BATCHES.reserve(shard)).await
}
