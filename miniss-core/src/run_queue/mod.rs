//! What is to be polled next: a local FIFO, and an inbox for wakes from elsewhere.
//!
//! `user future ─▶ task ─▶ [run queue] ─▶ executor ─▶ reactor`

pub(crate) mod fifo;
pub(crate) mod inbox;
#[cfg(all(test, loom))]
mod loom;
