//! The lane between two shards.
//!
//! `shard A: submit_to ─▶ [lane A▸B] ─▶ unparker ─▶ shard B`

use miniss_core::mailbox::FixedLane;

/// Calls that a lane holds; beyond that, they gather on the sender's side.
const CALLS_MAX: usize = 128;

/// The lane from one shard to one other.
pub(crate) type Lane = FixedLane<CALLS_MAX>;
