//! The io_uring driver: a request becomes an entry in the ring. Follow one from
//! [`push`](Uring::push) into the ring, through the one system call of a turn, and out again as a
//! completion.
//!
//! `future ─▶ op table ─▶ [driver] ─▶ kernel ─▶ [completion] ─▶ waker ─▶ executor`
//!
//! - [`setup`]: makes a ring with what the kernel has, no larger than its memory allows.
//! - [`entry`]: from a request to an entry.
//! - [`ring`]: the two queues shared with the kernel, and entries that wait for room.
//! - [`complete`]: from completions to slots.
//! - [`interrupted`]: what is asked for again, since the program was stopped for a moment.
//! - [`probe`]: what io_uring is here, for tools that tell a user.
//! - [`sys`]: the gate to the system calls that we make ourselves.

mod complete;
mod entry;
mod interrupted;
mod probe;
pub(super) mod ring;
pub(super) mod setup;
mod sys;

pub(super) use entry::Uring;
pub use probe::{IoUringFeature, IoUringProbe, probe_io_uring};
pub(super) use setup::{chunks_within_limit, entries_within_limit, report_short, shard_bytes};

/// The four topmost bits of `user_data`: what a completion is about.
pub(super) mod tag {
    use miniss_core::op::OpId;

    /// An operation of the table; the other bits are its id.
    pub(in crate::driver) const OP: u64 = 0;
    /// The shard was woken by its eventfd.
    pub(in crate::driver) const UNPARKER: u64 = 1 << OpId::BITS;
    /// The completion means nothing to us.
    pub(in crate::driver) const IGNORE: u64 = 2 << OpId::BITS;
    /// As [`OP`], and a thread of the kernel may wait for it.
    pub(in crate::driver) const WAIT: u64 = 3 << OpId::BITS;
    pub(in crate::driver) const MASK: u64 = !((1 << OpId::BITS) - 1);
}
