//! The contract of a driver: one body for each case, run on every driver.
//!
//! What a program sees of sockets, timers, wakes, cancels and ends is written down here, values and
//! errno, so that each driver can be held to the same. A case is a small `async fn`; the harness
//! runs it on a runtime of each driver, one case at a time, and counts what the shard holds before
//! and after: descriptors, tasks, timers, operations in flight.

#![forbid(unsafe_code)]

mod harness;
mod rows;
mod runtime;
mod stream;
mod tasks;
mod tcp;
mod timers;
mod unix;
mod wakes;
