//! A cleanup that runs on success, on failure and on cancellation, and what becomes of its own
//! failure.
//!
//! The cleanup is *armed* at the first poll of the body and lies beside it in the chain. When the
//! body ends, the chain starts it; when the chain is dropped before that, or the body's poll
//! unwinds, the drop of what is armed starts it, after that of the body.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};
use core::pin::pin;
use core::task::{Context, Waker};

use super::chain::{Chain, convert, on_first_poll};
use crate::coop::unconstrained;
use crate::error::{Cancelled, SpawnError};
use crate::executor::{JoinHandle, LocalHandle};
use crate::reactor::Unpark;

pub(super) fn finally<T, E, N>(
    first: impl Future<Output = Result<T, E>>,
    cleanup: impl FnOnce() -> N,
) -> impl Future<Output = Result<T, <N::Output as CleanupOutcome<E>>::Error>>
where
    N: Future<Output: CleanupOutcome<E>>,
{
    on_first_poll(move || {
        let armed = Armed { cleanup: Some(cleanup) };
        // The chain owns both: it drops the body, if that has not ended, and then what is armed.
        Chain::new(first, move |original| {
            Continue(convert(armed.start(), |outcome: N::Output| outcome.after(original)))
        })
    })
}

pub(super) fn finally_on<T, E, N>(
    first: impl Future<Output = Result<T, E>>,
    spawner: impl Spawn,
    cleanup: impl FnOnce() -> N,
) -> impl Future<Output = Result<T, <N::Output as CleanupOutcome<E>>::Error>>
where
    N: Future<Output: CleanupOutcome<E> + 'static> + 'static,
{
    finally(first, move || start_on(&spawner, cleanup()))
}

/// `cleanup` as a task, or here if it cannot be spawned.
fn start_on<S: Spawn, N>(spawner: &S, cleanup: N) -> impl Future<Output = N::Output> + use<S, N>
where
    N: Future<Output: 'static> + 'static,
{
    let ended = |outcome: Result<N::Output, S::Ended>| {
        Break(outcome.expect("the task of a cleanup was ended before the cleanup"))
    };
    match spawner.try_spawn(cleanup) {
        Ok(task) => Chain::new(task, ended),
        Err(cleanup) => Chain::second(cleanup),
    }
}

/// A cleanup that is due from now on: by [`start`](Self::start), or else by dropping this.
struct Armed<N: Future, C: FnOnce() -> N> {
    cleanup: Option<C>,
}

impl<N: Future, C: FnOnce() -> N> Armed<N, C> {
    fn start(mut self) -> N {
        let cleanup = self.cleanup.take().expect("only `start` and the drop take it");
        cleanup()
    }
}

