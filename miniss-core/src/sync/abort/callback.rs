//! A closure's entry.
//!
//! **Pin Invariant.** `hook` is structurally pinned: nothing moves it out of its guard, which is
//! not `Unpin` and has no `Drop` of its own.
//!
//! The closure must be `'static`. A guard that is leaked stays registered; its memory is pinned and
//! so stays too, but what the closure borrowed would not.

use core::fmt;
use core::pin::Pin;

use super::hook::{Act, Hook};
use super::source::AbortSource;

/// A closure that an abort runs, from [`AbortSource::on_abort`]. Dropping it takes the closure
/// back.
///
/// ```
/// # use core::{cell::Cell, pin::pin};
/// use miniss_core::sync::{AbortSource, Aborted};
///
/// # let calls: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0)));
/// let source = AbortSource::new();
/// {
///     let callback = pin!(source.on_abort(|_: &Aborted| calls.set(1)));
///     callback.as_ref().register();
/// }
/// source.abort(Aborted);
/// assert_eq!(calls.get(), 0, "it was dropped before the abort");
/// ```
#[must_use = "a callback does nothing unless registered"]
pub struct OnAbort<'s, R, F: FnOnce(&R) + 'static> {
    source: &'s AbortSource<R>,
    hook: Hook<'s, R, Calls<F>>,
}

impl<'s, R, F: FnOnce(&R) + 'static> OnAbort<'s, R, F> {
    pub(super) const fn new(source: &'s AbortSource<R>, callback: F) -> Self {
        Self { source, hook: Hook::new(source, Some(Calls(callback))) }
    }

    /// Joins the callbacks of the source. If that is aborted already, the closure runs at once.
    /// It runs once at most, and a second call changes nothing.
    ///
    /// # Panics
    ///
    /// If the closure runs at once and panics.
    ///
    /// ```
    /// # use core::{cell::Cell, pin::pin};
    /// use miniss_core::sync::AbortSource;
    ///
    /// # let seen: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0)));
    /// let source = AbortSource::new();
    /// source.abort(7);
    /// let late = pin!(source.on_abort(|reason| seen.set(*reason)));
    /// late.as_ref().register();
    /// assert_eq!(seen.get(), 7);
    /// ```
    pub fn register(self: Pin<&Self>) {
        match self.source.reason() {
            Some(reason) => {
                let callback = self.hook.action().take();
                callback.into_iter().for_each(|callback| callback.act(reason));
            }
            // SAFETY: Pin Invariant.
            None => unsafe { self.map_unchecked(|guard| &guard.hook) }.link(),
        }
    }
}

impl<R, F: FnOnce(&R) + 'static> fmt::Debug for OnAbort<'_, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnAbort").finish_non_exhaustive()
    }
}

/// Calls a closure.
struct Calls<F>(F);

impl<R, F: FnOnce(&R)> Act<R> for Calls<F> {
    fn act(self, reason: &R) {
        (self.0)(reason);
    }
}
