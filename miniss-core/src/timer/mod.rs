//! Let time pass without losing a thread: each executor has one wheel that holds every deadline,
//! and a timer is a field of the future that waits, so that arming one costs a few instructions and
//! no memory. Begin with [`Sleep`].
//!
//! `sleep().await ─▶ [node in the wheel] ─▶ executor's turn: advance ─▶ waker ─▶ poll`
//!
//! - `sleep`: [`Sleep`] waits for a deadline, [`Timeout`] beside another future; [`Timers`] is
//!   where both find their clock and their wheel
//! - `interval`: [`Interval`], deadlines at a fixed distance, and what it does about missed ones
//! - `wheel`: the order of all timers that are armed, by levels of 64 slots
//! - `list`: the node that a future holds, and the list that links it
//! - `manual`: [`ManualClock`], timers that move only when a test says so
//!
//! Every timer keeps three promises. It is *never early*: it fires at or after its exact
//! deadline. It is *never inline*: a deadline that has already passed fires on a later turn of the
//! executor, not in the call that set it. And [`Instant::MAX`](crate::time::Instant::MAX), to
//! which overlong durations saturate, means *never*.

mod interval;
mod list;
mod manual;
mod sleep;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod wheel;

pub use interval::{Interval, MissedTick};
pub use manual::ManualClock;
pub use sleep::{Sleep, Timeout, Timers};
pub use wheel::Wheel;
