//! One result, awaited by many.
//!
//! Every waiter gets a clone of the result, those that come later too, and each may have a
//! deadline of its own: a [`Timeout`](crate::timer::Timeout) around one wait does not disturb the
//! others.
//!
//! [`Shared`] is any future: one of those that wait for it polls it, for all of them. A semaphore
//! of one unit says which one, in the order in which they come. That one polls the inner future
//! with its own waker. If it gives up, the next one is woken, gets the unit and polls at once, so
//! the inner future always knows the waker of a task that waits. When the output is there, the
//! semaphore is closed, which wakes all.
//!
//! [`SharedFuture`] and [`SharedPromise`] are a value that someone brings. What
//! [`Future`](crate::Future) and [`Promise`](crate::Promise) are for one waiter, which may be on
//! another core, these are for many on this one.
//!
//! # Invariants
//!
//! - **One poller.** Only the one who holds the only unit of `poller` touches `future`, in
//!   `poll_inner`. It cannot enter that twice, since its own future is being polled.
//! - **The future stays put.** `future` is structurally pinned: it is polled and dropped in place.
//!   `Shared` is `Unpin` only if it is, and has no `Drop` of its own.
//! - **The output comes first.** The place of the future is empty only after the output is there.
//! - **An outcome is for good.** It is set once, before anyone is woken, and read by reference
//!   from then on. No one queues after that.

use core::cell::{OnceCell, UnsafeCell};
use core::fmt;
use core::future::{Future, poll_fn};
use core::ops::Deref;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::ends::{self, Borrowed, Counts, Ends, Heap, ReceiveEnd, SendEnd, sealed};
use super::{Semaphore, Units};
use crate::collections::WaitList;
use crate::error::BrokenPromise;

/// A future whose output many may await.
///
/// It makes progress only while someone waits, and the first who waits polls it for all: a wait
/// that is kept but not polled on stops the others, so drop one that is given up.
///
/// Pin it where its users can reach it, with a heap in an `Rc`:
///
/// ```
/// # use miniss_core::doctest::executor;
/// use std::rc::Rc;
/// use miniss_core::sync::Shared;
///
/// # let mut executor = executor();
/// let answer = Rc::pin(Shared::new(async { 6 * 7 }));
/// let same = answer.clone();
/// let task = executor.local().spawn(async move { same.as_ref().wait().await }).unwrap();
/// assert_eq!(executor.block_on(answer.as_ref().wait()), 42);
/// assert_eq!(executor.block_on(task), Ok(42));
/// ```
///
/// Without one, on the stack or in a `static`:
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::pin::pin;
/// use core::time::Duration;
/// use miniss_core::sync::Shared;
/// use miniss_core::timer::Timeout;
///
/// # let mut executor = executor();
/// # let local = executor.local();
/// let shared = pin!(Shared::new(async { "loaded" }));
/// let shared = shared.as_ref();
/// let hasty = Timeout::new(local, Duration::from_millis(1), shared.wait());
/// assert_eq!(executor.block_on(hasty), Ok("loaded"));
/// ```
pub struct Shared<F: Future> {
    poller: Semaphore,
    output: OnceCell<F::Output>,
    future: UnsafeCell<Option<F>>,
}

impl<F: Future> Shared<F> {
    /// Shares `future`, which is not polled before someone waits.
    ///
    /// ```
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    /// let shared = pin!(Shared::new(async { 1 }));
    /// ```
    pub const fn new(future: F) -> Self {
        Self {
            poller: Semaphore::new(1),
            output: OnceCell::new(),
            future: UnsafeCell::new(Some(future)),
        }
    }

    /// Waits for the output and gives a clone of it.
    ///
    /// # Panics
    ///
    /// If the inner future does, while this waiter polls it. The next waiter polls it then, and
    /// most futures panic at every poll after the first panic.
    ///
    /// # Cancellation
    ///
    /// Safe. A waiter that is dropped while it polls the inner future leaves that to the next one,
    /// which is woken; the inner future is not dropped, and rests if there is no next one.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    ///
    /// let shared = pin!(Shared::new(async { String::from("once") }));
    /// let shared = shared.as_ref();
    /// let both = async { (shared.wait().await, shared.wait().await) };
    /// assert_eq!(executor().block_on(both), ("once".into(), "once".into()));
    /// ```
    pub async fn wait(self: Pin<&Self>) -> F::Output
    where
        F::Output: Clone,
    {
        if let Ok(unit) = self.poller.acquire(1).await {
            poll_fn(|cx| self.poll_inner(&unit, cx)).await;
            self.poller.close();
        }
        self.peek().expect("closed after the output is there").clone()
    }

    /// The output, if it is there.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    ///
    /// let shared = pin!(Shared::new(async { 5 }));
    /// let shared = shared.as_ref();
    /// assert_eq!(shared.peek(), None);
    /// executor().block_on(shared.wait());
    /// assert_eq!(shared.peek(), Some(&5));
    /// ```
    pub fn peek(&self) -> Option<&F::Output> {
        self.output.get()
    }

