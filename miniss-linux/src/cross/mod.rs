//! Between shards: lanes, doorbells, and calls from threads that are no shard.
//!
//! `shard A: submit_to ─▶ [lane A▸B] ─▶ [doorbell] ─▶ shard B runs it ─▶ [lane B▸A] ─▶ waker A`
//!
//! The protocol is the core's (`miniss_core::mailbox`); here it meets threads.

mod bell;
mod call;
mod foreign;
mod lane;
#[cfg(test)]
mod tests;

pub use bell::DoorbellKind;
pub(crate) use bell::{Bell, BellName, BellPost};
pub use call::{Call, run_on, submit_to};
pub(crate) use foreign::Inbound;
pub use foreign::{ForeignCall, Handle};
pub(crate) use lane::Lane;
