//! The receiving end: what user code awaits.
//!
//! A future is in one of three stages: it waits on a cell; it holds a result that was there from
//! the start, and then needs no cell; or it has given its result. It leaves the cell in the same
//! moment as it takes the result. So a static cell is free again, and a box is freed, before the
//! result is handed over.
//!
//! The unsafe blocks here rest on the invariants of `cell` (*Two ends*, *Outcome turn*, *Waker
//! turn*). No foreign code (a waker's `clone` or `drop`, a value's `drop`) runs between the two
//! halves of a change: it runs before the first transition or after the last.

use core::any::type_name;
use core::fmt;
use core::mem::{self, ManuallyDrop};
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use super::cell::Link;
use super::state::{Abandonment, Done, Leaving, Observed, Registration, Seen, Withdrawal};
use crate::coop::Leaf;
use crate::error::BrokenPromise;
use crate::unobserved::{self, Source};

#[cfg(feature = "alloc")]
use super::promise::Promise;

/// A value that may not be there yet.
///
/// Awaiting it gives `Ok(value)` once its promise is [completed](crate::Promise::complete),
/// `Err(error)` once that [fails](crate::Promise::fail), and `E::from(BrokenPromise)` once it is
/// dropped. Both ends may be moved, also to other threads, at any time. The promise may end before
/// the first poll or after it.
///
/// It gives its result once. After that, [`try_take`](Self::try_take) gives `None`,
/// [`is_ready`](Self::is_ready) is false, and a poll panics. Code that polls in a loop keeps the
/// future in an `Option`, or asks `is_ready` first.
///
/// It is `Unpin`, whatever `T` is.
///
/// # Cancellation
/// Dropping it before it is ready is safe and prompt: the promise sees it in
/// [`is_abandoned`](crate::Promise::is_abandoned), and [`complete`](crate::Promise::complete) gives
/// the value back. A value that came but was not taken is dropped with the future; an error is
/// [reported](crate::unobserved) then. Nothing is lost with a borrow of it: `(&mut future).await`
/// may be dropped and begun again, by the same task or by another. The last task that polled it is
/// the one that is woken.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use core::task::{Context, Poll, Waker};
/// use miniss_core::Future;
///
/// let (future, promise) = Future::<u32>::new();
/// let mut sum = core::pin::pin!(async { Ok(future.await? + 1) });
/// let mut cx = Context::from_waker(Waker::noop());
///
/// assert!(core::future::Future::poll(sum.as_mut(), &mut cx).is_pending());
/// promise.complete(3).unwrap();
/// let done: Poll<Result<u32, miniss_core::error::BrokenPromise>> = sum.poll(&mut cx);
/// assert_eq!(done, Poll::Ready(Ok(4)));
/// # }
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Future<T, E = BrokenPromise> {
    stage: Stage<T, E>,
}

enum Stage<T, E> {
    Waiting(Waiter<T, E>, Leaf),
    Resolved(Resolved<T, E>, Leaf),
    Taken,
}

/// A result that was there from the start. It reports a failure that is dropped unseen.
struct Resolved<T, E>(Option<Result<T, E>>);

impl<T, E> Drop for Resolved<T, E> {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.0 {
            unobserved::report(Source::Promise, type_name::<E>());
        }
    }
}

impl<T> Future<T, BrokenPromise> {
    /// A future and the promise that completes it, in this order, with one allocation between
    /// them.
    ///
    /// [`PromiseCell`](crate::PromiseCell) does without the allocation, and
    /// [`fallible`](Self::fallible) has an error type of your own.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// let (future, promise) = miniss_core::Future::<u32>::new();
    /// assert!(!future.is_ready());
    /// promise.complete(1).unwrap();
    /// assert!(future.is_ready());
    /// ```
    #[cfg(feature = "alloc")]
    #[allow(clippy::new_ret_no_self, reason = "a pair is made, as by a channel")]
    pub fn new() -> (Self, Promise<T>) {
        super::cell::heap_pair()
    }

