//! What a lane needs of its queue.
//!
//! `submit_to ─▶ [lane] ─▶ doorbell ─▶ the other core`

use super::node::Chain;

/// A bounded first-in-first-out queue of chains from one core to another.
///
/// One core pushes and one pops, except at the end of a core's life, when the sender takes back
/// what the receiver has left; so an implementation must allow any core to do both.
///
/// # Safety
///
/// Callers wait for the calls in a chain, and hold on to them. So:
///
/// - every chain that [`pop`](Queue::pop) returns was pushed to this very queue, and happens after
///   that push;
/// - a chain that was pushed is not dropped, except with the queue itself, and the queue lives as
///   long as the mesh that made it, no longer;
/// - neither method unwinds, nor calls into the runtime.
///
/// ```
/// use std::{collections::VecDeque, sync::Mutex};
/// use miniss_core::mailbox::{Chain, Queue};
///
/// struct Locked(Mutex<VecDeque<Chain>>);
///
/// // SAFETY: a chain leaves the deque only by `pop`, and the lock orders the two.
/// unsafe impl Queue for Locked {
///     fn push(&self, chain: Chain) -> Result<(), Chain> {
///         self.0.lock().unwrap().push_back(chain);
///         Ok(())
///     }
///     fn pop(&self) -> Option<Chain> {
///         self.0.lock().unwrap().pop_front()
///     }
/// }
/// ```
pub unsafe trait Queue: Send + Sync {
    /// Puts a chain at the back, or gives it back if there is no room. Never blocks.
    ///
    /// # Errors
    ///
    /// The chain itself, if the queue is full.
    ///
    /// See [`Queue`] for an example.
    fn push(&self, chain: Chain) -> Result<(), Chain>;

    /// Takes the chain at the front. Never blocks.
    ///
    /// See [`Queue`] for an example.
    fn pop(&self) -> Option<Chain>;
}
