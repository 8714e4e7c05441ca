//! The runtime: one thread per shard, launched, pinned, and ended in order. Read it in the order of
//! a life: from the settings, through the tasks and calls of a shard, to its end.
//!
//! `main ─▶ [runtime] ─▶ shards ─▶ executor ─▶ driver`
//!
//! - [`builder`]: the settings, checked before anything starts.
//! - [`launch`]: starts the shards' threads, and gets them to end.
//! - [`runtime`](mod@runtime): what the user holds; runs futures, and ends it all.
//! - [`shard`]: what each shard is, and which one this thread is in.
//! - [`spawn`](mod@spawn): starts tasks on this shard.
//! - [`blocking`]: runs closures that block, beside the shards.
//! - [`call`]: calls from shard to shard.
//! - [`foreign`]: calls from threads that are no shard.
//! - [`failure`]: the death of a shard, and who is told.

pub(crate) mod blocking;
pub(crate) mod builder;
pub(crate) mod call;
pub(crate) mod failure;
pub(crate) mod foreign;
pub(crate) mod launch;
#[allow(clippy::module_inception, reason = "the type that the folder is about")]
pub(crate) mod runtime;
pub(crate) mod shard;
pub(crate) mod spawn;
#[cfg(test)]
mod tests;

pub use blocking::{BlockingHandle, spawn_blocking};
pub use builder::{Builder, Pinning};
pub use call::{Call, run_on, submit_to};
pub(crate) use call::{try_run_on, try_submit_to};
pub use failure::ShardError;
pub use foreign::{ForeignCall, Handle};
pub use runtime::Runtime;
pub use shard::ShardId;
pub(crate) use shard::{is_local, try_with_current, with_current};
pub(crate) use spawn::spawn_guarded;
pub use spawn::{CurrentShard, JoinHandle, maybe_yield, need_preempt, spawn, spawn_on};
