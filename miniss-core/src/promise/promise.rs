//! The giving end: gives the value or the failure, once.
//!
//! The unsafe blocks here rest on the invariants of `cell` (*Two ends*, *Outcome turn*, *Waker
//! turn*). To wake the waiting task is the last thing that a promise does, after it has left the
//! cell. So a waker that panics disturbs nothing.

use core::fmt;
use core::mem::ManuallyDrop;
use core::task::Waker;

use super::cell::Link;
use super::state::{Ended, Ending, WakerTaken};
use crate::error::BrokenPromise;

/// The giving end of a [`Future`](crate::Future), made with it by `Future::new` or by
/// [`PromiseCell::pair`](crate::PromiseCell::pair).
///
/// Dropping it uncompleted ends the wait at once, with [`BrokenPromise`]. Forgetting it
/// ([`core::mem::forget`]) does not: the future then waits forever.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use miniss_core::Future;
///
/// let (mut future, promise) = Future::<&str>::new();
/// std::thread::spawn(move || promise.complete("from there")).join().unwrap().unwrap();
/// assert_eq!(future.try_take(), Some(Ok("from there")));
/// # }
/// ```
///
/// A promise for a long-lived value does not accept a shorter-lived one:
///
/// ```compile_fail
/// fn shorten<'a>(p: miniss_core::Promise<&'static str>) -> miniss_core::Promise<&'a str> {
///     p
/// }
/// ```
#[must_use = "a promise that is dropped is broken"]
pub struct Promise<T, E = BrokenPromise> {
    link: Link<T, E>,
}

impl<T, E> Promise<T, E> {
    pub(super) fn from_link(link: Link<T, E>) -> Self {
        Self { link }
    }

    /// Gives the value and wakes the task that waits.
    ///
    /// # Errors
    /// The value itself, if the future is gone. `Ok` means that the future was still there, not
    /// that someone will ask it for its result.
    ///
    /// # Panics
    /// Only if the task's waker panics; the future has the value by then.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use miniss_core::Future;
    ///
    /// let (future, promise) = Future::<String>::new();
    /// drop(future);
    /// assert_eq!(promise.complete("too late".into()), Err("too late".into()));
    /// # }
    /// ```
    pub fn complete(self, value: T) -> Result<(), T> {
        match self.settle(Ok(value)) {
            Ok(()) => Ok(()),
            Err(Ok(value)) => Err(value),
            Err(Err(_)) => unreachable!("what comes back is what was given"),
        }
    }

    /// Gives a failure and wakes the task that waits.
    ///
    /// # Errors
    /// The error itself, if the future is gone.
    ///
    /// # Panics
    /// Only if the task's waker panics; the future has the error by then.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// use miniss_core::{Future, error::BrokenPromise};
    ///
    /// #[derive(Debug, PartialEq)]
    /// enum NoAnswer { Full, Broken }
    /// impl From<BrokenPromise> for NoAnswer {
    ///     fn from(_: BrokenPromise) -> Self { NoAnswer::Broken }
    /// }
    ///
    /// let (mut future, promise) = Future::<u32, NoAnswer>::fallible();
    /// promise.fail(NoAnswer::Full).unwrap();
    /// assert_eq!(future.try_take(), Some(Err(NoAnswer::Full)));
    /// # }
    /// ```
    pub fn fail(self, error: E) -> Result<(), E> {
        match self.settle(Err(error)) {
            Ok(()) => Ok(()),
            Err(Err(error)) => Err(error),
            Err(Ok(_)) => unreachable!("what comes back is what was given"),
        }
    }

    /// Whether the future was dropped, so that no one needs the result. `false` promises nothing:
    /// it may be dropped at any later moment.
    ///
    /// ```
    /// # #[cfg(feature = "alloc")] {
    /// let (future, promise) = miniss_core::Future::<u32>::new();
    /// assert!(!promise.is_abandoned());
    /// drop(future);
    /// assert!(promise.is_abandoned());
    /// # }
    /// ```
    pub fn is_abandoned(&self) -> bool {
        self.link.state().is_abandoned()
    }

    /// Ends the promise with `outcome`, which comes back if the future is gone.
    fn settle(self, outcome: Result<T, E>) -> Result<(), Result<T, E>> {
        let promise = ManuallyDrop::new(self);
        // SAFETY: *Outcome turn*: ours until we end, and the promise ends here, once.
        unsafe { promise.link.put_outcome(outcome) };
        if promise.end(Ending::Settled) {
            return Ok(());
        }
        // SAFETY: *Outcome turn*: still ours, as the future is gone, and we have just put it there.
        let outcome = unsafe { promise.link.take_outcome() };
        // SAFETY: *Two ends*: the future is out and this is our last use.
        unsafe { promise.link.close() };
        Err(outcome)
    }

    /// Ends the promise and wakes the task that waits. False if the future is gone: then the cell
    /// is still open, and the caller must close it. If true, the link must not be used again.
    fn end(&self, ending: Ending) -> bool {
        match self.link.state().end(ending, || self.link.waker().copy()) {
            Ended::Abandoned => return false,
            Ended::Unheard => {}
            // SAFETY: *Waker turn*: the transition gave the copied waker to us.
            Ended::Wake(copy) => unsafe { copy.into_waker() }.wake(),
            Ended::TakeWaker => self.take_waker().wake(),
        }
        true
    }

    /// Takes the waker that was left to us, and leaves the cell.
    fn take_waker(&self) -> Waker {
        // SAFETY: *Waker turn*: only called after `Ended::TakeWaker`, once.
        let waker = unsafe { self.link.waker().copy().into_waker() };
        if let WakerTaken::Last = self.link.state().waker_taken() {
            // SAFETY: *Two ends*: `Last` says that the future is out, and this is our last use.
            unsafe { self.link.close() };
        }
        waker
    }
}

impl<T, E> Drop for Promise<T, E> {
    fn drop(&mut self) {
        if !self.end(Ending::Broken) {
            // SAFETY: *Two ends*: the future is out and this is our last use.
            unsafe { self.link.close() };
        }
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("abandoned", &self.is_abandoned()).finish()
    }
}
