//! A future's entry: a waker.
//!
//! `user future ─▶ [wait] ─▶ hook ─▶ abort`
//!
//! **Pin Invariant.** `hook` is structurally pinned: nothing moves it out of its future, which is
//! not `Unpin` and has no `Drop` of its own.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::hook::{Act, Hook};
use super::source::{AbortSource, Aborted};

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
}

impl<'s, R> WaitAborted<'s, R> {
    pub(super) const fn new(source: &'s AbortSource<R>) -> Self {
        Self { source, hook: Hook::new(source, None) }
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
        this.source.reason().map_or(Poll::Pending, |reason| Poll::Ready(reason.clone()))
    }
}

impl<R> fmt::Debug for WaitAborted<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitAborted").finish_non_exhaustive()
    }
}

/// Wakes a task.
struct Wakes(Waker);

impl<R> Act<R> for Wakes {
    fn act(self, _reason: &R) {
        self.0.wake();
    }
}
