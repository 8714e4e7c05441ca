//! What carries operations to the kernel and their results back.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [driver] ─▶ op ─▶ kernel`

pub(crate) mod uring;

pub(crate) use uring::{
    Driver, DriverConfig, InFlight, Op, Prepare, UringReactor, cancel_entry, poll_first,
};
