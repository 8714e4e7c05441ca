//! Going on after a future: with its value, or with its outcome.

#![forbid(unsafe_code)]

use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};

use super::chain::{Chain, convert};

pub(super) fn then<T, E, U, N>(
    first: impl Future<Output = Result<T, E>>,
    f: impl FnOnce(T) -> N,
) -> impl Future<Output = Result<U, E>>
where
    N: Future<Output = Result<U, E>>,
{
    Chain::new(first, |outcome| match outcome {
        Ok(value) => Continue(f(value)),
        Err(error) => Break(Err(error)),
    })
}

pub(super) fn map<T, E, U>(
    first: impl Future<Output = Result<T, E>>,
    f: impl FnOnce(T) -> U,
) -> impl Future<Output = Result<U, E>> {
    convert(first, |outcome| outcome.map(f))
}

pub(super) fn map_err<T, E, D>(
    first: impl Future<Output = Result<T, E>>,
    f: impl FnOnce(E) -> D,
) -> impl Future<Output = Result<T, D>> {
    convert(first, |outcome| outcome.map_err(f))
}

pub(super) fn then_wrapped<F: Future, N: Future>(
    first: F,
    f: impl FnOnce(F::Output) -> N,
) -> impl Future<Output = N::Output> {
    Chain::new(first, |outcome| Continue(f(outcome)))
}
