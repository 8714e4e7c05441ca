//! Waits for a deadline, alone or beside another future; and where such a future finds its timers.
//!
//! # Invariants
//!
//! - **The node stays put.** Nothing moves the node of a pinned `Sleep`: no method hands out `&mut`
//!   to it, and the node makes `Sleep` not `Unpin`. `Sleep` has no `Drop` of its own; that of the
//!   node takes it out of the queue.
//! - **Both stay put.** `future` and `sleep` are pinned whenever the `Timeout` is: it has no
//!   `Drop`, is `Unpin` only if both are, and nothing moves them out of it. The future is dropped
//!   in place.

use core::cell::Cell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use super::list::TimerNode;
use super::queue::HasTimers;
use super::queue::sealed::Arm;
use crate::coop;
use crate::error::TimedOut;
use crate::time::Instant;

/// A handle to the clock and the timers of the executor on this thread.
///
/// The futures of this module are generic over it, so that the same code runs under every
/// executor, and under a [`ManualClock`](super::ManualClock) in tests.
///
/// # Safety
///
/// Only the calling thread may use what `queue` returns, until the executor that owns it has ended
/// and taken out all timers; from then on `queue` must return `None`. An implementation that passes
/// on the answer of another one meets this, if it asks again each time.
///
/// ```
/// use miniss_core::time::Instant;
/// use miniss_core::timer::{ManualClock, Timers, Wheel};
///
/// /// The clock of a test, but it runs an hour ahead.
/// #[derive(Clone)]
/// struct Ahead(&'static ManualClock);
///
/// // SAFETY: passes on the answer of `ManualClock`.
/// unsafe impl Timers for Ahead {
///     type Instant = Instant;
///     type Queue = Wheel;
///
///     fn now(&self) -> Instant {
///         self.0.now() + core::time::Duration::from_secs(3600)
///     }
///     fn queue(&self) -> Option<&'static Wheel> {
///         self.0.queue()
///     }
/// }
/// ```
pub unsafe trait Timers: Clone + Unpin {
    /// A point in time as the futures take it and give it: the core's [`Instant`], or a port's own
    /// that stands for one.
    type Instant: Copy + fmt::Debug + From<Instant> + Into<Instant>;

    /// What keeps the executor's timers: [`Wheel`](super::Wheel) or
    /// [`TimerList`](super::TimerList), as its [`Clock`](crate::Clock) says.
    type Queue: HasTimers;

    /// The present time on the executor's clock.
    fn now(&self) -> Instant;

    /// The executor's timers; `None` once the executor has ended.
    fn queue(&self) -> Option<&'static Self::Queue>;
}

/// A future that is ready once its deadline has passed.
///
/// It is never early, and late by one turn of the executor at most. The first poll arms it; then it
/// takes at least one turn, also if the deadline has passed by then. At [`Instant::MAX`] it waits
/// forever. Once ready it stays ready. It uses the timers of the executor whose task polls it.
///
/// It allocates nothing: what the queue of timers links is part of the future, which therefore must
/// be pinned.
///
/// # Cancellation
///
/// Dropping it disarms the timer, which is one unlink. Nothing else is lost.
///
/// # Panics
///
/// If it is polled or reset after the executor has ended, and its deadline had not passed before.
///
/// ```
/// # use core::{future::Future, pin::pin, task::{Context, Waker}};
/// # use miniss_core::timer::ManualClock;
/// use core::time::Duration;
/// use miniss_core::timer::{Sleep, Timers};
///
/// async fn twice_as_late(timers: impl Timers) {
///     Sleep::new(timers.clone(), Duration::from_millis(1)).await;
///     Sleep::new(timers, Duration::from_millis(2)).await;
/// }
/// # let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
/// # let mut cx = Context::from_waker(Waker::noop());
/// # let mut task = pin!(twice_as_late(clock));
/// # for _ in 0..3 {
/// #     assert!(task.as_mut().poll(&mut cx).is_pending());
/// #     clock.advance(Duration::from_millis(1));
/// # }
/// # assert!(task.as_mut().poll(&mut cx).is_ready());
/// ```
#[must_use = "a future does nothing unless polled"]
pub struct Sleep<K: Timers> {
    deadline: Cell<Instant>,
    timers: K,
    node: TimerNode<K::Queue>,
}

impl<K: Timers> Sleep<K> {
    /// Sleeps until `deadline`.
    ///
    /// ```
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let sleep = Sleep::until(clock, Instant::from_nanos(7));
    /// assert_eq!(sleep.deadline(), Instant::from_nanos(7));
    /// ```
    pub fn until(timers: K, deadline: K::Instant) -> Self {
        Self::at(timers, deadline.into())
    }

    pub(super) const fn at(timers: K, deadline: Instant) -> Self {
        Self { deadline: Cell::new(deadline), timers, node: TimerNode::new() }
    }

