//! Catches the panics of tasks: in a poll, and in the destructors that follow.
//!
//! A panic in a task reaches its handle and nothing else. The panic hook has printed it by then, as
//! it does for threads.

use std::any::Any;
use std::future::Future;
use std::mem::{self, ManuallyDrop};
#[cfg(debug_assertions)]
use std::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use miniss_core::unobserved::{self, Source};

use crate::error::{NamedPanic, Payload};
#[cfg(debug_assertions)]
use crate::stall::polls;
use crate::stall::polls_named;

/// A future whose panics become its output; it takes no more memory than the future, but in debug
/// builds, where it keeps its spawn site. Each spawned task is one. Its destructor does not panic,
/// either.
pub(crate) struct Guarded<F> {
    future: Quiet<F>,
    #[cfg(debug_assertions)]
    spawned_at: &'static Location<'static>,
}

impl<F: Future> Guarded<F> {
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Quiet::new(future),
            #[cfg(debug_assertions)]
            spawned_at: Location::caller(),
        }
    }

    pub(crate) fn into_inner(self) -> F {
        self.future.into_inner()
    }

    /// The same task of another future.
    pub(crate) fn map<G>(self, change: impl FnOnce(F) -> G) -> Guarded<G> {
        Guarded {
            future: Quiet::new(change(self.future.into_inner())),
            #[cfg(debug_assertions)]
            spawned_at: self.spawned_at,
        }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Quiet<Result<F::Output, Payload>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        #[cfg(debug_assertions)]
        let _polled = polls::<F>(self.spawned_at);
        // SAFETY: the future is pinned because we are: it is polled and dropped in place.
        let future = unsafe { self.map_unchecked_mut(|this| &mut *this.future.0) };
        let outcome = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(Payload::new(payload)),
        };
        Poll::Ready(Quiet::new(outcome))
    }
}

/// The future of a task that has a name. Only a [`Guarded`] has one in it: it tells its panics as a
/// [`NamedPanic`].
pub(crate) struct Named<F> {
    name: &'static str,
    future: F,
}

impl<F> Named<F> {
    pub(crate) fn new(name: &'static str, future: F) -> Self {
        Self { name, future }
    }
}

impl<F: Future> Future for Named<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let name = self.name;
        let _polled = polls_named(name);
        // SAFETY: the future is pinned because we are: it is polled and dropped in place.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
            .unwrap_or_else(|payload| resume_unwind(Box::new(NamedPanic { name, payload })))
    }
}

/// A value whose destructor may panic: the panic is caught and reported.
///
/// Invariant **Dropped once**: its destructor is called by ours and nowhere else.
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

/// Calls `last` when the result is dropped, also when a panic unwinds, unless that was
/// [disarmed](Defer::disarm).
#[inline]
pub(crate) fn defer<F: FnMut()>(last: F) -> Defer<F> {
    Defer(last)
}

/// What [`defer`] returns.
#[must_use = "without a name it is dropped, and called, at once"]
pub(crate) struct Defer<F: FnMut()>(F);

impl<F: FnMut()> Defer<F> {
    /// Does not call the closure after all. What the closure owns is forgotten: it owns nothing
    /// that has to be dropped.
    #[inline]
    pub(crate) fn disarm(self) {
        const { assert!(!mem::needs_drop::<F>()) };
        mem::forget(self);
    }
}

impl<F: FnMut()> Drop for Defer<F> {
    #[inline]
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs a destructor, or other code of the user's that no one waits for. If it panics, that is
/// reported as a failure that was not [observed](miniss_core::unobserved).
#[inline]
pub(crate) fn quietly(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        report(payload);
    }
}

/// Drops what a panic carried, and reports it.
#[cold]
fn report(payload: Box<dyn Any + Send>) {
    silently(move || {
        drop(payload);
        unobserved::report(Source::Destructor, "panic");
    });
}

/// As [`quietly`], for code that reports: its own panics are not reported again. What a panic
/// carried is leaked if its destructor panics.
pub(crate) fn silently(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run))
        && let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(payload)))
    {
        mem::forget(again);
    }
}
