//! The io_uring driver: what carries operations to the kernel and their results back.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [driver] ─▶ op ─▶ kernel`
//!
//! In the order of the journey: [`setup`] makes a ring with what the kernel has, no larger than
//! [`memlock`] allows; [`submit`] hands operations over, [`park`] enters the kernel once per turn,
//! [`complete`] takes the results, [`close`] ends it. [`sys`] is the gate to the system calls that
//! the `io-uring` crate does not make the way we need; [`ring`] owns the queues; [`buffers`] are
//! the provided buffers.

pub(crate) mod buffers;
mod close;
mod complete;
mod memlock;
mod park;
mod probe;
mod ring;
mod setup;
mod spin;
mod submit;
mod sys;
#[cfg(test)]
mod tests;
mod unpark;

pub(crate) use park::UringReactor;
pub(crate) use setup::DriverConfig;
pub(crate) use submit::{Driver, InFlight, Op, Prepare, cancel_entry};
pub(crate) use sys::{now, poll_first};
pub use unpark::WakeBy;
pub(crate) use unpark::{Unparker, UnparkerPost};
