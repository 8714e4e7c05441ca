//! Every value to every receiver, as long as they keep up.
//!
//! `user future ─▶ [broadcast] ─▶ wait list ─▶ run queue`
//!
//! The last `N` values are kept. A receiver gets a clone of each that was sent after it subscribed,
//! in order; one that falls behind by more than `N` is told how many it missed and goes on with the
//! oldest that is kept. So a slow receiver slows no one down, and sending never waits.
//!
//! - [`Broadcast`]: a ring of `N` values in place; [`split`](Ring::split) makes the handles, which
//!   borrow from it. No heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`channel`]: the same on the heap, with handles that own it."
)]
//! - [`Sender`], [`Receiver`]: the handles. There may be many of both.
//!
//! A value stays in the ring until `N` others came after it, or until the last receiver is gone.
//! What is large or scarce is best sent behind an `Rc`, and counts as held until then.

mod error;
mod receiver;
mod ring;
mod sender;

#[cfg(all(test, not(loom), feature = "alloc"))]
mod model;
#[cfg(all(test, not(loom), feature = "alloc"))]
mod tests;

#[cfg(feature = "alloc")]
pub use super::buffer::HeapBuffer;
pub use super::buffer::{Buffer, FixedBuffer};
pub use super::channel::SendError;
pub use error::{RecvError, TryRecvError};
#[cfg(feature = "alloc")]
pub use receiver::OwnedReceiver;
pub use receiver::Receiver;
#[cfg(feature = "alloc")]
pub use ring::channel;
pub use ring::{Broadcast, Ring};
#[cfg(feature = "alloc")]
pub use sender::OwnedSender;
pub use sender::Sender;
