//! What a lane needs of its queue.

use super::node::Parcel;

/// A bounded first-in-first-out queue of calls from one core to another. It has one sender and one
/// receiver.
///
/// # Safety
///
/// Callers wait for their calls, and hold on to them. So:
///
/// - every parcel that [`pop`](Queue::pop) returns was pushed to this very queue, and happens after
///   that push; parcels come out in the order in which they went in;
/// - what was pushed before [`publish`](Queue::publish) is there for a `pop` that happens after it;
/// - a parcel that was pushed is not dropped, except with the queue itself, and the queue lives as
///   long as the mesh that made it, no longer;
/// - no method unwinds, nor calls into the runtime.
///
/// ```
/// use std::{collections::VecDeque, sync::Mutex};
/// use miniss_core::call::{Parcel, Queue};
///
/// struct Locked(Mutex<VecDeque<Parcel>>);
///
/// // SAFETY: a parcel leaves the deque only by `pop`, and the lock orders the two.
/// unsafe impl Queue for Locked {
///     unsafe fn push(&self, parcel: Parcel) -> Result<(), Parcel> {
///         self.0.lock().unwrap().push_back(parcel);
///         Ok(())
///     }
///     unsafe fn publish(&self) {} // it can be seen already
///     unsafe fn has_room(&self) -> bool {
///         true
///     }
///     unsafe fn pop(&self) -> Option<Parcel> {
///         self.0.lock().unwrap().pop_front()
///     }
///     fn is_empty(&self) -> bool {
///         self.0.lock().unwrap().is_empty()
///     }
///     fn capacity(&self) -> usize {
///         usize::MAX
///     }
/// }
/// ```
pub unsafe trait Queue: Send + Sync {
    /// Puts a parcel at the back, or gives it back if there is no room. Never blocks. The receiver
    /// need not see it before [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// The parcel itself, if the queue is full.
    ///
    /// # Safety
    ///
    /// The caller is the sender: no two of its calls are under way at once, and each happens after
    /// the one before.
    ///
    /// See [`Queue`] for an example.
    unsafe fn push(&self, parcel: Parcel) -> Result<(), Parcel>;

    /// Lets the receiver see what was pushed.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    ///
    /// See [`Queue`] for an example.
    unsafe fn publish(&self);

    /// Whether the next push will find room, as far as can be seen. After a sequentially consistent
    /// fence it sees every `pop` that came before such a fence of the receiver.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    ///
    /// See [`Queue`] for an example.
    unsafe fn has_room(&self) -> bool;

    /// Takes the parcel at the front. Never blocks.
    ///
    /// # Safety
    ///
    /// The caller is the receiver: no two of its calls are under way at once, and each happens
    /// after the one before.
    ///
    /// See [`Queue`] for an example.
    unsafe fn pop(&self) -> Option<Parcel>;

    /// Whether there is nothing to be taken, as far as can be seen. Cheap: it is asked in every
    /// turn, and over and over by a core that spins. After a sequentially consistent fence it sees
    /// every `publish` that came before such a fence of the sender.
    ///
    /// See [`Queue`] for an example.
    fn is_empty(&self) -> bool;

    /// For how many parcels there is room in all.
    ///
    /// See [`Queue`] for an example.
    fn capacity(&self) -> usize;
}