    /// Sleeps for `duration`, counted from this call, not from the first poll. A sum beyond the
    /// clock's range, as that of [`Duration::MAX`], is never.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// assert_eq!(Sleep::new(clock, Duration::MAX).deadline(), Instant::MAX);
    /// ```
    pub fn new(timers: K, duration: Duration) -> Self {
        let deadline = timers.now() + duration;
        Self::at(timers, deadline)
    }

    /// The time it waits for; [`Instant::MAX`] is never.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let sleep = Sleep::new(clock, Duration::from_nanos(3));
    /// assert_eq!(sleep.deadline(), Instant::from_nanos(3));
    /// ```
    pub fn deadline(&self) -> K::Instant {
        self.deadline.get().into()
    }

    /// Whether it is ready: the executor has seen the deadline pass since it was armed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let sleep = Sleep::new(clock, Duration::ZERO);
    /// assert!(!sleep.is_elapsed(), "not before it was polled");
    /// ```
    pub fn is_elapsed(&self) -> bool {
        self.node.has_fired()
    }

    /// Waits for `deadline` instead, also if it was ready already. A task that waits for it need
    /// not poll it again: it is woken at the new deadline.
    ///
    /// ```
    /// use core::{future::Future, pin::pin, task::{Context, Waker}, time::Duration};
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{ManualClock, Sleep};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let mut sleep = pin!(Sleep::new(clock, Duration::from_secs(1)));
    /// let _pending = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// sleep.as_mut().reset(Instant::from_nanos(9));
    /// assert_eq!(clock.next_deadline(), Some(Instant::from_nanos(9)));
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: K::Instant) {
        let sleep = self.as_ref();
        sleep.deadline.set(deadline.into());
        sleep.node.cancel();
        if sleep.node.is_awaited() {
            sleep.arm();
        }
    }

    /// The node, as pinned as the future.
    fn node(self: Pin<&Self>) -> Pin<&TimerNode<K::Queue>> {
        // SAFETY: *The node stays put*.
        unsafe { self.map_unchecked(|sleep| &sleep.node) }
    }

    fn arm(self: Pin<&Self>) {
        let queue = self.timers.queue().expect(
            "a timer needs its executor: it was polled outside of one, or the executor has ended",
        );
        queue.arm(self.node(), self.deadline.get());
    }

    /// Takes it out of the queue, and drops the waker.
    pub(super) fn disarm(&self) {
        self.node.cancel();
        drop(self.node.take_waker());
    }

    /// As its `poll`, but it does not ask how much is left of the task's budget.
    ///
    /// In line, where code may be large: generic code has all it calls in line before this is
    /// weighed, and a sleep takes 40 instructions more.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(super) fn poll_elapsed(self: Pin<&Self>, cx: &Context<'_>) -> Poll<()> {
        if self.is_elapsed() {
            return Poll::Ready(());
        }
        let was_idle = self.node.is_idle();
        let is_taken_over = self.node.register(cx.waker());
        // The other task may belong to another executor, which has other timers. Asked again, since
        // to clone a waker is foreign code, which may have ended the executor.
        if was_idle || self.node.is_idle() || (is_taken_over && !self.is_elapsed()) {
            self.arm();
        }
        // It may have advanced time, too.
        if self.is_elapsed() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<K: Timers> Future for Sleep<K> {
    type Output = ();

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.as_ref().poll_elapsed(cx));
        self.node.leaf.poll_proceed(cx)
    }
}

impl<K: Timers> fmt::Debug for Sleep<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("elapsed", &self.is_elapsed())
            .finish_non_exhaustive()
    }
}

/// Waits for another future until a deadline: `Ok` with its output, or [`TimedOut`].
///
/// The inner future is polled first, so a result that is there counts, however late. A future that
/// is ready at once costs no timer. The timer is a [`Sleep`]: it is never early, takes at least one
/// turn, and never ends at [`Instant::MAX`].
///
/// # Cancellation
///
/// Dropping it drops the inner future, which cancels that as its own documentation says, and
/// disarms the timer. So does its end, by an output or by the deadline: a `Timeout` that is kept
/// after that holds neither inner future nor timer.
///
/// # Panics
///
/// If it is polled after it was ready, or after the executor has ended; and if the inner future
/// panics.
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

    /// The time at which it gives up; [`Instant::MAX`] is never.
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
        // SAFETY: *Both stay put*: they are pinned again at once.
        let (mut future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), Pin::new_unchecked(&this.sleep))
        };
        let inner = future.as_mut().as_pin_mut().expect("polled after it was ready");
        // The inner future may be ready, and not say so.
        let is_refused = sleep.is_elapsed() && coop::is_spent(cx.waker());
        let outcome = match inner.poll(cx) {
            Poll::Ready(output) => Ok(output),
            Poll::Pending => {
                // Also if the inner future has used up the budget: the deadline must end that too.
                // But if others have, it has another poll, in which its leaves have their turn.
                ready!(sleep.poll_elapsed(cx));
                if is_refused {
                    ready!(sleep.node.leaf.poll_proceed(cx));
                }
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
