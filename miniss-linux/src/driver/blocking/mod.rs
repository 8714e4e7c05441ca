//! What would block a shard is done on threads: closures of the program, and requests that the
//! backend of the shard does not take.
//!
//! `spawn_blocking, request ─▶ line of the shard ─▶ [thread] ─▶ outcome ─▶ waker ─▶ executor`
//!
//! - [`pool`]: the lines of the shards, and the threads that work them off.
//! - [`requests`]: requests on their way there and back.
//! - [`perform`]: their system calls.

mod perform;
mod pool;
mod requests;
#[cfg(test)]
mod tests;

pub(crate) use pool::{BlockingConfig, BlockingPool, Busy, Job};
pub(crate) use requests::PoolRequests;
