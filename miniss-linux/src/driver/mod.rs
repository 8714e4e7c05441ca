//! The io_uring driver carries operations to the kernel and their results back. Follow an entry
//! here from [`submit`] into the ring, through the one system call of a turn, and out again as a
//! completion that wakes its task.
//!
//! `future ─▶ op table ─▶ [driver] ─▶ kernel ─▶ [completion] ─▶ waker ─▶ executor`
//!
//! - [`setup`]: makes a ring with what the kernel has, no larger than its memory allows.
//! - [`submit`]: starts operations, and the future that waits for one.
//! - [`ring`]: the two queues shared with the kernel, and entries that wait for room.
//! - [`wait`]: the reactor; enters the kernel once per turn, spins or sleeps.
//! - [`complete`]: from completions to wakers, and the end, when all have come.
//! - [`unpark`]: ends the sleep of another shard.
//! - [`buffers`]: the buffers that the kernel receives into.
//! - [`sys`]: the gate to the system calls that we make ourselves.

pub(crate) mod buffers;
mod complete;
mod ring;
mod setup;
mod submit;
mod sys;
#[cfg(test)]
mod tests;
mod unpark;
mod wait;

pub(crate) use complete::result_of;
pub(crate) use setup::DriverConfig;
pub(crate) use submit::{Driver, InFlight, Op, Prepare, cancel_entry};
pub(crate) use sys::{now, poll_first};
pub(crate) use unpark::Unparker;
pub(crate) use wait::UringReactor;
