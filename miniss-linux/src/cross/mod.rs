//! Between shards: lanes, unparkers, and calls from threads that are no shard.
//!
//! `shard A: submit_to ─▶ [lane A▸B] ─▶ [unparker] ─▶ shard B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! The protocol is the core's (`miniss_core::call`); here it meets threads.

mod call;
mod foreign;
mod lane;
#[cfg(test)]
mod tests;
mod unparker;

pub use call::{Call, run_on, submit_to};
pub(crate) use foreign::Inbound;
pub use foreign::{ForeignCall, Handle};
pub(crate) use lane::Lane;
pub use unparker::WakeBy;
pub(crate) use unparker::{Unparker, UnparkerName, UnparkerPost};