    /// How many wait for another one that polls the inner future.
    ///
    /// ```
    /// use miniss_core::sync::Shared;
    /// assert_eq!(Shared::new(async {}).waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.poller.waiters()
    }

    /// Polls the inner future, for the one who has the unit.
    fn poll_inner(self: Pin<&Self>, _unit: &Units<'_>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: *One poller* and *The future stays put*.
        let mut place = unsafe { Pin::new_unchecked(&mut *self.get_ref().future.get()) };
        // Empty if the former poller panicked as it dropped the future: *The output comes first*.
        if let Some(future) = place.as_mut().as_pin_mut() {
            let output = ready!(future.poll(cx));
            // No one else polls it, so no one else has set it.
            let _first = self.output.set(output);
            place.set(None);
        }
        Poll::Ready(())
    }
}

impl<F: Future<Output: fmt::Debug>> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("output", &self.peek())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

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
    /// use miniss_core::sync::{Borrowed, SharedCell, SharedFuture, SharedPromise};
    ///
    /// type Here = Borrowed<'static>;
    ///
    /// fn handles(
    ///     reading: &'static mut SharedCell<u32>,
    /// ) -> (SharedFuture<u32, Here>, SharedPromise<u32, Here>) {
    ///     reading.split()
    /// }
    /// ```
    pub fn split(&mut self) -> (SharedFuture<T, Borrowed<'_>>, SharedPromise<T, Borrowed<'_>>) {
        *self = Self::new();
        handles(&*self)
    }

    fn peek(&self) -> Option<Result<&T, BrokenPromise>> {
        self.outcome.get().map(|outcome| outcome.as_ref().map_err(|broken| *broken))
    }

    const fn waiters(&self) -> usize {
        self.waiters.len()
    }
}

impl<T> Default for SharedCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a shared future lies: on the [heap](super::Heap) or in a [borrowed](super::Borrowed)
/// place. It is implemented for these two only.
///
/// ```
/// use miniss_core::sync::{SharedCell, SharedFuture, SharedPlace};
///
/// fn is_there<P: SharedPlace<u32>>(future: &SharedFuture<u32, P>) -> bool {
///     future.peek().is_some()
/// }
/// let mut cell = SharedCell::new();
/// let (future, _promise) = cell.split();
/// assert!(!is_there(&future));
/// let (future, _promise) = SharedFuture::new();
/// assert!(!is_there(&future));
/// ```
pub trait SharedPlace<T>: sealed::Sealed {
    #[doc(hidden)]
    type Link: Deref<Target = SharedCell<T>> + Clone;
}

#[cfg(feature = "alloc")]
impl<T> SharedPlace<T> for Heap {
    type Link = Rc<SharedCell<T>>;
}

impl<'a, T: 'a> SharedPlace<T> for Borrowed<'a> {
    type Link = &'a SharedCell<T>;
}

fn handles<T, P: SharedPlace<T>>(link: P::Link) -> (SharedFuture<T, P>, SharedPromise<T, P>) {
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
///
/// `P` says where the value lies: `SharedFuture<T>` keeps it on the heap,
/// `SharedFuture<T, Borrowed<'_>>` borrows it.
pub struct SharedFuture<T, P: SharedPlace<T> = Heap> {
    cell: ReceiveEnd<P::Link>,
}

#[cfg(feature = "alloc")]
impl<T> SharedFuture<T> {
    /// A future and the promise that completes it, with one allocation between them.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// let (future, promise) = miniss_core::sync::SharedFuture::new();
    /// promise.complete(1).unwrap();
    /// assert_eq!(future.peek(), Some(Ok(&1)));
    /// ```
    pub fn new() -> (Self, SharedPromise<T>) {
        handles(Rc::new(SharedCell::new()))
    }
}

impl<T: Clone, P: SharedPlace<T>> SharedFuture<T, P> {
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
    /// use miniss_core::{error::BrokenPromise, sync::SharedFuture};
    ///
    /// let (future, promise) = SharedFuture::<u32>::new();
    /// drop(promise);
    /// assert_eq!(executor().block_on(future.wait()), Err(BrokenPromise));
    /// ```
    pub async fn wait(&self) -> Result<T, BrokenPromise> {
        self.cell.waiters.until((), || self.cell.outcome.get().is_some()).await;
        self.cell.outcome.get().expect("\"An outcome is for good\"").clone()
    }
}

impl<T, P: SharedPlace<T>> SharedFuture<T, P> {
    /// The outcome, if it is there.
    ///
    /// ```
    /// use miniss_core::sync::SharedFuture;
    /// let (future, _promise) = SharedFuture::<u32>::new();
    /// assert_eq!(future.peek(), None);
    /// ```
    pub fn peek(&self) -> Option<Result<&T, BrokenPromise>> {
        self.cell.peek()
    }

    /// How many futures wait.
    ///
    /// ```
    /// use miniss_core::sync::SharedFuture;
    /// let (future, _promise) = SharedFuture::<u32>::new();
    /// assert_eq!(future.waiters(), 0);
    /// ```
    pub fn waiters(&self) -> usize {
        self.cell.waiters()
    }
}

impl<T, P: SharedPlace<T>> Clone for SharedFuture<T, P> {
    fn clone(&self) -> Self {
        Self { cell: self.cell.clone() }
    }
}

impl<T: fmt::Debug, P: SharedPlace<T>> fmt::Debug for SharedFuture<T, P> {
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
pub struct SharedPromise<T, P: SharedPlace<T> = Heap> {
    cell: SendEnd<P::Link>,
}

impl<T, P: SharedPlace<T>> SharedPromise<T, P> {
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

impl<T: fmt::Debug, P: SharedPlace<T>> fmt::Debug for SharedPromise<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedPromise").field(&&*self.cell).finish()
    }
}

#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod tests;
