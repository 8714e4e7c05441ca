//! Shards together: work on many of them, and state of which each has its own part.
//!
//! `main ─▶ [sharded] ─▶ call ─▶ lane ─▶ shard`
//!
//! [`submit_to`](crate::submit_to) asks one shard. What is here asks many, and joins what they say;
//! and it keeps what belongs to a shard, so that others can ask for it there.
//!
//! | what for | what |
//! |---|---|
//! | the same work on all shards, or on some | [`invoke_on_all`], [`invoke_on_others`], [`invoke_on_each`] |
//! | one figure of all shards | [`map_reduce`] |
//! | state with a part on each shard, which others call | [`Sharded`] |
//! | state of each shard that only code on it uses | [`shard_local!`](crate::shard_local) |
//! | one value of one shard that others hold | [`Foreign`] |
//! | no more calls in flight than a shard can bear | [`ServiceGroup`], [`Permit`], [`Permits`] |
//! | values from many shards, or threads, to one | [`mpsc`] |
//! | shares of each shard's time | [`SchedulingGroup`], [`switch_to`] |
//! | chance, and the same again | [`random()`], [`random_below`] |
//!
//! ```
//! use miniss_linux::sharded::{invoke_on_all, map_reduce};
//! use miniss_linux::{Runtime, ShardId};
//!
//! let runtime = Runtime::builder().shards(2).build().unwrap();
//! runtime.block_on(async {
//!     let names = invoke_on_all(async || ShardId::current().to_string()).await.unwrap();
//!     assert_eq!(names, ["shard 0", "shard 1"]);
//!
//!     let polls = || miniss_linux::stats().polls;
//!     let sum = map_reduce(ShardId::all(), polls, 0, |sum, polls| sum + polls).await.unwrap();
//!     assert!(sum > 0);
//! });
//! ```
//!
//! - [`calls`](self#functions): a call to each of many shards, joined in the order of the shards.
//! - [`service`](Sharded): an instance on each shard, from its start to its stop.
//! - [`foreign`](Foreign): one value of one shard, held by another.
//! - [`group`](ServiceGroup): how many calls may be in flight to a shard.
//! - [`scheduling`](SchedulingGroup): which tasks get how much of the time.
//! - [`random`](random()): random numbers that can be had again.
//! - [`storage`](crate::shard_local): what a shard keeps, and drops when it ends; variables with a
//!   value on each shard.

#![forbid(unsafe_code)]

pub(crate) mod calls;
pub(crate) mod foreign;
pub(crate) mod group;
pub(crate) mod random;
pub(crate) mod scheduling;
pub(crate) mod service;
pub(crate) mod storage;

pub use calls::{Calls, invoke_on_all, invoke_on_each, invoke_on_others, map_reduce};
pub use foreign::Foreign;
pub use group::{Permit, Permits, ServiceGroup};
#[doc(no_inline)]
pub use miniss_core::mpsc;
pub use random::{random, random_below};
pub use scheduling::{SchedulingGroup, switch_to};
pub use service::{Service, Sharded, ShardedRef, StartError};
pub use storage::ShardLocal;
