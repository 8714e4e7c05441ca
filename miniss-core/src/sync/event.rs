//! A flag that futures wait for.
//!
//! # Invariants
//!
//! - **Set wakes a round.** A waiter carries the round in which it joined. Setting the event ends
//!   the round and wakes exactly those who joined before. Who joins while they are being woken, by
//!   a waker that resets the event and waits again, belongs to the next round.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::pin::pin;

use crate::collections::{WaitList, Waiter};
use crate::coop::consume_budget;

/// A flag that is set and reset by hand, and that any number of futures of one core wait for.
///
/// ```
/// # use miniss_core::combine::when_all;
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::Event;
///
/// let ready = Event::new();
/// let serve = async {
///     ready.wait().await;
///     "serving"
/// };
/// let load = async { ready.set() };
/// # executor().block_on(async {
/// assert_eq!(when_all((serve, load)).await, ("serving", ()));
/// # });
/// ```
///
/// It stays on its core:
///
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(miniss_core::sync::Event::new());
/// ```
pub struct Event {
    set: Cell<bool>,
    round: Cell<u64>,
    queue: WaitList<u64>,
}

impl Event {
    /// An event that is not set.
    ///
    /// ```
    /// # use miniss_core::sync::Event;
    /// assert!(!Event::new().is_set());
    /// ```
    pub const fn new() -> Self {
        Self { set: Cell::new(false), round: Cell::new(0), queue: WaitList::new() }
    }

    /// Sets the event and wakes all who wait, in the order in which they came.
    ///
    /// They go on even if the event is [reset](Self::reset) before they are polled. Until the
    /// reset, a wait is ready at once.
    ///
    /// ```
    /// # use miniss_core::sync::Event;
    /// let event = Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn set(&self) {
        self.set.set(true);
        let round = self.round.get() + 1;
        self.round.set(round);
        self.queue.wake_while(|joined| (joined < round).then_some(joined));
    }

    /// Makes those who come from now on wait for the next [`set`](Self::set).
    ///
    /// ```
    /// # use miniss_core::sync::Event;
    /// let event = Event::new();
    /// event.set();
    /// event.reset();
    /// assert!(!event.is_set());
    /// ```
    pub fn reset(&self) {
        self.set.set(false);
    }

    /// Whether the event is set.
    ///
    /// ```
    /// # use miniss_core::sync::Event;
    /// assert!(!Event::new().is_set());
    /// ```
    pub const fn is_set(&self) -> bool {
        self.set.get()
    }

    /// How many futures wait.
    ///
    /// ```
    /// # use miniss_core::sync::Event;
    /// assert_eq!(Event::new().waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.queue.len()
    }

    /// Waits until the event is set; ready at once if it is.
    ///
    /// The wait begins with the first poll: an event that was set and reset before is missed.
    ///
    /// # Cancellation
    ///
    /// Safe. Nothing is consumed, and others are not affected.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// # use miniss_core::sync::Event;
    /// let event = Event::new();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut waiting = pin!(event.wait());
    /// assert!(waiting.as_mut().poll(&mut cx).is_pending());
    /// event.set();
    /// event.reset();
    /// assert!(waiting.poll(&mut cx).is_ready());
    /// ```
    pub async fn wait(&self) {
        if self.is_set() {
            return consume_budget().await;
        }
        let waiter = pin!(Waiter::new(&self.queue, self.round.get()));
        waiter.as_ref().woken().await;
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
