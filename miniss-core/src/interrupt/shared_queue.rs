//! A queue from many interrupt handlers and cores to one task.
//!
//! The values are in the ring of [`mpsc`](crate::mpsc), here in an array. It is not `heapless`'s
//! queue for many, in which a sender that is interrupted may keep all others out.

use core::fmt;

use super::receiver::sealed::Sealed;
use super::receiver::{Receiver, Reception, Source};
use crate::collections::ring::{NoPlace, Ring, Slot};
use crate::error::{NotSent, Refused};
use crate::prim::const_fn;

/// Values from any number of handlers and cores to a task. It has room for `N`.
///
/// Those of one sender come in order. A sender that is interrupted in the middle holds up the
/// values behind its own, until it goes on; senders are not held up.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::interrupt::SharedQueue;
/// use std::thread;
///
/// static EVENTS: SharedQueue<&str, 8> = SharedQueue::new();
///
/// let other_core = thread::spawn(|| EVENTS.try_send("called").unwrap());
/// EVENTS.try_send("pressed").unwrap();
///
/// let mut events = EVENTS.receiver().unwrap();
/// let both = executor().block_on(async { [events.recv().await, events.recv().await] });
/// assert!(both.contains(&"called") && both.contains(&"pressed"));
/// # other_core.join().unwrap();
/// ```
pub struct SharedQueue<T, const N: usize> {
    ring: Ring<T, [Slot<T>; N]>,
    reception: Reception,
}

impl<T: Send, const N: usize> SharedQueue<T, N> {
    const_fn! {
        /// An empty queue. It is an error of compilation if `N` is 0.
        pub const fn new() -> Self {
            Self { ring: Ring::in_place(), reception: Reception::new() }
        }
    }

    /// Sends `value` and wakes the task that waits. Lock-free: it tries again only where another
    /// sender has taken the place meanwhile.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the value and [`Full`](NotSent::Full).
    ///
    /// # Panics
    ///
    /// If the waker of the task does; the value has been sent then. Those of an executor do not.
    pub fn try_send(&self, value: T) -> Result<(), Refused<T, NotSent>> {
        match self.ring.push(value, false) {
            Ok(()) => {
                self.reception.waker.wake();
                Ok(())
            }
            Err(NoPlace::Full(value) | NoPlace::Closed(value)) => {
                Err(Refused::new(value, NotSent::Full))
            }
        }
    }

    /// The receiving end; `None` while someone has it.
    pub fn receiver(&'static self) -> Option<Receiver<Self>> {
        Receiver::claim(self)
    }

    /// How many values it has room for.
    pub const fn capacity(&self) -> usize {
        N
    }
}

impl<T: Send + 'static, const N: usize> Source for SharedQueue<T, N> {
    type Value = T;
}

impl<T: Send + 'static, const N: usize> Sealed<T> for SharedQueue<T, N> {
    fn reception(&self) -> &Reception {
        &self.reception
    }

    unsafe fn has_value(&self) -> bool {
        !self.ring.is_empty()
    }

    unsafe fn take(&self) -> Option<T> {
        // SAFETY: *One receiver*, by the caller's promise.
        unsafe { self.ring.pop() }
    }
}

impl<T: Send, const N: usize> Default for SharedQueue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for SharedQueue<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedQueue").field("capacity", &N).finish_non_exhaustive()
    }
}
