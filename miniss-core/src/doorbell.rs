//! Rings a sleeping core, from anywhere.
//!
//! `submit_to ─▶ lane ─▶ [doorbell] ─▶ executor`

use crate::time::Instant;

/// The part of a port that everybody may hold: it rings the core that an executor runs on, tells
/// the time there, and knows whether the caller is at home.
///
/// It lives in the executor's [`Anchor`](crate::Anchor), which is never given back, so all of it
/// may be called from any thread, core or interrupt handler, before the executor starts and after
/// it has ended.
///
/// # Safety
///
/// [`is_home`](Doorbell::is_home) may return `true` only to a caller that runs on the core (or
/// thread) of the executor anchored here, while that executor exists, and that is not an interrupt
/// handler or signal handler: what it guards is not atomic. Returning `false` is always
/// sound. An implementation that leaves the default alone has nothing to prove.
///
/// ```
/// use miniss_core::{Doorbell, time::Instant};
///
/// /// A port for a loop that never sleeps: nothing to ring, and the clock stands still.
/// struct Spinning;
///
/// // SAFETY: `is_home` keeps its default.
/// unsafe impl Doorbell for Spinning {
///     fn ring(&self) {}
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
/// ```
pub unsafe trait Doorbell: Send + Sync + 'static {
    /// Ends the sleep of the core that this bell belongs to.
    ///
    /// Called at most once per sleep, only when the core announced that it sleeps. A ring that
    /// comes when the core is awake already must not be harmful, and one that comes between the
    /// core's last look and its falling asleep must end that sleep at once. After the executor
    /// has ended it must do nothing.
    ///
    /// See [`Doorbell`] for an example.
    fn ring(&self);

    /// The time now, on a clock that never goes back.
    ///
    /// See [`Doorbell`] for an example.
    fn now(&self) -> Instant;

    /// Whether the caller is on the executor's own core or thread, outside of any handler.
    ///
    /// With `true`, wakes take the short way, which has no atomic read-modify-write.
    ///
    /// See [`Doorbell`] for an example.
    #[inline]
    fn is_home(&self) -> bool {
        false
    }
}
