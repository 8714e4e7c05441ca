//! The programs that are compared, each written once for all runtimes.
//!
//! `row ─▶ [workload] ─▶ rival ─▶ its runtime`
//!
//! Each takes a size, warms up, measures and returns a [`Sample`](super::sample::Sample).
//!
//! - [`tasks`]: spawn, yield.
//! - [`timers`]: sleep, sleepers, idle.
//! - [`calls`]: from one core to another and back.
//! - [`memory`]: what a parked task takes.

pub mod calls;
pub mod memory;
pub mod tasks;
pub mod timers;
