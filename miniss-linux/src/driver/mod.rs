//! Drivers carry requests to the kernel and their results back. Follow a request here from
//! [`start`] into a backend, through the system call of a turn, and out again as a completion that
//! wakes its task.
//!
//! `future ─▶ op table ─▶ [driver] ─▶ kernel ─▶ [completion] ─▶ waker ─▶ executor`
//!
//! - [`request`]: what an operation asks of the kernel, as a value.
//! - [`start`]: starts operations, and the future that waits for one.
//! - [`backend`]: the interface of the drivers, and the two that there are.
//! - [`uring`]: fulfils requests by io_uring.
//! - [`epoll`]: fulfils requests by system calls that do not wait, tried again when epoll says so.
//! - [`reactor`]: the turn of a shard: hands over, takes what has completed, sleeps.
//! - [`spin`]: whether to look for work before a sleep, and for how long.
//! - [`unpark`]: ends the sleep of another shard.
//! - [`buffers`]: the buffers that are received into.
//! - [`aligned`]: the pool of buffers that fit a device.
//! - [`blocking`]: threads for what would block, requests that no backend takes among it.
//! - [`close`]: the end, when all has come back.
//! - [`choice`]: which driver a runtime is to have, and has.
//! - [`clock`]: the clock of a shard, which stands still in some tests.
//! - [`sys`]: what all of them ask of the system: the clock, the page, the limits.

mod aligned;
mod backend;
mod blocking;
pub(crate) mod buffers;
mod choice;
mod clock;
mod close;
mod epoll;
mod reactor;
mod request;
mod spin;
mod start;
mod sys;
#[cfg(test)]
pub(crate) mod tests;
mod unpark;
mod uring;

pub use choice::{ChosenDriver, Driver, UnknownDriver};
pub use uring::{IoUringFeature, IoUringProbe, probe_io_uring};

pub(crate) use blocking::{BlockingConfig, BlockingPool, Busy, Job, PoolRequests};
pub(crate) use choice::{DriverConfig, Kind};
pub(crate) use clock::any_stands;
pub(crate) use close::Hung;
pub(crate) use reactor::ShardReactor;
pub(crate) use request::{
    AT_CURSOR, FileRequest, MESSAGE_NAME_BYTES, MESSAGE_OFFSET, MessageHead, Prepare, Request,
    buffer_of, result_of,
};
pub(crate) use start::{InFlight, Op, ShardDriver};
pub(crate) use sys::{now, without_signal};
pub(crate) use unpark::{Unparker, make_eventfd};
