//! Another future against a deadline.
//!
//! **Pin Invariant.** `future` and `sleep` are pinned whenever the `Timeout` is: it has no `Drop`,
//! is `Unpin` only if both are, and nothing moves them out of it. The future is dropped in place.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use super::sleep::Sleep;
use super::timers::Timers;
use crate::error::TimedOut;

/// A future that gives another one until a deadline: `Ok` with its output, or [`TimedOut`].
///
/// The inner future is polled first, so a result that is there counts, however late. A future
/// that is ready at once costs no timer. The timer is a [`Sleep`]: never early, takes at least one
/// turn, and at [`Instant::MAX`](crate::time::Instant::MAX) never comes.
///
/// # Cancellation
///
/// Dropping it drops the inner future, which cancels that as its own documentation says, and
/// disarms the timer. So does its end, whichever of the two it is: once the `Timeout` has given its
/// output, there is neither inner future nor timer, though it may be kept.
///
/// # Panics
///
/// To poll it panics if the inner future does, if the executor has ended, or if it was ready
/// already.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// # use miniss_core::timer::ManualClock;
/// use core::{future::pending, time::Duration};
/// use miniss_core::error::TimedOut;
/// use miniss_core::timer::{Timeout, Timers};
///
/// async fn ask(timers: impl Timers) -> Result<u32, TimedOut> {
///     Timeout::new(timers, Duration::from_millis(3), pending()).await
/// }
/// # let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
/// # let mut cx = Context::from_waker(Waker::noop());
/// # let mut task = pin!(ask(clock));
/// # assert!(task.as_mut().poll(&mut cx).is_pending());
/// # clock.advance(Duration::from_millis(3));
/// # assert_eq!(task.as_mut().poll(&mut cx), Poll::Ready(Err(TimedOut)));
/// ```
#[must_use = "a future does nothing unless polled"]
pub struct Timeout<F, K: Timers> {
    /// `None` once it was ready.
    future: Option<F>,
    sleep: Sleep<K>,
}

impl<F: Future, K: Timers> Timeout<F, K> {
    /// Gives `future` until `deadline`.
    ///
    /// ```
    /// use core::future::ready;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Timeout};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let timeout = Timeout::until(clock, Instant::from_nanos(7), ready(1));
    /// assert_eq!(timeout.deadline(), Instant::from_nanos(7));
    /// ```
    pub fn until(timers: K, deadline: K::Instant, future: F) -> Self {
        Self { future: Some(future), sleep: Sleep::until(timers, deadline) }
    }

    /// Gives `future` the time `duration`, counted from this call. A sum beyond the clock's range,
    /// as that of [`Duration::MAX`], is never.
    ///
    /// ```
    /// use core::{future::ready, pin::pin, task::{Context, Poll, Waker}, time::Duration};
    /// use miniss_core::timer::{ManualClock, Timeout};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let timeout = pin!(Timeout::new(clock, Duration::ZERO, ready(1)));
    /// let polled = timeout.poll(&mut Context::from_waker(Waker::noop()));
    /// assert_eq!(polled, Poll::Ready(Ok(1)));
    /// ```
    pub fn new(timers: K, duration: Duration, future: F) -> Self {
        Self { future: Some(future), sleep: Sleep::new(timers, duration) }
    }

    /// The time at which it gives up; [`Instant::MAX`](crate::time::Instant::MAX) is never.
    ///
    /// ```
    /// use core::{future::ready, time::Duration};
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Timeout};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let timeout = Timeout::new(clock, Duration::MAX, ready(()));
    /// assert_eq!(timeout.deadline(), Instant::MAX);
    /// ```
    pub fn deadline(&self) -> K::Instant {
        self.sleep.deadline()
    }
}

impl<F: Future, K: Timers> Future for Timeout<F, K> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: Pin Invariant: both are pinned again at once.
        let (mut future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), Pin::new_unchecked(&this.sleep))
        };
        let inner = future.as_mut().as_pin_mut().expect("polled after it was ready");
        let outcome = match inner.poll(cx) {
            Poll::Ready(output) => Ok(output),
            // Also if the inner future has used up the budget: it is what the timer is for.
            Poll::Pending => {
                ready!(sleep.poll_elapsed(cx));
                Err(TimedOut)
            }
        };
        sleep.disarm();
        future.set(None);
        Poll::Ready(outcome)
    }
}

impl<F, K: Timers> fmt::Debug for Timeout<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("sleep", &self.sleep).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
