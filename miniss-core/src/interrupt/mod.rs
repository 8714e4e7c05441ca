//! Values from an interrupt handler, or from another core, to a task: without a heap, and without a
//! lock that a handler could find taken.
//!
//! `handler: try_send ─▶ [interrupt] ─▶ recv: the task`
//!
//! | what | for | the sender's end |
//! |---|---|---|
//! | [`Queue`] | each value, from one handler | wait-free |
//! | [`SharedQueue`] | each value, from many handlers or cores | lock-free |
//! | [`Signal`] | the last value, from many handlers or cores | wait-free |
//!
//! Each is a `static` that both ends use by reference. Sending never waits: a value for which there
//! is no room comes back in the error. One task at a time receives, by the [`Receiver`] of the
//! `static`; it is woken by the first value that comes while it waits.
//!
//! A sender runs no code but its own and the wake, so sending is sound wherever a wake is: in
//! handlers that interrupt each other, and in one that cannot be turned off, if the processor has
//! compare-and-swap. One that has none makes up for it by turning interrupts off (see the feature
//! `portable-atomic`), so there a handler that comes all the same must not send.
//!
//! An [executor in a handler](Handler) runs tasks that are more urgent than all of the program's.
//!
//! ```
//! use miniss_core::interrupt::Queue;
//! # use miniss_core::doctest::executor;
//!
//! static BYTES: Queue<u8, 16> = Queue::new();
//!
//! /// Called by the serial port.
//! fn on_interrupt(byte: u8) {
//!     if BYTES.try_send(byte).is_err() {
//!         // The task is too slow: count it, say so.
//!     }
//! }
//!
//! # on_interrupt(b'x');
//! let mut bytes = BYTES.receiver().expect("no one else receives");
//! executor().block_on(async {
//!     assert_eq!(bytes.recv().await, b'x');
//! });
//! ```
//!
//! - `waker_cell`: the task that waits, as senders find it.
//! - `receiver`: the receiving end of all three.
//! - `queue`, `shared_queue`, `signal`: where the values are meanwhile.
//! - `handler`: an executor that an interrupt runs.

mod handler;
mod queue;
mod receiver;
mod shared_queue;
mod signal;
mod waker_cell;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

pub use handler::Handler;
pub use queue::Queue;
pub use receiver::{Receiver, Source};
pub use shared_queue::SharedQueue;
pub use signal::Signal;
