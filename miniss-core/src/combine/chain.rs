//! Two futures in a row, in the space of the larger one: what every sequential combinator is.
//!
//! An `async` block that takes a future in and awaits it holds it twice, once as a capture and once
//! as the thing awaited, so a chain of `n` such blocks takes room in the order of 2ⁿ. Here the
//! second future takes the place of the first, and a chain of `n` grows by a few words per link.
//!
//! # Invariants
//!
//! - **Stages are pinned.** The future in a stage is polled where it is and dropped where it is. A
//!   stage changes only through `Pin::set`, which drops the old one in place. `Chain` has no
//!   `Drop`, and is `Unpin` only where both futures are.

use core::future::{Future, Pending, ready};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// What follows a first future: the output, or another future that has it.
type Next<S> = ControlFlow<<S as Future>::Output, S>;

/// Runs `first`, gives its output to `link`, and runs the future that comes back, if any.
pub(super) enum Chain<F, L, S> {
    First { future: F, link: Option<L> },
    Second { future: S },
    Done,
}

impl<F, L, S> Chain<F, L, S>
where
    F: Future,
    L: FnOnce(F::Output) -> Next<S>,
    S: Future,
{
    pub(super) const fn new(first: F, link: L) -> Self {
        Self::First { future: first, link: Some(link) }
    }

    /// A chain whose first future is behind it.
    pub(super) const fn second(second: S) -> Self {
        Self::Second { future: second }
    }

    /// Polls the first future and, when it is ready, puts in its place what follows.
    fn poll_first(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Output>> {
        // SAFETY: *Stages are pinned*: only `link`, which is not pinned, is moved out of.
        let Self::First { future, link } = (unsafe { self.as_mut().get_unchecked_mut() }) else {
            return Poll::Ready(None);
        };
        // SAFETY: *Stages are pinned*: `future` is polled in its place inside a pinned chain.
        let output = ready!(unsafe { Pin::new_unchecked(future) }.poll(cx));
        let link = link.take();
        // The first future goes before the link runs: what it held is free for what follows.
        self.set(Self::Done);
        match link.map(|link| link(output)) {
            None => panic!("{POLLED_AGAIN}"),
            Some(ControlFlow::Break(output)) => Poll::Ready(Some(output)),
            Some(ControlFlow::Continue(future)) => {
                self.set(Self::Second { future });
                Poll::Ready(None)
            }
        }
    }

    fn poll_second(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Output> {
        // SAFETY: *Stages are pinned*: nothing is moved out of the stage.
        let Self::Second { future } = (unsafe { self.as_mut().get_unchecked_mut() }) else {
            panic!("{POLLED_AGAIN}");
        };
        // SAFETY: *Stages are pinned*: `future` is polled in its place inside a pinned chain.
        let output = ready!(unsafe { Pin::new_unchecked(future) }.poll(cx));
        self.set(Self::Done);
        Poll::Ready(output)
    }
}

impl<F, L, S> Future for Chain<F, L, S>
where
    F: Future,
    L: FnOnce(F::Output) -> Next<S>,
    S: Future,
{
    type Output = S::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Output> {
        match ready!(self.as_mut().poll_first(cx)) {
            Some(output) => Poll::Ready(output),
            None => self.poll_second(cx),
        }
    }
}

const POLLED_AGAIN: &str = "polled after it was ready, or after it panicked";

/// A chain of one future, whose output goes through `f`.
pub(super) fn convert<F: Future, R>(
    future: F,
    f: impl FnOnce(F::Output) -> R,
) -> impl Future<Output = R> {
    Chain::<_, _, Pending<R>>::new(future, |output| ControlFlow::Break(f(output)))
}

/// The future that `make` returns, made at the first poll, in the place of what `make` captured.
pub(super) fn on_first_poll<S: Future>(
    make: impl FnOnce() -> S,
) -> impl Future<Output = S::Output> {
    Chain::new(ready(()), |()| ControlFlow::Continue(make()))
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
