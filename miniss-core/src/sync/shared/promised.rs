//! A value that is not there yet, for many waiters on one core.
//!
//! What [`Future`](crate::Future) and [`Promise`](crate::Promise) are for one waiter, which may be
//! on another core, these are for many on this one.
//!
//! # Invariants
//!
//! - **An outcome is for good.** It is set once, before anybody is woken, and read by reference
//!   from then on. No one queues after that.

#![forbid(unsafe_code)]

use core::cell::OnceCell;
use core::fmt;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use crate::collections::WaitList;
use crate::error::BrokenPromise;
use crate::sync::ends::{self, Counts, Ends, ReceiveEnd, SendEnd};
use crate::sync::until::until;

/// Where a shared future and its promise meet, for programs without a heap.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::SharedCell;
///
/// let mut cell = SharedCell::new();
/// let (future, promise) = cell.split();
/// promise.complete(3).unwrap();
/// assert_eq!(executor().block_on(future.wait()), Ok(3));
/// ```
pub struct SharedCell<T> {
    outcome: OnceCell<Result<T, BrokenPromise>>,
    waiters: WaitList<()>,
    ends: Counts,
}

impl<T> SharedCell<T> {
    /// A cell without an outcome.
    ///
    /// ```
    /// # use miniss_core::sync::SharedCell;
    /// let mut cell = SharedCell::<u32>::new();
    /// ```
    pub const fn new() -> Self {
        Self { outcome: OnceCell::new(), waiters: WaitList::new(), ends: Counts::pair() }
    }

    /// A future and its promise, which start again.
    ///
    /// They live as long as the borrow. From a `&'static mut` they are `'static`, as tasks need
    /// them that are not [scoped](crate::Executor::scope); the [manual](crate::manual::porting) has
    /// a cell that hands one out.
    ///
    /// ```
    /// use miniss_core::sync::{SharedCell, SharedFuture, SharedPromise};
    ///
    /// type Reading = SharedCell<u32>;
    ///
    /// fn handles(
    ///     reading: &'static mut Reading,
    /// ) -> (SharedFuture<&'static Reading>, SharedPromise<&'static Reading>) {
    ///     reading.split()
    /// }
    /// ```
    pub fn split(&mut self) -> (SharedFuture<&Self>, SharedPromise<&Self>) {
        *self = Self::new();
        handles(self)
    }

    /// The outcome, if it is there.
    ///
    /// ```
    /// # use miniss_core::sync::SharedCell;
    /// assert_eq!(SharedCell::<u32>::new().peek(), None);
    /// ```
    pub fn peek(&self) -> Option<Result<&T, BrokenPromise>> {
        self.outcome.get().map(|outcome| outcome.as_ref().map_err(|broken| *broken))
    }

    /// How many futures wait.
    ///
    /// ```
    /// # use miniss_core::sync::SharedCell;
    /// assert_eq!(SharedCell::<u32>::new().waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.waiters.len()
    }
}

impl<T> Default for SharedCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn handles<T, P>(link: P) -> (SharedFuture<P>, SharedPromise<P>)
where
    P: Deref<Target = SharedCell<T>> + Clone,
{
    let (promise, future) = ends::pair(link);
    (SharedFuture { cell: future }, SharedPromise { cell: promise })
}

impl<T> Ends for SharedCell<T> {
    fn counts(&self) -> &Counts {
        &self.ends
    }

    /// The promise is completed or broken.
    fn senders_gone(&self) {
        self.outcome.get_or_init(|| Err(BrokenPromise));
        self.waiters.wake_while(Some);
    }

    fn receivers_gone(&self) {}
}

impl<T: fmt::Debug> fmt::Debug for SharedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCell")
            .field("outcome", &self.peek())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

/// A [`SharedFuture`] on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::{OwnedSharedFuture, SharedFuture};
/// let (future, _promise) = SharedFuture::new();
/// let future: OwnedSharedFuture<u32> = future;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedSharedFuture<T> = SharedFuture<Rc<SharedCell<T>>>;

/// A [`SharedPromise`] on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::{OwnedSharedPromise, SharedFuture};
/// let (_future, promise) = SharedFuture::new();
/// let promise: OwnedSharedPromise<u32> = promise;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedSharedPromise<T> = SharedPromise<Rc<SharedCell<T>>>;

