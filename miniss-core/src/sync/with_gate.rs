//! Work inside a gate.
//!
//! Written by hand because an `async` block would hold the work twice: once as it was given, and
//! once as it is awaited.
//!
//! # Invariants
//!
//! - **The work stays put.** `future` is structurally pinned: it is polled and dropped in place and
//!   never moved out. [`WithGate`] has no `Drop` and is `Unpin` only if the work is.
//! - **The work goes first.** `future` is dropped before `pass`, at the end as at a cancellation:
//!   when the gate is left, nothing of the work is left inside.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::{Closed, Gate, GatePass};
use crate::coop::Leaf;

/// The future of [`Gate::with`].
///
/// # Panics
///
/// When polled after it was ready, and when the work panics.
///
/// # Cancellation
///
/// As safe as the work, see [`Gate::with`].
///
/// ```
/// use core::future::{Pending, pending};
/// use miniss_core::sync::{Gate, WithGate};
///
/// let gate = Gate::new();
/// let work: WithGate<'_, Pending<()>> = gate.with(pending());
/// assert_eq!(gate.count(), 1);
/// drop(work);
/// assert_eq!(gate.count(), 0);
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct WithGate<'a, F> {
    /// `None` once it was ready. "The work goes first": the order of the fields matters.
    future: Option<F>,
    pass: Option<GatePass<'a>>,
    /// For the answer that needs no work.
    leaf: Leaf,
}

impl<'a, F> WithGate<'a, F> {
    pub(super) fn new(gate: &'a Gate, future: F) -> Self {
        Self { future: Some(future), pass: gate.enter().ok(), leaf: Leaf::new() }
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut Option<F>>, &mut Option<GatePass<'a>>, &Leaf) {
        // SAFETY: "The work stays put": `future` is pinned again at once, and the others have no
        // need to be.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.pass, &this.leaf)
        }
    }
}

impl<F: Future> Future for WithGate<'_, F> {
    type Output = Result<F::Output, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut future, pass, leaf) = self.project();
        let work = future.as_mut().as_pin_mut().expect("polled after it was ready");
        let outcome = match pass {
            Some(_) => Ok(ready!(work.poll(cx))),
            None => {
                ready!(leaf.poll_proceed(cx));
                Err(Closed)
            }
        };
        future.set(None);
        *pass = None;
        Poll::Ready(outcome)
    }
}

impl<F> fmt::Debug for WithGate<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithGate").field("inside", &self.pass.is_some()).finish_non_exhaustive()
    }
}
