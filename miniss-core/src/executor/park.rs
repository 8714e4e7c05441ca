//! The park handshake: falling asleep without missing a wake.
//!
//! ```text
//!  home                              a waker elsewhere
//!  asleep = true                     push on the inbox
//!  fence(SeqCst)                     fence(SeqCst)
//!  inbox empty? ── yes ─▶ sleep      asleep? ── yes ─▶ asleep = false, ring
//! ```
//!
//! Each side writes, passes a full fence and then reads what the other wrote; so not both can read
//! the old value. Either home sees the push and stays awake, or the waker sees the sleep and rings.
//! The reads and writes are relaxed: the two fences carry the argument alone.

use super::cell::Shared;
use super::owner::OwnerState;
use crate::prim::planted;

/// Permission to sleep, if it is still given at the last moment.
///
/// Handed to [`Reactor::park`](crate::Reactor::park).
///
/// See [`confirmed`](Self::confirmed) for an example.
#[derive(Clone, Copy)]
pub struct Idle<'a> {
    shared: &'a Shared,
    /// Also keeps the permission on its own thread.
    owner: &'a OwnerState,
}

impl<'a> Idle<'a> {
    pub(crate) fn new(shared: &'a Shared, owner: &'a OwnerState) -> Self {
        Self { shared, owner }
    }

    /// Announces the sleep and looks once more: `true` if there is nothing to do, and then every
    /// later wake from elsewhere rings the unparker.
    ///
    /// Call it where a ring already ends the sleep that follows: with interrupts off before
    /// `sti; hlt`, or any time before a blocking call that a written eventfd ends.
    ///
    /// ```
    /// # use miniss_core::{Idle, time::Instant};
    /// fn park(deadline: Option<Instant>, idle: Idle<'_>) {
    ///     if idle.confirmed() {
    ///         // block until the unparker rings or the deadline passes
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn confirmed(&self) -> bool {
        if !self.owner.is_idle() || !self.shared.announce_sleep() {
            return false;
        }
        // Behind the same fence: what others publish from now on, they ring for.
        let is_quiet =
            !self.owner.watches.have_news() || planted("park: owner looks at the lanes once more");
        if !is_quiet {
            self.shared.awake();
        }
        is_quiet
    }

    /// Whether a call or a reply from another core may well come soon: one that was made here is
    /// under way, or one from there was answered since this was last asked. For a port that spins
    /// before it sleeps, to tell when that may pay.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn spin_worth(idle: Idle<'_>) -> u32 {
    ///     if idle.expects_calls() { 1_000 } else { 0 }
    /// }
    /// ```
    #[must_use]
    pub fn expects_calls(&self) -> bool {
        self.owner.watches.expect_news()
    }

    /// Whether a call or a reply has come in.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn was_woken_by_a_call(idle: Idle<'_>) -> bool {
    ///     idle.has_calls()
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn has_calls(&self) -> bool {
        self.owner.watches.have_news()
    }

    /// Whether something is ready or has come in from elsewhere. Plain loads, for a port that
    /// spins for a while before it sleeps.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn spin(idle: Idle<'_>) {
    ///     while !idle.has_work() {
    ///         core::hint::spin_loop();
    ///     }
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.owner.is_idle() || !self.shared.inbox().is_empty() || self.owner.watches.have_news()
    }
}

impl core::fmt::Debug for Idle<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Idle").field("has_work", &self.has_work()).finish()
    }
}
