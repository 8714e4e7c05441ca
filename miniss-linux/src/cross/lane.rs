//! The lane between two shards.

use miniss_core::call::FixedLane;

/// Calls that a lane holds; beyond that, they gather on the sender's side.
const CALLS_MAX: usize = 128;

/// The lane from one shard to one other.
pub(crate) type Lane = FixedLane<CALLS_MAX>;
