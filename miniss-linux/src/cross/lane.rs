//! The queue of a lane between two shards.
//!
//! `shard A: submit_to ─▶ [lane A▸B] ─▶ doorbell ─▶ shard B`

use crossbeam_queue::ArrayQueue;
use miniss_core::mailbox::{Chain, Queue};

/// Chains that a lane holds. A chain carries all calls of one turn, so this is how many turns the
/// sender may be ahead; beyond that, calls gather in longer chains.
const CHAINS_MAX: usize = 64;

/// A bounded lock-free queue of chains.
#[derive(Debug)]
pub(crate) struct Lane(ArrayQueue<Chain>);

impl Lane {
    pub(crate) fn new() -> Self {
        Self(ArrayQueue::new(CHAINS_MAX))
    }
}

// SAFETY: `ArrayQueue` gives back each chain that it was given, once, and synchronises push and
// pop.
unsafe impl Queue for Lane {
    fn push(&self, chain: Chain) -> Result<(), Chain> {
        self.0.push(chain)
    }

    fn pop(&self) -> Option<Chain> {
        self.0.pop()
    }
}
