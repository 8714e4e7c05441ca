//! The programs that are compared, each written once for all runtimes.
//!
//! `row ─▶ [workload] ─▶ rival ─▶ its runtime`
//!
//! Each takes a size, warms up, measures and returns a [`Sample`](super::sample::Sample).
//!
//! - [`tasks`]: spawn, yield. [`timers`]: sleep, sleepers, idle.
//! - [`calls`]: from one core to another and back.
//! - [`memory`]: what a parked task takes. [`connections`]: what an idle connection takes.
//! - [`echo`]: TCP echo. [`http`]: HTTP. [`kv`]: the example `kv` and redis-server.
//! - [`skewed`]: one shard that has nearly all connections.
//! - [`files`]: reads, writes, commits of a log. [`direct`]: reads past the kernel's memory, fio.
//! - [`allocations`]: what operations allocate.

pub mod allocations;
pub mod calls;
pub mod connections;
pub mod direct;
pub mod echo;
pub mod files;
pub mod http;
pub mod kv;
pub mod memory;
pub mod skewed;
pub mod tasks;
pub mod timers;

/// What to do about a program that is not there.
const HINT: &str = "is missing; the option --install installs it";
