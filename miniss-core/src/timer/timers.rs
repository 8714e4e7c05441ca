//! Where a timer future finds its clock and its wheel: the seam between futures and executors.

use core::fmt;

use super::wheel::Wheel;
use crate::time::Instant;

/// A handle to the clock and the timers of the executor on this thread.
///
/// The futures of this module are generic over it, so that the same code runs under every
/// executor, and under a [`ManualClock`](super::ManualClock) in tests.
///
/// # Safety
///
/// What `wheel` returns must stay in the hands of the calling thread alone until the executor
/// that owns it has ended and taken out all timers, and from then on `wheel` must return `None`.
/// An implementation that passes on the answer of another one meets this, provided that it asks
/// again each time.
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
///
///     fn now(&self) -> Instant {
///         self.0.now() + core::time::Duration::from_secs(3600)
///     }
///     fn wheel(&self) -> Option<&'static Wheel> {
///         self.0.wheel()
///     }
/// }
/// ```
pub unsafe trait Timers: Clone + Unpin {
    /// A point in time as the futures take it and give it: the core's [`Instant`], or a port's own
    /// that stands for one.
    type Instant: Copy + fmt::Debug + From<Instant> + Into<Instant>;

    /// The present time on the executor's clock.
    ///
    /// See [`Timers`] for an example.
    fn now(&self) -> Instant;

    /// The executor's wheel; `None` once the executor has ended.
    ///
    /// See [`Timers`] for an example.
    fn wheel(&self) -> Option<&'static Wheel>;
}
