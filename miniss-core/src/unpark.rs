//! What wakes a sleeping core from anywhere, and tells the time there.

use crate::time::Instant;

/// A clock that never goes back.
///
/// Each [`Unpark`] has one: the clock of the executor's timers. See there for an example.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Instant;
}

/// The part of a port that every thread may hold: it wakes the core that an executor runs on, and
/// knows whether the caller is on that core.
///
/// It lives in the [`ExecutorCell`](crate::ExecutorCell), whose memory is never given back, so all
/// of it may be called from any thread, core or interrupt handler, before the executor starts and
/// after it has ended.
///
/// # Safety
///
/// [`is_local`](Unpark::is_local) may return `true` only to a caller that runs on the core (or
/// thread) of the executor that owns this cell, while that executor exists, and that is not an
/// interrupt handler or signal handler: what it guards is not atomic. Returning `false` is always
/// sound. An implementation that leaves the default alone has nothing to prove.
///
/// ```
/// use miniss_core::{Clock, Unpark, time::Instant};
///
/// /// A port for a loop that never sleeps: there is nothing to wake, and the clock stands still.
/// struct Spinning;
///
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Spinning {
///     fn unpark(&self) {}
/// }
///
/// impl Clock for Spinning {
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
/// ```
pub unsafe trait Unpark: Clock + Send + Sync + 'static {
    /// Ends the sleep of the core.
    ///
    /// Called at most once per sleep, only when the core announced that it sleeps. A call that
    /// comes when the core is awake already must not be harmful, and one that comes between the
    /// core's last look and its falling asleep must end that sleep at once. After the executor
    /// has ended it must do nothing.
    fn unpark(&self);

    /// Whether the caller is on the executor's own core or thread, outside of any handler.
    ///
    /// With `true`, wakes take the short way, which has no atomic read-modify-write.
    #[inline]
    fn is_local(&self) -> bool {
        false
    }
}
