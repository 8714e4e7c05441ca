//! The runtime: one thread per shard, launched, pinned, and ended in order.
//!
//! `main ─▶ [runtime] ─▶ shards ─▶ executor ─▶ driver`
//!
//! In the order of a life: [`builder`] checks the settings, [`launch`] starts the shards, [`shard`]
//! is what each of them is, [`current`] finds it from inside, [`spawn`](mod@spawn) starts tasks on
//! it, [`current_shard`] lends it to combinators, [`guard`] catches the panics of its tasks,
//! [`failure`] tells of a shard that died,
//! [`runtime`](mod@runtime) holds it all and ends it.

pub(crate) mod builder;
pub(crate) mod call;
pub(crate) mod current;
pub(crate) mod current_shard;
pub(crate) mod failure;
pub(crate) mod foreign;
pub(crate) mod launch;
#[allow(clippy::module_inception, reason = "the type that the folder is about")]
pub(crate) mod runtime;
pub(crate) mod shard;
pub(crate) mod spawn;
#[cfg(test)]
mod tests;

pub use builder::{Builder, Pinning};
pub use call::{Call, run_on, submit_to};
pub use current_shard::{CurrentShard, maybe_yield};
pub use failure::ShardError;
pub use foreign::{ForeignCall, Handle};
pub use runtime::Runtime;
pub use shard::ShardId;
pub use spawn::{JoinHandle, spawn, spawn_on, stats};
