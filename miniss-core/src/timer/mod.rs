//! Timers: one wheel per executor, and the futures that wait on it.
//!
//! `user future ─▶ [sleep, timeout, interval] ─▶ [wheel] ─▶ executor ─▶ park(deadline)`
//!
//! In reading order:
//!
//! - [`Timers`]: where a future finds its clock and its wheel.
//! - [`Sleep`]: waits for a deadline. The node that the wheel links is a field of the future.
//! - [`Timeout`]: another future against a deadline.
//! - [`Interval`]: deadlines at a fixed distance, with a policy for those that were missed.
//! - [`ManualClock`]: timers that move only when told to, for tests.
//!
//! Inside: `list` has the node that is linked and the list that links it, `wheel` the order of it
//! all.
//!
//! Every timer keeps three promises. It is *never early*: it fires at or after its exact
//! deadline. It is *never inline*: a deadline that has already passed fires on a later turn of the
//! executor, not in the call that set it. And [`Instant::MAX`](crate::time::Instant::MAX), to
//! which overlong durations saturate, means *never*.

mod interval;
mod list;
mod manual;
mod sleep;
#[cfg(all(test, not(loom)))]
mod tests;
mod wheel;

pub use interval::{Interval, MissedTick};
pub use manual::ManualClock;
pub use sleep::{Sleep, Timeout, Timers};
pub use wheel::Wheel;
