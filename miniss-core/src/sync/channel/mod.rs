//! A queue of values from many senders to one receiver, on one core.
//!
//! `user future ─▶ [channel] ─▶ semaphore ─▶ wait list ─▶ run queue`
//!
//! The room in the queue is counted by a [semaphore](super::Semaphore): a sender acquires a slot,
//! and receiving gives it back. So senders that wait for room are served in the order in which
//! they came, and one that gives up hands its slot to the next.
//!
//! - [`Channel`]: a queue with room for `N` values in place; [`split`](Queue::split) makes the
//!   handles, which borrow from it. No heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`bounded`], [`unbounded`]: the same on the heap, with handles that own it."
)]
//! - [`Sender`], [`Receiver`], [`Permit`]: the handles.
//!
//! One receiver, since on one core a value that several tasks may work on is as well given to a
//! task of its own. For many that each see every value there is [`broadcast`](super::broadcast).
//!
//! The end may come from either side. When the last sender is gone, or the receiver has called
//! [`close`](Receiver::close), what is queued is still received, then `None`. When the receiver is
//! gone, or someone called `abort`, what is queued is dropped. Senders that wait when the end
//! comes, or that come later, get their value back in the error.

mod error;
mod queue;
mod receiver;
mod sender;

#[cfg(all(test, not(loom), feature = "alloc"))]
mod model;
#[cfg(all(test, not(loom), feature = "alloc"))]
mod tests;

#[cfg(feature = "alloc")]
pub use super::buffer::HeapBuffer;
pub use super::buffer::{Buffer, FixedBuffer};
pub use error::{SendError, TryRecvError, TrySendError};
pub use queue::{Channel, Queue};
#[cfg(feature = "alloc")]
pub use queue::{bounded, unbounded};
#[cfg(feature = "alloc")]
pub use receiver::OwnedReceiver;
pub use receiver::Receiver;
#[cfg(feature = "alloc")]
pub use sender::OwnedSender;
pub use sender::{Permit, Sender};
