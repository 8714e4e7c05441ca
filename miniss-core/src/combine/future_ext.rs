//! Seastar's continuations as methods on every future.

#![forbid(unsafe_code)]

use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};

use super::chain::{Chain, convert};
use super::finally::{self, CleanupOutcome, Spawn};
use crate::promise::Promise;

/// Continuations for futures, most of them for futures of a `Result`.
///
/// In a new program write `async` blocks and `?`, which say the same. A chain is for ported code,
/// and where a future must be small: its parts share their space.
///
/// [`and_then`](Self::and_then), [`map_ok`](Self::map_ok), [`map_err`](Self::map_err) and
/// [`or_else`](Self::or_else) do what the `futures` crate does under these names. Its `then` is
/// [`then_wrapped`](Self::then_wrapped), as Seastar calls it.
///
/// # Cancellation
///
/// Every combinator here is as safe to drop as the future it is in at that moment. What would have
/// followed does not run, but for the cleanup of [`finally`](Self::finally).
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
///     .and_then(|n| ready(if n < 100 { Ok(n + 1) } else { Err("too much") }))
///     .map_ok(|n| n * 2)
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
    /// # Cancellation
    ///
    /// Dropping it drops the future that is running, the first or the second; if that is the first,
    /// `f` is not called.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let failed = ready(Err::<u32, _>("no file")).and_then(|n| ready(Ok(n + 1)));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(failed).poll(&mut cx), Poll::Ready(Err("no file")));
    /// ```
    fn and_then<T, E, U, N>(self, f: impl FnOnce(T) -> N) -> impl Future<Output = Result<U, E>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output = Result<U, E>>,
    {
        Chain::new(self, |outcome| match outcome {
            Ok(value) => Continue(f(value)),
            Err(error) => Break(Err(error)),
        })
    }

    /// On success replaces the value by `f(value)`. An error passes by.
    ///
    /// # Errors
    ///
    /// The error of the future.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the future, and `f` is not called.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let four = ready(Ok::<_, ()>(3)).map_ok(|n| n + 1);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(four).poll(&mut cx), Poll::Ready(Ok(4)));
    /// ```
    fn map_ok<T, E, U>(self, f: impl FnOnce(T) -> U) -> impl Future<Output = Result<U, E>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
    {
        convert(self, |outcome| outcome.map(f))
    }

    /// On failure replaces the error by `f(error)`. A value passes by.
    ///
    /// # Errors
    ///
    /// What `f` makes of the error of the future.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the future, and `f` is not called.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::ready;
    /// # use miniss_core::combine::FutureExt;
    /// let failed = ready(Err::<(), _>("no file")).map_err(str::len);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(failed).poll(&mut cx), Poll::Ready(Err(7)));
    /// ```
    fn map_err<T, E, D>(self, f: impl FnOnce(E) -> D) -> impl Future<Output = Result<T, D>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
    {
        convert(self, |outcome| outcome.map_err(f))
    }

    /// Calls `f` with the output, be it a value or an error, and goes on with the future that it
    /// returns.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the future that is running, the first or the second; if that is the first,
    /// `f` is not called.
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
        Chain::new(self, |outcome| Continue(f(outcome)))
    }

    /// On failure calls `f` with the error and goes on with the future that it returns. A value
    /// passes by. Seastar's `handle_exception`.
    ///
    /// # Errors
    ///
    /// The error of the future that `f` returns.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the future that is running, the first or the second; if that is the first,
    /// `f` is not called.
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
        Chain::new(self, |outcome| match outcome {
            Ok(value) => Break(Ok(value)),
            Err(error) => Continue(f(error)),
        })
    }

    /// Like [`or_else`](Self::or_else), but only for errors for which `matches` is true; other
    /// errors pass by. Seastar's `handle_exception_type`, with a test in place of a type.
    ///
    /// # Errors
    ///
    /// The error that did not match, or that of the future which `f` returns.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops the future that is running, the first or the second; if that is the first,
    /// neither `matches` nor `f` is called.
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
        Chain::new(self, |outcome| match outcome {
            Err(error) if matches(&error) => Continue(f(error)),
            passed => Break(passed),
        })
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
    /// If the future is dropped before its end, or panics, its drop drops what is running, then
    /// starts the cleanup and polls it once, in place: a cleanup that does not wait has run when
    /// the drop returns, one that waits is cut short at its first wait. No one gets its error.
    /// [`finally_on`](Self::finally_on) is for a cleanup that must wait.
    ///
    /// A future that was never polled has not begun, so there is nothing to clean up. If the
    /// cleanup is under way when it is dropped, it is dropped with it. As in any drop, a panic of
    /// the cleanup while another one unwinds aborts the program.
    ///
    /// ```
    /// # use core::{cell::Cell, pin::pin, task::{Context, Poll, Waker}};
    /// # use core::future::{pending, ready};
    /// # use miniss_core::combine::FutureExt;
    /// let closed = Cell::new(0);
    /// let close = async || closed.set(closed.get() + 1);
    /// let failed = ready(Err::<u32, _>("no file")).finally(&close);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(failed).poll(&mut cx), Poll::Ready(Err("no file")));
    /// assert_eq!(closed.get(), 1);
    ///
    /// let mut endless = Box::pin(pending::<Result<(), ()>>().finally(&close));
    /// assert!(endless.as_mut().poll(&mut cx).is_pending());
    /// drop(endless);
    /// assert_eq!(closed.get(), 2);
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

    /// Like [`finally`](Self::finally), but the cleanup is a task of its own on `spawner`: it runs
    /// to its end on success, on failure and on cancellation, whenever that comes.
    ///
    /// `cleanup` itself is called here; what it returns is the task. If that cannot be spawned,
    /// because the executor is ending or has no room, it runs here, as in `finally`.
    ///
    /// # Errors
    ///
    /// The error of the future, of the cleanup, or both.
    ///
    /// # Panics
    ///
    /// If the cleanup's task ended without an output: it panicked, where tasks may do so alone, or
    /// `spawner` is that of another executor on this thread, which ended while the cleanup ran.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped before its end, or panics, its drop drops what is running, then
    /// starts the cleanup and leaves it to itself. If the cleanup was under way, it goes on. Only
    /// the end of its executor, which drops all tasks where they are, cuts it short. A future that
    /// was never polled has not begun.
    ///
    /// ```
    /// # use core::future::pending;
    /// # use core::time::Duration;
    /// # use miniss_core::{doctest::executor, timer::{Sleep, Timeout}};
    /// # use std::{cell::Cell, rc::Rc};
    /// use miniss_core::combine::FutureExt;
    ///
    /// # let mut executor = executor();
    /// let local = executor.local();
    /// let closed = Rc::new(Cell::new(false));
    /// let flag = closed.clone();
    /// let work = pending::<Result<(), ()>>().finally_on(local, async move || {
    ///     Sleep::new(local, Duration::from_millis(1)).await; // say goodbye, and wait for it
    ///     flag.set(true);
    /// });
    /// executor.block_on(async {
    ///     let cut_short = Timeout::new(local, Duration::from_millis(1), work).await;
    ///     assert!(cut_short.is_err());
    ///     Sleep::new(local, Duration::from_millis(2)).await;
    /// });
    /// assert!(closed.get());
    /// ```
    fn finally_on<T, E, N>(
        self,
        spawner: impl Spawn,
        cleanup: impl FnOnce() -> N,
    ) -> impl Future<Output = Result<T, <N::Output as CleanupOutcome<E>>::Error>>
    where
        Self: Future<Output = Result<T, E>> + Sized,
        N: Future<Output: CleanupOutcome<E> + 'static> + 'static,
    {
        finally::finally_on(self, spawner, cleanup)
    }

    /// Brings the value to `promise`, or fails it with the error. If no one waits for it any more,
    /// the result is dropped.
    ///
    /// # Panics
    ///
    /// If the waker of the promise's waiter does.
    ///
    /// # Cancellation
    ///
    /// Dropping it before its end breaks the promise: the one who waits for it sees that at once.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// # use core::future::ready;
    /// use miniss_core::{Future, combine::FutureExt, error::BrokenPromise};
    ///
    /// let (mut answer, promise) = Future::<u32>::new();
    /// let work = ready(Ok::<_, BrokenPromise>(42)).forward_to(promise);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// # use core::future::Future as _;
    /// assert!(pin!(work).poll(&mut cx).is_ready());
    /// assert_eq!(answer.try_take(), Some(Ok(42)));
    /// ```
    fn forward_to<T, E>(self, promise: Promise<T, E>) -> impl Future<Output = ()>
    where
        Self: Future<Output = Result<T, E>> + Sized,
    {
        convert(self, move |outcome| {
            // What comes back if no one waits any more is dropped, as the waiter would have done.
            match outcome {
                Ok(value) => drop(promise.complete(value)),
                Err(error) => drop(promise.fail(error)),
            }
        })
    }
}

impl<F: Future + ?Sized> FutureExt for F {}
