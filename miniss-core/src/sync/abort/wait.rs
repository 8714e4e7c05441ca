//! A future's entry: a waker. And the future of work that goes on until there is a reason to stop.
//!
//! [`UntilAborted`] is written by hand because an `async` block would hold the work twice: once as
//! it was given, and once as it is awaited.
//!
//! **Pin Invariant.** `hook` of [`WaitAborted`] and both fields of [`UntilAborted`] are
//! structurally pinned: they are polled and dropped in place, and nothing moves them out of their
//! future, which is not `Unpin` and has no `Drop` of its own.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use super::hook::{Act, Hook};
use super::source::{AbortSource, Aborted};
use crate::coop::Leaf;

/// The future of [`AbortSource::aborted`]. Once ready it stays ready.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_core::sync::{AbortSource, WaitAborted};
///
/// let source = AbortSource::new();
/// let aborted: WaitAborted<'_> = source.aborted();
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct WaitAborted<'s, R = Aborted> {
    source: &'s AbortSource<R>,
    hook: Hook<'s, R, Wakes>,
    leaf: Leaf,
}

impl<'s, R> WaitAborted<'s, R> {
    pub(super) const fn new(source: &'s AbortSource<R>) -> Self {
        Self { source, hook: Hook::new(source, None), leaf: Leaf::new() }
    }

    /// Keeps `waker` in the hook. Cloning it is foreign code, which may abort, or poll again.
    fn register(self: Pin<&Self>, waker: &Waker) {
        // SAFETY: Pin Invariant.
        unsafe { self.map_unchecked(|wait| &wait.hook) }.link();
        let place = self.hook.action();
        let kept = match place.take() {
            Some(Wakes(mut kept)) => {
                kept.clone_from(waker);
                kept
            }
            None => waker.clone(),
        };
        place.set(Some(Wakes(kept)));
    }
}

impl<R: Clone> Future for WaitAborted<'_, R> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.as_ref();
        if !this.source.is_aborted() {
            this.register(cx.waker());
        }
        // Asked after the waker was cloned, which is foreign code.
        let Some(reason) = this.source.reason() else { return Poll::Pending };
        ready!(this.leaf.poll_proceed(cx));
        Poll::Ready(reason.clone())
    }
}

impl<R> fmt::Debug for WaitAborted<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAborted").finish_non_exhaustive()
    }
}

/// The future of [`AbortSource::run`].
///
/// # Panics
///
/// When polled after it was ready, and when the work panics.
///
/// # Cancellation
///
/// As safe as the work, see [`AbortSource::run`].
///
/// ```
/// use core::future::{Pending, pending};
/// use miniss_core::sync::{AbortSource, UntilAborted};
///
/// let source = AbortSource::new();
/// let work: UntilAborted<'_, Pending<()>> = source.run(pending());
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct UntilAborted<'s, F, R = Aborted> {
    // Both are `None` once it was ready. The work is dropped first.
    future: Option<F>,
    aborted: Option<WaitAborted<'s, R>>,
}

impl<'s, F, R> UntilAborted<'s, F, R> {
    pub(super) const fn new(source: &'s AbortSource<R>, future: F) -> Self {
        Self { future: Some(future), aborted: Some(WaitAborted::new(source)) }
    }

    fn project(
        self: Pin<&mut Self>,
    ) -> (Pin<&mut Option<F>>, Pin<&mut Option<WaitAborted<'s, R>>>) {
        // SAFETY: Pin Invariant.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), Pin::new_unchecked(&mut this.aborted))
        }
    }
}

impl<F: Future, R: Clone> Future for UntilAborted<'_, F, R> {
    type Output = Result<F::Output, R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut future, mut aborted) = self.project();
        let (Some(work), Some(wait)) =
            (future.as_mut().as_pin_mut(), aborted.as_mut().as_pin_mut())
        else {
            panic!("polled after it was ready");
        };
        let outcome = match wait.poll(cx) {
            Poll::Ready(reason) => Err(reason),
            Poll::Pending => Ok(ready!(work.poll(cx))),
        };
        future.set(None);
        aborted.set(None);
        Poll::Ready(outcome)
    }
}

impl<F, R> fmt::Debug for UntilAborted<'_, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilAborted").finish_non_exhaustive()
    }
}

/// Wakes a task.
struct Wakes(Waker);

impl<R> Act<R> for Wakes {
    fn act(self, _reason: &R) {
        self.0.wake();
    }
}
