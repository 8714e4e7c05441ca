//! Let time pass without losing a thread: each executor has one queue that holds every deadline,
//! and a timer is a field of the future that waits, so that arming one costs a few instructions and
//! no memory. Begin with [`Sleep`].
//!
//! `sleep().await ─▶ [node in the queue] ─▶ executor's turn: advance ─▶ waker ─▶ poll`
//!
//! - `sleep`: [`Sleep`] waits for a deadline, [`Timeout`] beside another future; [`Timers`] is
//!   where both find their clock and their queue
//! - `interval`: [`Interval`], deadlines at a fixed distance, and what it does about missed ones
//! - `queue`: [`TimerQueue`], which of the two following a clock chooses, or none
//! - `wheel`: the order of all timers that are armed, by levels of 64 slots
//! - `timer_list`: the same in one ordered list, for small machines
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
pub(crate) mod queue;
mod sleep;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod timer_list;
mod wheel;

pub use interval::{Interval, MissedTick};
pub use manual::ManualClock;
pub use queue::{HasTimers, NoTimers, TimerQueue};
pub use sleep::{Sleep, Timeout, Timers};
pub use timer_list::TimerList;
pub use wheel::Wheel;
