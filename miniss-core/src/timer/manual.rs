//! A clock that stands still until a test moves it: timers without an executor.

use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::queue::HasTimers;
use super::sleep::Timers;
use super::wheel::Wheel;
use crate::time::Instant;

/// A clock with timers that moves only by [`advance`](Self::advance).
///
/// A future keeps a reference to its timers, so `&'static ManualClock` is what implements
/// [`Timers`]; a test leaks a clock.
///
/// ```
/// use core::{future::Future, pin::pin, task::{Context, Poll, Waker}, time::Duration};
/// use miniss_core::timer::{ManualClock, Sleep};
///
/// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
/// let mut cx = Context::from_waker(Waker::noop());
/// let mut sleep = pin!(Sleep::new(clock, Duration::from_millis(5)));
/// assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
///
/// assert_eq!(clock.advance(Duration::from_millis(4)), 0);
/// assert_eq!(clock.advance(Duration::from_millis(1)), 1);
/// assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Ready(()));
/// ```
pub struct ManualClock<Q = Wheel> {
    now: Cell<Instant>,
    queue: Q,
    stopped: Cell<bool>,
}

impl ManualClock {
    /// A clock that stands at [`Instant::ZERO`], without timers.
    ///
    /// ```
    /// use miniss_core::timer::ManualClock;
    /// assert_eq!(ManualClock::new().next_deadline(), None);
    /// ```
    pub const fn new() -> Self {
        Self::with_queue()
    }
}

impl<Q: HasTimers> ManualClock<Q> {
    /// As [`new`](ManualClock::new), but the timers are in a queue of the type `Q`.
    ///
    /// ```
    /// use miniss_core::timer::{ManualClock, TimerList};
    /// assert_eq!(ManualClock::<TimerList>::with_queue().armed(), 0);
    /// ```
    pub const fn with_queue() -> Self {
        Self { now: Cell::new(Instant::ZERO), queue: Q::NEW, stopped: Cell::new(false) }
    }

    /// Moves the clock by `step` and wakes the tasks of all timers that are due then, by deadline;
    /// those of equal deadline in the order in which they were armed. Returns their number.
    ///
    /// # Panics
    ///
    /// If a waker does. The next call wakes the others that are due.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::timer::ManualClock;
    /// assert_eq!(ManualClock::new().advance(Duration::from_secs(1)), 0);
    /// ```
    pub fn advance(&self, step: Duration) -> usize {
        self.now.set(self.now.get() + step);
        self.queue.advance(self.now.get())
    }

    /// When the next timer may fire, as an executor would ask before it parks: never later than
    /// the earliest deadline, and exact unless very many timers lie close together. `None` if no
    /// timer is armed.
    ///
    /// ```
    /// use core::{future::Future, pin::pin, task::{Context, Waker}};
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let deadline = Instant::from_nanos(123_456_789);
    /// let mut sleep = pin!(Sleep::until(clock, deadline));
    /// let _pending = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// assert_eq!(clock.next_deadline(), Some(deadline));
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        self.queue.next_deadline()
    }

    /// How many timers are armed.
    ///
    /// ```
    /// use miniss_core::timer::ManualClock;
    /// assert_eq!(ManualClock::new().armed(), 0);
    /// ```
    pub fn armed(&self) -> usize {
        self.queue.len()
    }

    /// Ends the timers, as the end of an executor would. The tasks that wait are woken; from now on
    /// a timer that has not fired panics when it is polled.
    ///
    /// ```
    /// use miniss_core::timer::{ManualClock, Timers};
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// clock.stop();
    /// assert!(clock.queue().is_none());
    /// ```
    pub fn stop(&self) {
        self.stopped.set(true);
        self.queue.clear();
    }
}

impl<Q: HasTimers> Default for ManualClock<Q> {
    fn default() -> Self {
        Self::with_queue()
    }
}

impl<Q: HasTimers> fmt::Debug for ManualClock<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock")
            .field("now", &self.now.get())
            .field("armed", &self.armed())
            .finish_non_exhaustive()
    }
}

// SAFETY: `ManualClock` is not `Sync`, so the one thread that has the reference keeps it; `stop`
// takes out all timers and `None` is the answer from then on.
unsafe impl<Q: HasTimers> Timers for &'static ManualClock<Q> {
    type Instant = Instant;
    type Queue = Q;

    fn now(&self) -> Instant {
        self.now.get()
    }

    fn queue(&self) -> Option<&'static Q> {
        let clock: &'static ManualClock<Q> = self;
        (!clock.stopped.get()).then_some(&clock.queue)
    }
}
