//! The handle to an executor that its own tasks use: spawn, time, counters.

use core::fmt;
use core::marker::PhantomData;

use super::cell::ExecutorCell;
use super::owner::OwnerState;
use super::stats::Stats;
use crate::coop::TaskBudget;
use crate::error::SpawnError;
use crate::time::Instant;
use crate::timer::{Timers, Wheel};
use crate::unpark::Unpark;

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
pub struct LocalHandle<U: 'static> {
    cell: &'static ExecutorCell<U>,
    epoch: u32,
    /// This is what makes it a proof of *Owner only*.
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

impl<U> Clone for LocalHandle<U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for LocalHandle<U> {}

impl<U: Unpark> LocalHandle<U> {
    /// # Safety
    /// The caller is on the thread of the executor `epoch` of `cell`.
    pub(crate) unsafe fn new(cell: &'static ExecutorCell<U>, epoch: u32) -> Self {
        Self { cell, epoch, _stays: StaysOnItsCore::new() }
    }

    /// The executor cell of the executor.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let _unparker = executor().local().cell().unparker();
    /// ```
    pub fn cell(&self) -> &'static ExecutorCell<U> {
        self.cell
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
        self.cell.shared().epoch() == self.epoch
    }

    /// Which executor of the executor cell this is a handle to.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The home half, while the executor is there.
    #[inline]
    pub(crate) fn owner(&self) -> Option<&'static OwnerState> {
        // SAFETY: *One claim*: our epoch is the owner's, and we never left its thread.
        self.is_open().then(|| unsafe { self.cell.owner() })
    }

    /// The home half, while tasks may be spawned.
    #[inline]
    pub(crate) fn open_owner(&self) -> Result<&'static OwnerState, SpawnError> {
        self.owner().filter(|owner| owner.is_open.get()).ok_or(SpawnError::Closed)
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
        self.cell.unparker().now()
    }

    /// The budget of the task that the executor polls at the moment, for a port that tells leaves
    /// where it stands.
    ///
    /// See [`coop::set_current`](crate::coop::set_current) for an example.
    pub fn task_budget(&self) -> &'static TaskBudget {
        self.cell.shared().task_budget()
    }

    /// What the executor has done so far; zeros once it is gone.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// assert_eq!(executor().local().stats().polls, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        self.owner().map_or_else(Stats::default, |owner| {
            owner.counters.snapshot(self.now(), owner.slots.live(), owner.wheel.len())
        })
    }
}

impl<U> fmt::Debug for LocalHandle<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

// SAFETY: *One claim*: `owner` is there only while our executor lives, a `LocalHandle` never leaves
// its thread, and an executor clears its wheel before it goes.
unsafe impl<U: Unpark> Timers for LocalHandle<U> {
    type Instant = Instant;

    #[inline]
    fn now(&self) -> Instant {
        LocalHandle::now(self)
    }

    #[inline]
    fn wheel(&self) -> Option<&'static Wheel> {
        self.open_owner().ok().map(|owner| &owner.wheel)
    }
}
