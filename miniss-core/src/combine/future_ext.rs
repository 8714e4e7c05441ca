//! Seastar's continuations as methods on every future.
//!
//! `[combine] ─▶ user future ─▶ task`
//!
//! The methods are thin; each combinator has a file of its own.

#![forbid(unsafe_code)]

use core::future::Future;

use super::finally::{self, CleanupOutcome};
use super::{or_else, then};

/// Continuations for futures, most of them for futures of a `Result`.
///
/// In a new program write `async` blocks and `?`, which say the same. A chain is for ported code,
/// and where a future must be small: its parts share their space.
///
/// # Cancellation
///
/// Every combinator here is as safe to drop as the future it is in at that moment. What would have
/// followed does not run; that goes for [`finally`](Self::finally) too.
///
/// # Panics
///
/// The futures that they return panic when polled after they were ready.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use core::future::ready;
/// use miniss_core::combine::FutureExt;
///
/// let answer = ready(Ok::<u32, &str>(20))
///     .then(|n| ready(if n < 100 { Ok(n + 1) } else { Err("too much") }))
///     .map(|n| n * 2)
///     .or_else(|_: &str| ready(Ok::<u32, &str>(0)));
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(answer).poll(&mut cx), Poll::Ready(Ok(42)));
/// ```
pub trait FutureExt: Future {
    /// On success calls `f` with the value and goes on with the future that it returns. An error
    /// passes by, and `f` is not called.
    ///
    /// # Errors
    ///
    /// The error of the first future or of the second.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let failed = ready(Err::<u32, _>("no file")).then(|n| ready(Ok(n + 1)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(failed).poll(&mut cx), Poll::Ready(Err("no file")));
    /// ```
    fn then<T, E, U, N>(self, f: impl FnOnce(T) -> N) -> impl Future<Output = Result<U, E>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output = Result<U, E>>,
    {
        then::then(self, f)
    }

    /// On success replaces the value by `f(value)`. An error passes by.
    ///
    /// # Errors
    ///
    /// The error of the future.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let four = ready(Ok::<_, ()>(3)).map(|n| n + 1);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(four).poll(&mut cx), Poll::Ready(Ok(4)));
    /// ```
    fn map<T, E, U>(self, f: impl FnOnce(T) -> U) -> impl Future<Output = Result<U, E>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
    {
        then::map(self, f)
    }

    /// Calls `f` with the output, be it a value or an error, and goes on with the future that it
    /// returns.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let failed = ready(Err::<u32, _>("no file"));
    /// let told = failed.then_wrapped(|outcome| ready(outcome.is_err()));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(told).poll(&mut cx), Poll::Ready(true));
    /// ```
    fn then_wrapped<N: Future>(
        self,
        f: impl FnOnce(Self::Output) -> N,
    ) -> impl Future<Output = N::Output>
    where
        Self: Sized,
    {
        then::then_wrapped(self, f)
    }

    /// On failure calls `f` with the error and goes on with the future that it returns. A value
    /// passes by. Seastar's `handle_exception`.
    ///
    /// # Errors
    ///
    /// The error of the future that `f` returns.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let recovered = ready(Err::<u32, _>("no file")).or_else(|_| ready(Ok::<_, ()>(0)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(recovered).poll(&mut cx), Poll::Ready(Ok(0)));
    /// ```
    fn or_else<T, E, D, N>(self, f: impl FnOnce(E) -> N) -> impl Future<Output = Result<T, D>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output = Result<T, D>>,
    {
        or_else::or_else(self, f)
    }

    /// Like [`or_else`](Self::or_else), but only for errors for which `matches` is true; other
    /// errors pass by. Seastar's `handle_exception_type`, with a test in place of a type.
    ///
    /// # Errors
    ///
    /// The error that did not match, or that of the future which `f` returns.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let failed = ready(Err::<u32, _>("disk full"));
    /// let passed = failed.handle_error_if(|error| *error == "no file", |_| ready(Ok(0)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(passed).poll(&mut cx), Poll::Ready(Err("disk full")));
    /// ```
    fn handle_error_if<T, E, N>(
        self,
        matches: impl FnOnce(&E) -> bool,
        f: impl FnOnce(E) -> N,
    ) -> impl Future<Output = Result<T, E>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output = Result<T, E>>,
    {
        or_else::handle_error_if(self, matches, f)
    }

    /// Runs `cleanup` whatever the outcome was, then gives that outcome.
    ///
    /// What follows starts only when the cleanup has finished. A cleanup returns `()`, and then the
    /// outcome is as it was; or a `Result<(), _>`, and then the error is a
    /// [`FinallyError`](super::FinallyError): a cleanup that fails turns a success into its error,
    /// and after a failure both errors are kept.
    ///
    /// # Errors
    ///
    /// The error of the future, of the cleanup, or both.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does **not** run the cleanup: a drop cannot wait. What must happen in
    /// any case belongs in a `Drop`.
    ///
    /// ```
    /// # use core::{cell::Cell, pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let closed = Cell::new(false);
    /// let failed = ready(Err::<u32, _>("no file")).finally(async || closed.set(true));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(failed).poll(&mut cx), Poll::Ready(Err("no file")));
    /// assert!(closed.get());
    /// ```
    fn finally<T, E, N>(
        self,
        cleanup: impl FnOnce() -> N,
    ) -> impl Future<Output = Result<T, <N::Output as CleanupOutcome<E>>::Error>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output: CleanupOutcome<E>>,
    {
        finally::finally(self, cleanup)
    }
}

impl<F: Future + ?Sized> FutureExt for F {}
