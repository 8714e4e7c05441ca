//! The latest value of something, and news that it has changed.
//!
//! `user future ─▶ [watch] ─▶ wait list ─▶ run queue`
//!
//! Configuration, the state of a connection, progress: where only the newest value counts. A
//! receiver that is slow misses what was overwritten, and never the last value.
//!
//! - [`Watch`]: the value; [`split`](Watch::split) makes the handles, which borrow from it. No
//!   heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`channel`]: the same on the heap, with handles that own it."
)]
//! - [`Sender`], [`Receiver`]: the handles. There may be many of both.

mod receiver;
mod sender;
mod value;

#[cfg(all(test, not(loom), feature = "alloc"))]
mod model;
#[cfg(all(test, not(loom), feature = "alloc"))]
mod tests;

pub use super::channel::SendError;
#[cfg(feature = "alloc")]
pub use receiver::OwnedReceiver;
pub use receiver::Receiver;
#[cfg(feature = "alloc")]
pub use sender::OwnedSender;
pub use sender::Sender;
pub use value::Watch;
#[cfg(feature = "alloc")]
pub use value::channel;