    /// A future that is ready from the start. Allocates nothing.
    ///
    /// ```
    /// use miniss_core::Future;
    /// assert_eq!(Future::ready(3).try_take(), Some(Ok(3)));
    /// ```
    pub fn ready(value: T) -> Self {
        Self::resolved(Ok(value))
    }
}

impl<T, E> Future<T, E> {
    /// A future that has its result from the start. Allocates nothing.
    ///
    /// ```
    /// use miniss_core::{Future, error::BrokenPromise};
    /// let mut future: Future<u32> = Future::resolved(Err(BrokenPromise));
    /// assert!(future.is_ready());
    /// ```
    pub fn resolved(result: Result<T, E>) -> Self {
        Self { stage: Stage::Resolved(Resolved(Some(result)), Leaf::new()) }
    }

    /// A future that has failed from the start. Allocates nothing.
    ///
    /// ```
    /// use miniss_core::{Future, error::BrokenPromise};
    /// let mut future = Future::<u32>::failed(BrokenPromise);
    /// assert_eq!(future.try_take(), Some(Err(BrokenPromise)));
    /// ```
    pub fn failed(error: E) -> Self {
        Self::resolved(Err(error))
    }

    /// Whether a poll would give the result at once. False again when it has been given.
    ///
    /// ```
    /// let mut future = miniss_core::Future::ready(3);
    /// assert!(future.is_ready());
    /// future.try_take();
    /// assert!(!future.is_ready());
    /// ```
    pub fn is_ready(&self) -> bool {
        match &self.stage {
            Stage::Waiting(waiter, _) => waiter.is_done(),
            Stage::Resolved(..) => true,
            Stage::Taken => false,
        }
    }

    pub(super) fn waiting(waiter: Waiter<T, E>) -> Self {
        Self { stage: Stage::Waiting(waiter, Leaf::new()) }
    }
}

impl<T, E: From<BrokenPromise>> Future<T, E> {
    /// A future and its promise with an error type of your own. Its `From<BrokenPromise>` is what a
    /// dropped promise becomes.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// use miniss_core::{Future, error::BrokenPromise};
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct NoAnswer;
    /// impl From<BrokenPromise> for NoAnswer {
    ///     fn from(_: BrokenPromise) -> Self { NoAnswer }
    /// }
    ///
    /// let (mut future, promise) = Future::<u32, NoAnswer>::fallible();
    /// drop(promise);
    /// assert_eq!(future.try_take(), Some(Err(NoAnswer)));
    /// ```
    #[cfg(feature = "alloc")]
    pub fn fallible() -> (Self, Promise<T, E>) {
        super::cell::heap_pair()
    }

    /// The result, if it is there and has not been given. Registers no waker; one from an earlier
    /// poll stays registered.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let (mut future, promise) = miniss_core::Future::<u32>::new();
    /// assert_eq!(future.try_take(), None);
    /// promise.complete(5).unwrap();
    /// assert_eq!(future.try_take(), Some(Ok(5)));
    /// assert_eq!(future.try_take(), None);
    /// # }
    /// ```
    pub fn try_take(&mut self) -> Option<Result<T, E>> {
        if !self.is_ready() {
            return None;
        }
        Some(self.take())
    }

    /// Gives the result, which must be there.
    fn take(&mut self) -> Result<T, E> {
        match mem::replace(&mut self.stage, Stage::Taken) {
            Stage::Waiting(waiter, _) => {
                waiter.finish().unwrap_or_else(|| Err(BrokenPromise.into()))
            }
            Stage::Resolved(mut result, _) => result.0.take().expect("it is taken once"),
            Stage::Taken => panic!("a `Future` was polled after it had given its result"),
        }
    }
}

/// # Panics
/// If polled after it has given its result.
impl<T, E: From<BrokenPromise>> core::future::Future for Future<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Stage::Waiting(waiter, _) = &mut this.stage {
            ready!(waiter.poll_done(cx.waker()));
        }
        if let Stage::Waiting(_, leaf) | Stage::Resolved(_, leaf) = &this.stage {
            ready!(leaf.poll_proceed(cx));
        }
        Poll::Ready(this.take())
    }
}

// The result is moved out whole and never pinned in place.
impl<T, E> Unpin for Future<T, E> {}

