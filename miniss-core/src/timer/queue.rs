//! Which structure keeps the armed timers of an executor: a port's [`Clock`](crate::Clock) chooses.
//!
//! | choice | memory (32 bits) | arm | cancel | for |
//! |---|---|---|---|---|
//! | [`Wheel`](super::Wheel) | 3 KiB | constant | constant | any number of timers |
//! | [`TimerList`](super::TimerList) | 16 bytes | linear | constant | a few dozen at a time |
//! | [`NoTimers`] | none | does not compile | | programs without timers |
//!
//! The futures are the same over all. What the two queues have in common stands here and in `list`:
//! how all are taken out, and how those that are due are woken.
//!
//! # Invariants
//!
//! - **Whole before foreign code.** The wake, clone or drop of a waker may do anything: arm, cancel
//!   or drop any timer, advance this queue, or panic. So it runs only while the queue is whole, and
//!   no reference to a node is used after it. A waker that panics leaves those behind it in the
//!   list of those that are due, and the next advance wakes them.

use crate::time::Instant;

/// Keeps the armed timers of one executor: [`Wheel`](super::Wheel),
/// [`TimerList`](super::TimerList) or [`NoTimers`]. There are no others.
///
/// ```
/// use miniss_core::{Clock, time::Instant, timer::TimerList};
///
/// /// The clock of a small machine, where few timers are armed at a time.
/// struct Ticks;
///
/// impl Clock for Ticks {
///     type Timers = TimerList;
///
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
/// ```
pub trait TimerQueue: sealed::Queue {}

/// A [`TimerQueue`] in which timers can be armed: all but [`NoTimers`].
#[diagnostic::on_unimplemented(
    message = "the clock of this executor has `{Self}`",
    note = "choose `Wheel` or `TimerList` as its `Timers`"
)]
pub trait HasTimers: TimerQueue + sealed::Arm {}

/// For a program that arms no timer: no memory, no code, and a timer does not compile.
///
/// ```
/// use miniss_core::{Clock, time::Instant, timer::NoTimers};
///
/// struct Timeless;
///
/// impl Clock for Timeless {
///     type Timers = NoTimers;
///
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use core::time::Duration;
/// # use miniss_core::{Clock, LocalHandle, Unpark, time::Instant};
/// # use miniss_core::timer::{NoTimers, Sleep};
/// # struct Timeless;
/// # impl Clock for Timeless {
/// #     type Timers = NoTimers;
/// #     fn now(&self) -> Instant { Instant::ZERO }
/// # }
/// # unsafe impl Unpark for Timeless { fn unpark(&self) {} }
/// async fn nap(local: LocalHandle<Timeless>) {
///     Sleep::new(local, Duration::from_millis(1)).await;
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct NoTimers;

impl TimerQueue for NoTimers {}

impl sealed::Queue for NoTimers {
    const NEW: Self = Self;

    fn len(&self) -> usize {
        0
    }

    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&self, _now: Instant) -> usize {
        0
    }

    fn clear(&self) {}
}

pub(crate) mod sealed {
    use core::pin::Pin;

    use crate::defer::defer;
    use crate::time::Instant;
    use crate::timer::list::{List, TimerNode};

    /// What an executor asks of its timers.
    pub trait Queue: Sized + 'static {
        /// An empty queue at the clock's origin.
        const NEW: Self;

        /// How many timers are armed, those that are due but not yet woken included.
        fn len(&self) -> usize;

        /// Whether no timer is armed.
        #[inline]
        fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// When to advance next, which is never later than the earliest deadline. `None` if nothing
        /// is armed.
        fn next_deadline(&self) -> Option<Instant>;

        /// Moves time to `now`, or leaves it where it is if that is earlier, and wakes, in order of
        /// deadline and then of arming, all that are due. Returns how many fired.
        ///
        /// A timer that a waker arms meanwhile fires at the next advance at the earliest.
        ///
        /// # Panics
        ///
        /// If a waker does. The queue is whole, and the next advance wakes the others that are due.
        fn advance(&self, now: Instant) -> usize;

        /// Takes all timers out and wakes their tasks, so that each that still waits is polled and
        /// learns that the executor has gone. The queue is empty afterwards, also if a waker
        /// panics: then those behind it are not woken. What a waker arms meanwhile is taken out
        /// unwoken. The clock may begin again: the next executor may have an earlier time.
        fn clear(&self);
    }

    /// What a timer asks of its queue.
    pub trait Arm: Queue {
        /// The number of the list [`due`](Self::due).
        const DUE: usize;

        /// Arms `node` to fire at the first [`advance`](Queue::advance) to `deadline` or later. A
        /// node that is armed already is moved, behind others of the same deadline.
        /// [`Instant::MAX`] is never: such a node stays idle. A past deadline counts as the queue's
        /// present time, so it fires at the next advance.
        fn arm(&'static self, node: Pin<&TimerNode<Self>>, deadline: Instant);

        /// Takes `node` out of list `place`. The caller sets its state.
        fn remove(&self, node: &TimerNode<Self>, place: usize);

        /// The list of those that are due and about to be woken.
        fn due(&self) -> &List<Self>;

        /// The list of those that are not due and would fire first, or at least of one of them.
        fn first(&self) -> Option<&List<Self>>;

        /// As [`clear`](Queue::clear).
        fn take_out(&self) {
            let _rest = defer(|| {
                // SAFETY: to cancel a node runs no foreign code: its waker stays where it is.
                while let Some(node) = unsafe { self.front() } {
                    node.cancel();
                }
            });
            for _ in 0..self.len() {
                // SAFETY: last used before the wake.
                let Some(node) = (unsafe { self.front() }) else { break };
                node.cancel();
                if let Some(waker) = node.take_waker() {
                    waker.wake();
                }
            }
        }

        /// The node that would fire first, or at least one of the list that would.
        ///
        /// # Safety
        ///
        /// As for [`List::front`].
        unsafe fn front<'a>(&self) -> Option<&'a TimerNode<Self>> {
            let list = if self.due().is_empty() { self.first()? } else { self.due() };
            // SAFETY: passed on to the caller.
            unsafe { list.front() }
        }
    }
}
