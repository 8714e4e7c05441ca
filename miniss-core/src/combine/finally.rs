//! A cleanup that runs on success and on failure, and what becomes of its own failure.
//!
//! `[finally] ─▶ chain ─▶ user future ─▶ task`

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
use core::future::Future;
use core::ops::ControlFlow::Continue;

use super::chain::{Chain, convert};

pub(super) fn finally<T, E, N>(
    first: impl Future<Output = Result<T, E>>,
    cleanup: impl FnOnce() -> N,
) -> impl Future<Output = Result<T, <N::Output as CleanupOutcome<E>>::Error>>
where
    N: Future<Output: CleanupOutcome<E>>,
{
    Chain::new(first, |original| {
        Continue(convert(cleanup(), |outcome: N::Output| outcome.after(original)))
    })
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

#[cfg(all(test, not(loom)))]
mod tests;
