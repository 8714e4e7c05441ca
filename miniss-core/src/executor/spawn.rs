//! Spawning: the handle that tasks on the executor's core hold, and how a future finds a slot.
//!
//! The memory of a slot may be from anywhere. The task in it is joined, aborted, detached and woken
//! in the same way.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::cell::{ExecutorCell, OwnerState};
use super::join::{JoinHandle, Reservation};
use super::stats::Stats;
use crate::coop::TaskBudget;
use crate::error::SpawnError;
use crate::reactor::Unpark;
#[cfg(feature = "alloc")]
use crate::task::cell::place_with_boxed_output;
use crate::task::cell::{Header, class_of, place, place_nothing};
use crate::task::slab::{ErasedSlab, TaskSlab};
use crate::time::Instant;
use crate::timer::queue::sealed::Queue;
use crate::timer::{HasTimers, Timers};

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
pub struct LocalHandle<U: Unpark> {
    cell: &'static ExecutorCell<U>,
    epoch: u32,
    /// This is what makes it a proof of *Owner only*.
    _stays: StaysOnItsCore,
}

/// Is neither `Send` nor `Sync`. The compiler's message has its name, which says why.
#[derive(Clone, Copy)]
pub(crate) struct StaysOnItsCore(PhantomData<*const ()>);

impl StaysOnItsCore {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<U: Unpark> Clone for LocalHandle<U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U: Unpark> Copy for LocalHandle<U> {}

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

    /// The owner's state, while the executor is there.
    #[inline]
    pub(crate) fn owner(&self) -> Option<&'static OwnerState> {
        // SAFETY: *One claim*: our epoch is the owner's, and we never left its thread.
        self.is_open().then(|| unsafe { self.cell.owner() })
    }

    /// The owner's state, while tasks may be spawned.
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

    /// The budget of the task that the executor polls at the moment, for a port that lets leaves
    /// find it by [`coop::set_current`](crate::coop::set_current).
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
            // SAFETY: *Owner only* by `owner`.
            let timers_armed = unsafe { self.cell.timers() }.len();
            let (stalls, tasks_live) = (owner.stride.stalls(), owner.slots.live());
            let counters = owner.counters.snapshot(self.now());
            Stats { stalls, tasks_live, timers_armed, ..counters }
        })
    }
}

impl<U: Unpark> fmt::Debug for LocalHandle<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHandle").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

// SAFETY: *One claim*: `owner` is there only while our executor lives, a `LocalHandle` never leaves
// its thread, and an executor clears its timers before it goes.
unsafe impl<U: Unpark<Timers: HasTimers>> Timers for LocalHandle<U> {
    type Instant = Instant;
    type Queue = U::Timers;

    #[inline]
    fn now(&self) -> Instant {
        LocalHandle::now(self)
    }

    #[inline]
    fn queue(&self) -> Option<&'static U::Timers> {
        // SAFETY: *Owner only* by `open_owner`.
        self.open_owner().ok().map(|_owner| unsafe { self.cell.timers() })
    }
}

