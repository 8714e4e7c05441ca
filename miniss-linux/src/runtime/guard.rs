//! Catches what a task throws: in its poll, and in the destructors that follow.
//!
//! `user future ─▶ [guard] ─▶ task ─▶ executor`
//!
//! A panic in a task reaches its handle and nothing else. The panic hook has printed it by then, as
//! it does for threads.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Payload;

/// A future whose panics become its output.
///
/// Invariant **Dropped once**: `is_dropped` is set before the future's destructor is called, which
/// happens nowhere but in `drop_future`.
pub(crate) struct Guarded<F> {
    future: ManuallyDrop<F>,
    is_dropped: bool,
}

impl<F: Future> Guarded<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: ManuallyDrop::new(future), is_dropped: false }
    }
}

impl<F> Guarded<F> {
    /// Drops the future where it is, whatever its destructor does.
    fn drop_future(&mut self) {
        if !std::mem::replace(&mut self.is_dropped, true) {
            // SAFETY: *Dropped once*. In place, as pinning demands.
            quietly(|| unsafe { ManuallyDrop::drop(&mut self.future) });
        }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Payload>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is not moved: it is polled and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        assert!(!this.is_dropped, "a task was polled after it had ended");
        // SAFETY: as above: it is pinned because we are.
        let future = unsafe { Pin::new_unchecked(&mut *this.future) };
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => {
                this.drop_future();
                Poll::Ready(Ok(output))
            }
            Err(payload) => {
                this.drop_future();
                Poll::Ready(Err(Payload::new(payload)))
            }
        }
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        self.drop_future();
    }
}

/// A [`Guarded`] future whose output is [`Quiet`]: what a spawned task is.
pub(crate) struct QuietTask<F>(Guarded<F>);

impl<F: Future> QuietTask<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Guarded::new(future))
    }
}

impl<F: Future> Future for QuietTask<F> {
    type Output = Quiet<Result<F::Output, Payload>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned because we are; nothing moves it.
        let guarded = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        guarded.poll(cx).map(Quiet::new)
    }
}

/// A value whose destructor may panic without anybody being hurt.
pub(crate) struct Quiet<T>(ManuallyDrop<T>);

impl<T> Quiet<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: *Dropped once*: `this` itself will not be dropped.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Quiet<T> {
    fn drop(&mut self) {
        // SAFETY: *Dropped once*: this is the destructor.
        quietly(|| unsafe { ManuallyDrop::drop(&mut self.0) });
    }
}

/// Runs a destructor, or other code of the user's that nobody waits for. If it panics, the panic
/// hook has said so; what the panic carried is dropped, and if even that panics, it is leaked.
#[inline]
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run))
        && let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(payload)))
    {
        std::mem::forget(again);
    }
}