impl<T, E> fmt::Debug for Future<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Future").field("ready", &self.is_ready()).finish()
    }
}

/// Waits for the promise to end, and takes what it left: the future's side of an open cell.
pub(super) struct Waiter<T, E> {
    link: Link<T, E>,
}

impl<T, E> Waiter<T, E> {
    pub(super) fn new(link: Link<T, E>) -> Self {
        Self { link }
    }

    /// Whether the promise has ended.
    pub(super) fn is_done(&self) -> bool {
        self.link.state().is_done()
    }

    /// Ready once the promise has ended; until then, `waker` is woken when it does.
    pub(super) fn poll_done(&mut self, waker: &Waker) -> Poll<()> {
        match self.link.state().observe() {
            Observed::Done(_) => Poll::Ready(()),
            Observed::Idle(seen) => self.register(seen, waker.clone()),
            Observed::Registered(_) if self.link.waker().holds(waker) => Poll::Pending,
            Observed::Registered(seen) => self.replace(seen, waker.clone()),
        }
    }

    /// Takes the outcome and leaves; `None` if the promise was broken.
    ///
    /// # Panics
    /// If the promise has not ended.
    pub(super) fn finish(self) -> Option<Result<T, E>> {
        let Observed::Done(done) = self.link.state().observe() else {
            panic!("a promise's outcome was taken before its end");
        };
        ManuallyDrop::new(self).leave(done)
    }

    /// Registers `waker` where there is none.
    fn register(&mut self, seen: Seen, waker: Waker) -> Poll<()> {
        self.link.waker().put(waker);
        match self.link.state().register(seen) {
            Registration::Registered => Poll::Pending,
            Registration::Done => {
                // SAFETY: *Waker turn*: we put it there and the promise did not see it.
                drop(unsafe { self.link.waker().copy().into_waker() });
                Poll::Ready(())
            }
        }
    }

    /// Registers `waker` in place of another.
    fn replace(&mut self, seen: Seen, waker: Waker) -> Poll<()> {
        match self.link.state().withdraw(seen) {
            Withdrawal::Done => Poll::Ready(()),
            Withdrawal::Withdrawn(seen) => {
                // SAFETY: *Waker turn*: it was registered, and `withdraw` made it ours again. It
                // lives until the new one is registered, and is dropped then.
                let _former = unsafe { self.link.waker().copy().into_waker() };
                self.register(seen, waker)
            }
        }
    }

    /// Leaves a cell whose promise has ended, with its outcome. To be called once, as the last use
    /// of the link.
    fn leave(&mut self, done: Done) -> Option<Result<T, E>> {
        // SAFETY: *Outcome turn*: ours since `DONE`, and there since `OUTCOME` is set; we take it
        // once, because we leave only once.
        let outcome = done.has_outcome().then(|| unsafe { self.link.take_outcome() });
        if let Leaving::Last = self.link.state().leave(done) {
            // SAFETY: *Two ends*: `Last` says that the promise is out.
            unsafe { self.link.close() };
        }
        outcome
    }

    /// Leaves a cell whose promise has not ended, unless it does so first.
    fn abandon(&mut self, seen: Seen, registered: bool) {
        // The promise may close the cell the moment we have left, so the waker is copied before.
        let copy = registered.then(|| self.link.waker().copy());
        match self.link.state().abandon(seen) {
            // SAFETY: *Waker turn*: it was registered, and the promise ends without taking it.
            Abandonment::Left => drop(copy.map(|copy| unsafe { copy.into_waker() })),
            Abandonment::Done(done) => drop_unseen(self.leave(done)),
        }
    }
}

impl<T, E> Drop for Waiter<T, E> {
    fn drop(&mut self) {
        match self.link.state().observe() {
            Observed::Idle(seen) => self.abandon(seen, false),
            Observed::Registered(seen) => self.abandon(seen, true),
            Observed::Done(done) => drop_unseen(self.leave(done)),
        }
    }
}

/// Drops an outcome that no one took.
fn drop_unseen<T, E>(outcome: Option<Result<T, E>>) {
    if let Some(Err(_)) = outcome {
        unobserved::report(Source::Promise, type_name::<E>());
    }
}