/// A value that may not be there yet, for as many as want it: clone it, or wait often.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::SharedFuture;
///
/// # let mut executor = executor();
/// let (future, promise) = SharedFuture::new();
/// let other = future.clone();
/// let task = executor.local().spawn(async move { other.wait().await }).unwrap();
/// promise.complete(5).unwrap();
/// assert_eq!(executor.block_on(future.wait()), Ok(5));
/// assert_eq!(executor.block_on(task), Ok(Ok(5)));
/// ```
pub struct SharedFuture<P: Deref<Target: Ends>> {
    cell: ReceiveEnd<P>,
}

#[cfg(feature = "alloc")]
impl<T> OwnedSharedFuture<T> {
    /// A future and the promise that completes it, with one allocation between them.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// let (future, promise) = miniss_core::sync::SharedFuture::new();
    /// promise.complete(1).unwrap();
    /// assert_eq!(future.peek(), Some(Ok(&1)));
    /// ```
    pub fn new() -> (Self, OwnedSharedPromise<T>) {
        handles(Rc::new(SharedCell::new()))
    }
}

impl<T: Clone, P: Deref<Target = SharedCell<T>>> SharedFuture<P> {
    /// Waits for the value and gives a clone of it.
    ///
    /// # Errors
    ///
    /// [`BrokenPromise`] if the promise was dropped without a value.
    ///
    /// # Cancellation
    ///
    /// Safe: there is nothing to lose, and the others go on waiting.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::{error::BrokenPromise, sync::OwnedSharedFuture};
    ///
    /// let (future, promise) = OwnedSharedFuture::<u32>::new();
    /// drop(promise);
    /// assert_eq!(executor().block_on(future.wait()), Err(BrokenPromise));
    /// ```
    pub async fn wait(&self) -> Result<T, BrokenPromise> {
        until(&self.cell.waiters, (), || self.cell.outcome.get().is_some()).await;
        self.cell.outcome.get().expect("\"An outcome is for good\"").clone()
    }
}

impl<P: Deref<Target: Ends>> Deref for SharedFuture<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.cell
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for SharedFuture<P> {
    fn clone(&self) -> Self {
        Self { cell: self.cell.clone() }
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for SharedFuture<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFuture").field(&&*self.cell).finish()
    }
}

/// The giving end. Dropping it without a value breaks it: all who wait, and all who come later,
/// get [`BrokenPromise`].
///
/// ```
/// use miniss_core::{error::BrokenPromise, sync::SharedCell};
///
/// let mut cell = SharedCell::<u32>::new();
/// let (future, promise) = cell.split();
/// drop(promise);
/// assert_eq!(future.peek(), Some(Err(BrokenPromise)));
/// ```
pub struct SharedPromise<P: Deref<Target: Ends>> {
    cell: SendEnd<P>,
}

impl<T, P: Deref<Target = SharedCell<T>>> SharedPromise<P> {
    /// Gives `value` to all who wait and all who come later.
    ///
    /// # Errors
    ///
    /// The value comes back if there is no future any more.
    ///
    /// # Panics
    ///
    /// If a waiter's waker does; the value is in place then, and the others are told.
    ///
    /// ```
    /// use miniss_core::sync::SharedCell;
    ///
    /// let mut cell = SharedCell::new();
    /// let (future, promise) = cell.split();
    /// drop(future);
    /// assert_eq!(promise.complete(8), Err(8));
    /// ```
    pub fn complete(self, value: T) -> Result<(), T> {
        if self.is_abandoned() {
            return Err(value);
        }
        // The only promise is not used up before this, so the place is empty. Dropping it wakes.
        let set = self.cell.outcome.set(Ok(value));
        debug_assert!(set.is_ok());
        Ok(())
    }

    /// Whether there is no future any more, and so no one to bring a value to.
    ///
    /// ```
    /// use miniss_core::sync::SharedCell;
    ///
    /// let mut cell = SharedCell::<u32>::new();
    /// let (future, promise) = cell.split();
    /// drop(future);
    /// assert!(promise.is_abandoned());
    /// ```
    pub fn is_abandoned(&self) -> bool {
        self.cell.ends.receivers() == 0
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for SharedPromise<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedPromise").field(&&*self.cell).finish()
    }
}
