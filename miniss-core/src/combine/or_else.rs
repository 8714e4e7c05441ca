//! Going on after an error, after any or after some.

#![forbid(unsafe_code)]

use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};

use super::chain::Chain;

pub(super) fn or_else<T, E, D, N>(
    first: impl Future<Output = Result<T, E>>,
    f: impl FnOnce(E) -> N,
) -> impl Future<Output = Result<T, D>>
where
    N: Future<Output = Result<T, D>>,
{
    Chain::new(first, |outcome| match outcome {
        Ok(value) => Break(Ok(value)),
        Err(error) => Continue(f(error)),
    })
}

pub(super) fn handle_error_if<T, E, N>(
    first: impl Future<Output = Result<T, E>>,
    matches: impl FnOnce(&E) -> bool,
    f: impl FnOnce(E) -> N,
) -> impl Future<Output = Result<T, E>>
where
    N: Future<Output = Result<T, E>>,
{
    Chain::new(first, |outcome| match outcome {
        Err(error) if matches(&error) => Continue(f(error)),
        passed => Break(passed),
    })
}
