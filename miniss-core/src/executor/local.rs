//! The handle to an executor that its own tasks use: spawn, time, counters.
//!
//! `user future ─▶ [spawn] ─▶ task ─▶ run queue ─▶ executor`

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::anchor::Anchor;
use super::home::Home;
use super::stats::Stats;
use crate::doorbell::Doorbell;
use crate::error::SpawnError;
use crate::task::JoinHandle;
#[cfg(feature = "alloc")]
use crate::task::cell::place_with_boxed_output;
use crate::task::cell::{class_of, place};
use crate::task::header::Header;
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
    /// Stays on the executor's thread: this is what makes it a proof of *Home only*.
    not_send: PhantomData<*const ()>,
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
        Self { anchor, epoch, not_send: PhantomData }
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

    /// The home half, while the executor is there.
    #[inline]
    pub(crate) fn home(&self) -> Option<&'static Home> {
        // SAFETY: *One tenant*: our epoch is the tenant's, and we never left its thread.
        self.is_open().then(|| unsafe { self.anchor.home() })
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

    /// What the executor has done so far; zeros once it is gone.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// assert_eq!(executor().local().stats().polls, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        self.home().map_or_else(Stats::default, |home| {
            home.counters.snapshot(home.slots.live(), home.wheel.len())
        })
    }

    /// Starts `future` as a task of its own, behind those that are ready already.
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
        match const { class_of::<F>() } {
            Some(class) => self.spawn_inline(class, future),
            None => self.spawn_boxed(future),
        }
    }

    /// `class` is `F`'s.
    #[inline]
    fn spawn_inline<F>(&self, class: u8, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        debug_assert_eq!(class_of::<F>(), Some(class));
        let home = self.open_home()?;
        let slot = self.free_slot(home, class).ok_or(SpawnError::NoRoom)?;
        // SAFETY: the class is that of this very type, and `F` borrows nothing.
        Ok(unsafe { self.start(home, slot, future) })
    }

    #[inline]
    fn open_home(&self) -> Result<&'static Home, SpawnError> {
        self.home().filter(|home| !home.closing.get()).ok_or(SpawnError::Closed)
    }

    #[cfg(feature = "alloc")]
    fn spawn_boxed<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        use alloc::boxed::Box;

        let future = Box::pin(future);
        match const { class_of::<core::pin::Pin<Box<F>>>() } {
            Some(class) => self.spawn_inline(class, future),
            None => self.spawn_with_boxed_output(future),
        }
    }

    /// The output is what is too large for a slot: it stays in a box until it is read.
    #[cfg(feature = "alloc")]
    fn spawn_with_boxed_output<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let home = self.open_home()?;
        let slot = self.free_slot(home, 0).ok_or(SpawnError::NoRoom)?;
        let future = async move { alloc::boxed::Box::new(future.await) };
        let future = alloc::boxed::Box::pin(future);
        // SAFETY: a box of a future and a box of its output fit the smallest class.
        unsafe { place_with_boxed_output::<_, _, B>(slot, future) };
        // SAFETY: just placed; the vtable unboxes the output as it is read.
        Ok(unsafe { self.enqueue(home, slot) })
    }

    #[cfg(not(feature = "alloc"))]
    fn spawn_boxed<F>(&self, _future: F) -> Result<JoinHandle<F::Output>, SpawnError>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Err(SpawnError::TooLarge)
    }

    #[inline]
    fn free_slot(&self, home: &Home, class: u8) -> Option<NonNull<Header>> {
        home.slots.take(class).or_else(|| self.free_slot_slowly(home, class))
    }

    #[cold]
    fn free_slot_slowly(&self, home: &Home, class: u8) -> Option<NonNull<Header>> {
        home.slots.take_in(self.anchor.base().returned());
        #[cfg(feature = "alloc")]
        if home.slots.is_empty(class) && !home.slots.grow(class, self.anchor.base_ptr()) {
            return None;
        }
        home.slots.take(class)
    }

    /// Puts `future` into `slot` and queues it.
    ///
    /// # Safety
    /// The slot is free and fits a task of type `F`, and what `F` borrows outlives the task.
    #[inline]
    pub(crate) unsafe fn start<F: Future>(
        &self,
        home: &Home,
        slot: NonNull<Header>,
        future: F,
    ) -> JoinHandle<F::Output> {
        // SAFETY: the caller's promise; *Home only* by `home`.
        unsafe { place::<F, B>(slot, future) };
        // SAFETY: just placed, with this output.
        unsafe { self.enqueue(home, slot) }
    }

    /// # Safety
    /// A task whose output reads as a `T` was just placed in `slot`.
    unsafe fn enqueue<T>(&self, home: &Home, slot: NonNull<Header>) -> JoinHandle<T> {
        home.queue.push(slot);
        home.counters.spawned.add(1);
        // SAFETY: just spawned, on this thread, with this output.
        unsafe { JoinHandle::new(slot, self.epoch) }
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
    #[inline]
    fn now(&self) -> Instant {
        Local::now(self)
    }

    #[inline]
    fn wheel(&self) -> Option<&'static Wheel> {
        self.open_home().ok().map(|home| &home.wheel)
    }
}
