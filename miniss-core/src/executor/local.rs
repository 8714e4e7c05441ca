//! The handle to an executor that its own tasks use: spawn, time, counters.
//!
//! `user future ─▶ [spawn] ─▶ task ─▶ run queue ─▶ executor`

use core::fmt;
use core::marker::PhantomData;

use super::anchor::Anchor;
use super::home::Home;
use super::stats::Stats;
use crate::coop::TaskBudget;
use crate::doorbell::Doorbell;
use crate::error::SpawnError;
use crate::time::Instant;
use crate::timer::{Timers, Wheel};

/// A handle to an executor, for the tasks on its own core.
///
/// It is a copyable pair of words. It may outlive the executor; then spawning fails with
/// [`SpawnError::Closed`].
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// let local = executor.local();
/// let sum = executor.block_on(async move {
///     let a = local.spawn(async { 1 }).unwrap();
///     let b = local.spawn(async { 2 }).unwrap();
///     a.await.unwrap() + b.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
pub struct Local<B: 'static> {
    anchor: &'static Anchor<B>,
    epoch: u32,
    /// This is what makes it a proof of *Home only*.
    _stays: StaysOnItsCore,
}

/// Is neither `Send` nor `Sync`, and says why by its name, which stands in the compiler's message.
#[derive(Clone, Copy)]
pub(crate) struct StaysOnItsCore(PhantomData<*const ()>);

impl StaysOnItsCore {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B> Clone for Local<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Local<B> {}

impl<B: Doorbell> Local<B> {
    /// # Safety
    /// The caller is on the thread of the executor `epoch` of `anchor`.
    pub(crate) unsafe fn new(anchor: &'static Anchor<B>, epoch: u32) -> Self {
        Self { anchor, epoch, _stays: StaysOnItsCore::new() }
    }

    /// The anchor of the executor.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let _bell = executor().local().anchor().bell();
    /// ```
    pub fn anchor(&self) -> &'static Anchor<B> {
        self.anchor
    }

    /// Whether the executor is still there.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let executor = executor();
    /// let local = executor.local();
    /// assert!(local.is_open());
    /// drop(executor);
    /// assert!(!local.is_open());
    /// ```
    #[inline]
    pub fn is_open(&self) -> bool {
        self.anchor.base().epoch() == self.epoch
    }

    /// Which executor of the anchor this is a handle to.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The home half, while the executor is there.
    #[inline]
    pub(crate) fn home(&self) -> Option<&'static Home> {
        // SAFETY: *One tenant*: our epoch is the tenant's, and we never left its thread.
        self.is_open().then(|| unsafe { self.anchor.home() })
    }

    /// The home half, while tasks may be spawned.
    #[inline]
    pub(crate) fn open_home(&self) -> Result<&'static Home, SpawnError> {
        self.home().filter(|home| home.is_open.get()).ok_or(SpawnError::Closed)
    }

    /// The time now.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let local = executor().local();
    /// assert!(local.now() <= local.now());
    /// ```
    #[inline]
    pub fn now(&self) -> Instant {
        self.anchor.bell().now()
    }

    /// The budget of the task that the executor polls at the moment, for a port that tells leaves
    /// where it stands.
    ///
    /// See [`coop::set_current`](crate::coop::set_current) for an example.
    pub fn task_budget(&self) -> &'static TaskBudget {
        self.anchor.base().task_budget()
    }

    /// What the executor has done so far; zeros once it is gone.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// assert_eq!(executor().local().stats().polls, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        self.home().map_or_else(Stats::default, |home| {
            home.counters.snapshot(self.now(), home.slots.live(), home.wheel.len())
        })
    }
}

impl<B> fmt::Debug for Local<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

// SAFETY: *One tenant*: `home` is there only while our executor lives, a `Local` never leaves its
// thread, and an executor clears its wheel before it goes.
unsafe impl<B: Doorbell> Timers for Local<B> {
    type Instant = Instant;

    #[inline]
    fn now(&self) -> Instant {
        Local::now(self)
    }

    #[inline]
    fn wheel(&self) -> Option<&'static Wheel> {
        self.open_home().ok().map(|home| &home.wheel)
    }
}
