//! What would block a shard is done on threads: a closure of the program.
//!
//! `spawn_blocking ─▶ line of the shard ─▶ [thread] ─▶ outcome ─▶ waker ─▶ executor`
//!
//! - [`pool`]: the lines of the shards, and the threads that work them off.

mod pool;
#[cfg(test)]
mod tests;

pub(crate) use pool::{BlockingConfig, BlockingPool};