impl<U: Unpark> LocalHandle<U> {
    /// Starts `future` as a task of its own, behind those that are ready already.
    ///
    /// It takes a free slot, of the heap's or of a slab that was [lent](Self::lend). A future or
    /// output of more than 1024 bytes is boxed.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if the executor has ended or there is no room; the future is dropped.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(async { "done" }).unwrap();
    /// assert_eq!(executor.block_on(handle), Ok("done"));
    /// ```
    #[inline]
    pub fn spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: the future and its output borrow nothing.
        unsafe { self.spawn_unchecked(future) }
    }

    /// Starts `future` as a task in a slot of `slab`, which is used for such tasks only.
    ///
    /// A future that is too large for the slab's slots does not compile.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NoRoom`] if all slots of the slab are taken, [`SpawnError::InUse`] if another
    /// executor uses it or it was lent, [`SpawnError::Closed`] if the executor has ended. The
    /// future is dropped.
    ///
    /// ```
    /// # use miniss_core::{TaskSlab, doctest::executor};
    /// static SLAB: TaskSlab<64> = TaskSlab::new();
    /// let mut executor = executor();
    /// let handle = executor.local().spawn_in(&SLAB, async { "done" }).unwrap();
    /// assert_eq!(executor.block_on(handle), Ok("done"));
    /// ```
    ///
    /// ```compile_fail
    /// # use miniss_core::{TaskSlab, doctest::executor};
    /// static SLAB: TaskSlab<64> = TaskSlab::new();
    /// let large = [0_u8; 100];
    /// let _ = executor().local().spawn_in(&SLAB, async move { large });
    /// ```
    pub fn spawn_in<F, const BYTES: usize, const SLOTS: usize>(
        &self,
        slab: &'static TaskSlab<BYTES, SLOTS>,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let owner = self.open_owner()?;
        let slot = self.slot_of(owner, slab.for_tasks::<F>())?;
        // SAFETY: the slab's slots fit an `F`, which borrows nothing.
        Ok(unsafe { self.start(owner, slot, future) })
    }

    /// Gives all slots of `slab` to this executor, and to those that use its executor cell later.
    /// Without a heap, [`spawn`](Self::spawn) takes the smallest lent slot that is free and fits.
    /// With a heap it takes slots of its own size only.
    /// Lending a slab again does nothing.
    ///
    /// # Errors
    ///
    /// [`SpawnError::InUse`] if another executor uses the slab or a task was
    /// [spawned in](Self::spawn_in) it, [`SpawnError::Closed`] if the executor has ended.
    ///
    /// ```
    /// # use miniss_core::{TaskSlab, doctest::executor};
    /// static SLAB: TaskSlab<128, 8> = TaskSlab::new();
    /// # let executor = executor();
    /// executor.local().lend(&SLAB).unwrap();
    /// ```
    ///
    /// Slots for nothing are refused when the program is compiled:
    ///
    /// ```compile_fail
    /// # use miniss_core::{TaskSlab, doctest::executor};
    /// static EMPTY: TaskSlab<0, 8> = TaskSlab::new();
    /// # let executor = executor();
    /// executor.local().lend(&EMPTY).unwrap();
    /// ```
    pub fn lend<const BYTES: usize, const SLOTS: usize>(
        &self,
        slab: &'static TaskSlab<BYTES, SLOTS>,
    ) -> Result<(), SpawnError> {
        let owner = self.open_owner()?;
        // SAFETY: *Owner only* by `owner`.
        unsafe { slab.lend(&owner.slots, self.cell().address()) }
    }

    /// Takes a slot for a task before it is needed, so that the spawn itself cannot fail.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NoRoom`] if there is no free slot, [`SpawnError::TooLarge`] if the future or
    /// its output is over 1024 bytes (box it), [`SpawnError::Closed`] if the executor has ended.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// # let mut executor = executor();
    /// let room = executor.local().reserve().unwrap();
    /// assert_eq!(executor.block_on(room.spawn(async { 5 })), Ok(5));
    /// ```
    pub fn reserve<F>(&self) -> Result<Reservation<F, U>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let owner = self.open_owner()?;
        let class = const { class_of::<F>() }.ok_or(SpawnError::TooLarge)?;
        let slot = self.free_slot(owner, class).ok_or(SpawnError::NoRoom)?;
        // SAFETY: just taken, and of `F`'s class.
        Ok(unsafe { Reservation::new(slot, *self) })
    }

    /// Starts `future` wherever there is room.
    ///
    /// # Safety
    /// What the future and its output borrow outlives the task.
    #[inline]
    pub(crate) unsafe fn spawn_unchecked<F: Future>(
        &self,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        match const { class_of::<F>() } {
            // SAFETY: the caller's promise; the class is `F`'s.
            Some(class) => unsafe { self.spawn_inline(class, future) },
            // SAFETY: the caller's promise.
            None => unsafe { self.spawn_boxed(future) },
        }
    }

    /// # Safety
    /// As for [`spawn_unchecked`](Self::spawn_unchecked); `class` is `F`'s.
    #[inline]
    unsafe fn spawn_inline<F: Future>(
        &self,
        class: u8,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        debug_assert_eq!(class_of::<F>(), Some(class));
        let owner = self.open_owner()?;
        let slot = self.free_slot(owner, class).ok_or(SpawnError::NoRoom)?;
        // SAFETY: the class is that of this very type, and the caller vouches for what it borrows.
        Ok(unsafe { self.start(owner, slot, future) })
    }

    /// # Safety
    /// As for [`spawn_unchecked`](Self::spawn_unchecked).
    #[cfg(feature = "alloc")]
    unsafe fn spawn_boxed<F: Future>(
        &self,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        use alloc::boxed::Box;

        let future = Box::pin(future);
        match const { class_of::<core::pin::Pin<Box<F>>>() } {
            // SAFETY: the caller's promise; the class is that of the box.
            Some(class) => unsafe { self.spawn_inline(class, future) },
            // SAFETY: the caller's promise.
            None => unsafe { self.spawn_with_boxed_output(future) },
        }
    }

    /// The output is what is too large for a slot: it stays in a box until it is read.
    ///
    /// # Safety
    /// As for [`spawn_unchecked`](Self::spawn_unchecked).
    #[cfg(feature = "alloc")]
    unsafe fn spawn_with_boxed_output<F: Future>(
        &self,
        future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        let owner = self.open_owner()?;
        let slot = self.free_slot(owner, 0).ok_or(SpawnError::NoRoom)?;
        let future = async move { alloc::boxed::Box::new(future.await) };
        let future = alloc::boxed::Box::pin(future);
        // SAFETY: a box of a future and a box of its output fit the smallest class.
        unsafe { place_with_boxed_output(slot, future) };
        // SAFETY: just placed; the vtable unboxes the output as it is read.
        Ok(unsafe { self.enqueue(owner, slot) })
    }

    /// # Safety
    /// None: without a heap it refuses.
    #[cfg(not(feature = "alloc"))]
    unsafe fn spawn_boxed<F: Future>(
        &self,
        _future: F,
    ) -> Result<JoinHandle<F::Output>, SpawnError> {
        Err(SpawnError::TooLarge)
    }

    /// A free slot of a slab that is used for its own tasks.
    fn slot_of(&self, owner: &OwnerState, slab: ErasedSlab) -> Result<NonNull<Header>, SpawnError> {
        // SAFETY: *Owner only* by `owner`.
        let take = || unsafe { slab.take(&owner.slots, self.cell().address()) };
        take().or_else(|error| {
            // Handles that outlived a former executor may have let go of a slot.
            owner.slots.reclaim(self.cell().shared().returned());
            if error == SpawnError::NoRoom { take() } else { Err(error) }
        })
    }

    #[inline]
    fn free_slot(&self, owner: &OwnerState, class: u8) -> Option<NonNull<Header>> {
        owner.slots.take(class).or_else(|| self.free_slot_slowly(owner, class))
    }

    #[cold]
    fn free_slot_slowly(&self, owner: &OwnerState, class: u8) -> Option<NonNull<Header>> {
        owner.slots.reclaim(self.cell().shared().returned());
        let slot = owner.slots.take(class);
        #[cfg(feature = "alloc")]
        let slot = slot.or_else(|| owner.slots.grow(class, self.cell().address()));
        slot.or_else(|| owner.slots.take_larger(class))
    }

    /// Puts `future` into `slot` and queues it.
    ///
    /// # Safety
    /// The slot is free and fits a task of type `F`, and what `F` borrows outlives the task.
    #[inline]
    pub(crate) unsafe fn start<F: Future>(
        &self,
        owner: &OwnerState,
        slot: NonNull<Header>,
        future: F,
    ) -> JoinHandle<F::Output> {
        // SAFETY: the caller's promise; *Owner only* by `owner`.
        unsafe { place(slot, future) };
        // SAFETY: just placed, with this output.
        unsafe { self.enqueue(owner, slot) }
    }

    /// # Safety
    /// A task whose output reads as a `T` was just placed in `slot`.
    unsafe fn enqueue<T>(&self, owner: &OwnerState, slot: NonNull<Header>) -> JoinHandle<T> {
        // SAFETY: *Headers are forever*.
        unsafe { slot.as_ref() }.group.set(owner.current_group());
        owner.queue.push(slot);
        owner.counters.spawned.add(1);
        // SAFETY: just spawned, on this thread, with this output.
        unsafe { JoinHandle::new(slot, self.epoch()) }
    }

    /// The handle of a task of type `F` that cannot begin any more.
    ///
    /// # Safety
    /// The caller holds the slot, which is free and fits a task of type `F`.
    pub(crate) unsafe fn refuse<F: Future>(&self, slot: NonNull<Header>) -> JoinHandle<F::Output> {
        // SAFETY: the caller's promise.
        unsafe { place_nothing::<F>(slot) };
        // SAFETY: it was spawned on this thread; having no output, it has none of another type.
        unsafe { JoinHandle::new(slot, self.epoch()) }
    }

    /// Puts back a slot that was never used.
    ///
    /// # Safety
    /// The caller holds the slot, which is free and was taken through this very handle.
    pub(crate) unsafe fn give_back(&self, slot: NonNull<Header>) {
        match self.owner() {
            Some(owner) => owner.slots.put(slot),
            None => self.cell().shared().returned().push(slot),
        }
    }
}
