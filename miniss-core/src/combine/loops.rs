//! Loops that give way to the others, and a value that lives as long as the work on it.

#![forbid(unsafe_code)]

use core::future::Future;
use core::ops::ControlFlow;

use super::yield_now::{TurnBudget, maybe_yield};

/// Calls `body` again and again, one call after the other, until it breaks off with a value.
///
/// Between two calls it gives way if the time of the turn is used up, as [`maybe_yield`] does. For
/// a body that may fail, break off with a `Result`. Seastar's `repeat` and `repeat_until_value`;
/// with a body that only ever continues, `keep_doing`.
///
/// # Cancellation
///
/// Dropping it drops the call of `body` that is under way.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::ops::ControlFlow::{Break, Continue};
/// use miniss_core::combine::repeat;
///
/// let mut executor = executor();
/// let mut left = 100_000;
/// let counting = repeat(executor.local(), async || {
///     left -= 1;
///     if left == 0 { Break("done") } else { Continue(()) }
/// });
/// assert_eq!(executor.block_on(counting), "done");
/// assert!(executor.local().stats().turns > 1, "the others had their turns meanwhile");
/// ```
// A block where an `async fn` would do: it uses its captures in place.
#[allow(clippy::manual_async_fn)]
pub fn repeat<T>(
    budget: impl TurnBudget,
    mut body: impl AsyncFnMut() -> ControlFlow<T>,
) -> impl Future<Output = T> {
    async move {
        loop {
            if let ControlFlow::Break(value) = body().await {
                return value;
            }
            maybe_yield(&budget).await;
        }
    }
}

/// Calls `body` again and again, one call after the other, until `stop` is true, which is asked
/// before each call, or a call fails.
///
/// Between two calls it gives way if the time of the turn is used up, as [`maybe_yield`] does.
///
/// # Errors
///
/// That of the call that failed. There is none after it.
///
/// # Cancellation
///
/// Dropping it drops the call of `body` that is under way.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::cell::Cell;
/// use miniss_core::combine::do_until;
///
/// let mut executor = executor();
/// let sum = Cell::new(0);
/// let adding = do_until(executor.local(), || sum.get() >= 100, async || {
///     sum.set(sum.get() + 7);
///     Ok::<(), ()>(())
/// });
/// executor.block_on(adding).unwrap();
/// assert_eq!(sum.get(), 105);
/// ```
// A block where an `async fn` would do: it uses its captures in place.
#[allow(clippy::manual_async_fn)]
pub fn do_until<E>(
    budget: impl TurnBudget,
    mut stop: impl FnMut() -> bool,
    mut body: impl AsyncFnMut() -> Result<(), E>,
) -> impl Future<Output = Result<(), E>> {
    async move {
        while !stop() {
            body().await?;
            maybe_yield(&budget).await;
        }
        Ok(())
    }
}

/// Keeps `value` alive while `body` works on it, and drops it when `body` has finished.
///
/// In Seastar this is how a continuation chain borrows a value. Here an `async` block owns what it
/// uses, and does the same without a name; this is for ported code.
///
/// # Cancellation
///
/// Dropping it drops `body` where it stands, then `value`.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use miniss_core::combine::do_with;
///
/// let counted = do_with(vec![1, 2], async |list| {
///     list.push(3);
///     list.len()
/// });
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(counted).poll(&mut cx), Poll::Ready(3));
/// ```
// A block where an `async fn` would do: it uses its captures in place, so it holds the value once,
// while an `async fn` holds each argument twice.
#[allow(clippy::manual_async_fn)]
pub fn do_with<V, R>(mut value: V, body: impl AsyncFnOnce(&mut V) -> R) -> impl Future<Output = R> {
    async move { body(&mut value).await }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod do_with_tests;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