impl<N: Future, C: FnOnce() -> N> Drop for Armed<N, C> {
    /// No one is there who could wait: the cleanup goes as far as its first wait.
    fn drop(&mut self) {
        if let Some(cleanup) = self.cleanup.take() {
            // It is polled this once: no leaf of it may give way.
            let _cut_short =
                pin!(unconstrained(cleanup())).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// A handle to the executor on this thread that starts tasks there.
///
/// [`LocalHandle`] is one; a port whose executor can be found from anywhere on its thread may offer
/// one that holds nothing.
///
/// ```
/// use core::future::Future;
/// use miniss_core::combine::Spawn;
///
/// /// Starts `work` and does not wait for it; whether it was started.
/// fn fire(spawner: &impl Spawn, work: impl Future<Output = ()> + 'static) -> bool {
///     spawner.try_spawn(work).is_ok()
/// }
/// # let mut executor = miniss_core::doctest::executor();
/// # assert!(fire(&executor.local(), async {}));
/// ```
pub trait Spawn {
    /// Why a task ended without an output.
    type Ended: fmt::Debug;
    /// Waits for the output of a task. Dropping it detaches the task, which goes on.
    type Task<T: 'static>: Future<Output = Result<T, Self::Ended>> + Unpin;

    /// Starts `future` as a task of its own.
    ///
    /// # Errors
    ///
    /// The future itself, never polled, if the executor is ending or has no room for it, or if its
    /// output is over 1024 bytes.
    #[track_caller]
    fn try_spawn<F>(&self, future: F) -> Result<Self::Task<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static;

    /// Asks for the future of a task to be dropped. A task that has ended keeps its output.
    fn abort<T: 'static>(task: &Self::Task<T>);

    /// What is said of a task that the executor did not start.
    fn refused() -> Self::Ended;
}

impl<U: Unpark> Spawn for LocalHandle<U> {
    type Ended = Cancelled;
    type Task<T: 'static> = JoinHandle<T>;

    fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static,
    {
        match self.reserve() {
            Ok(room) => Ok(room.spawn(future)),
            Err(SpawnError::TooLarge) => spawn_boxed(self, future),
            Err(_) => Err(future),
        }
    }

    fn abort<T: 'static>(task: &JoinHandle<T>) {
        task.abort();
    }

    fn refused() -> Cancelled {
        Cancelled
    }
}

#[cfg(feature = "alloc")]
fn spawn_boxed<U: Unpark, F>(local: &LocalHandle<U>, future: F) -> Result<JoinHandle<F::Output>, F>
where
    F: Future<Output: 'static> + 'static,
{
    use alloc::boxed::Box;

    match local.reserve::<core::pin::Pin<Box<F>>>() {
        Ok(room) => Ok(room.spawn(Box::pin(future))),
        Err(_) => Err(future),
    }
}

#[cfg(not(feature = "alloc"))]
fn spawn_boxed<U: Unpark, F: Future>(
    _local: &LocalHandle<U>,
    future: F,
) -> Result<JoinHandle<F::Output>, F> {
    Err(future)
}

/// What a cleanup may return: `()` where it cannot fail, or a `Result<(), C>`.
///
/// ```
/// use miniss_core::combine::{CleanupOutcome, FinallyError};
///
/// let original: Result<u32, &str> = Err("no file");
/// assert_eq!(().after(original), Err("no file"));
/// assert_eq!(Ok::<(), u8>(()).after(original), Err(FinallyError::Body("no file")));
/// ```
pub trait CleanupOutcome<E> {
    /// How work that fails with `E` can fail once it is followed by this cleanup.
    type Error;

    /// The outcome of both.
    ///
    /// # Errors
    ///
    /// Fails if `original` or the cleanup failed.
    ///
    /// ```
    /// # use miniss_core::combine::CleanupOutcome;
    /// assert_eq!(().after(Ok::<_, ()>(3)), Ok(3));
    /// ```
    fn after<T>(self, original: Result<T, E>) -> Result<T, Self::Error>;
}

impl<E> CleanupOutcome<E> for () {
    type Error = E;

    fn after<T>(self, original: Result<T, E>) -> Result<T, E> {
        original
    }
}

impl<E, C> CleanupOutcome<E> for Result<(), C> {
    type Error = FinallyError<E, C>;

    fn after<T>(self, original: Result<T, E>) -> Result<T, FinallyError<E, C>> {
        match (original, self) {
            (Ok(value), Ok(())) => Ok(value),
            (Err(error), Ok(())) => Err(FinallyError::Body(error)),
            (Ok(_), Err(cleanup)) => Err(FinallyError::Cleanup(cleanup)),
            (Err(body), Err(cleanup)) => Err(FinallyError::Both { body, cleanup }),
        }
    }
}

/// What failed in [`finally`](super::FutureExt::finally): the work, its cleanup, or both.
///
/// As an [`Error`], `Body` and `Cleanup` are their error. `Both` shows the cleanup's error, which
/// came last, and has the body's as its source.
///
/// ```
/// use miniss_core::combine::FinallyError;
///
/// let both = FinallyError::Both { body: "no answer", cleanup: "close failed" };
/// assert_eq!((both.body(), both.cleanup()), (Some(&"no answer"), Some(&"close failed")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FinallyError<E, C> {
    /// The work failed and its cleanup succeeded.
    Body(E),
    /// The work succeeded, but its cleanup failed. The value is lost.
    Cleanup(C),
    /// The work failed, then its cleanup.
    Both {
        /// The error of the work, which came first.
        body: E,
        /// The error of the cleanup.
        cleanup: C,
    },
}

impl<E, C> FinallyError<E, C> {
    /// The error of the work, if that failed.
    ///
    /// ```
    /// # use miniss_core::combine::FinallyError;
    /// assert_eq!(FinallyError::<_, ()>::Body(1).body(), Some(&1));
    /// ```
    pub const fn body(&self) -> Option<&E> {
        match self {
            Self::Body(body) | Self::Both { body, .. } => Some(body),
            Self::Cleanup(_) => None,
        }
    }

    /// The error of the cleanup, if that failed.
    ///
    /// ```
    /// # use miniss_core::combine::FinallyError;
    /// assert_eq!(FinallyError::<_, ()>::Body(1).cleanup(), None);
    /// ```
    pub const fn cleanup(&self) -> Option<&C> {
        match self {
            Self::Cleanup(cleanup) | Self::Both { cleanup, .. } => Some(cleanup),
            Self::Body(_) => None,
        }
    }
}

impl<E: fmt::Display, C: fmt::Display> fmt::Display for FinallyError<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(body) => body.fmt(f),
            Self::Cleanup(cleanup) => cleanup.fmt(f),
            Self::Both { cleanup, .. } => write!(f, "{cleanup}, in the cleanup after an error"),
        }
    }
}

impl<E: Error + 'static, C: Error + 'static> Error for FinallyError<E, C> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(body) => body.source(),
            Self::Cleanup(cleanup) => cleanup.source(),
            Self::Both { body, .. } => Some(body),
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
