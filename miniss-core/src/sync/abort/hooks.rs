//! Entries in the list of an abort source: something to do, kept inside its owner.
//!
//! There are three kinds: the waker of a future, a closure, and a child with a list of its own.
//!
//! What is to be done is foreign code, and may drop any hook or child source of the tree that is
//! being aborted, its own among them. Therefore an abort takes one action at a time: it moves the
//! action out of the first hook in its list, and looks at neither when it runs that. Then it looks
//! for the first again. Of children nothing is left in the list by then: what waited for them
//! stands there itself.
//!
//! A closure must be `'static`. A guard that is leaked stays registered; its memory is pinned and
//! so stays too, but what the closure borrowed would not.
//!
//! [`UntilAborted`] is written by hand because an `async` block would hold the work twice: once as
//! it was given, and once as it is awaited.
//!
//! # Invariants
//!
//! - **Linked means alive.** An [`Entry`] is in a list only as long as its waiter is, which lies in
//!   the same pinned struct as what the entry points to and is dropped before it. Pinned memory
//!   that is leaked instead stays as it is, and holds nothing that is borrowed: actions are
//!   `'static`, and a child whose parent is gone is not reached from it any more.
//! - **No stops on the way.** Between reading an entry and having moved its action out runs no code
//!   but this module's and the list's, and no waker is ever registered in the list.
//! - **The hook stays put.** `waiter` and `action` are structurally pinned: nothing moves them out
//!   of their [`Hook`], which is not `Unpin`, and has no `Drop` of its own.
//! - **The child stays put.** `link` and `source` are structurally pinned: nothing moves them out
//!   of their [`ChildSource`], which is not `Unpin` and has no `Drop` of its own.
//! - **Pin Invariant.** `hook` of [`WaitAborted`] and of [`OnAbort`], and both fields of
//!   [`UntilAborted`], are structurally pinned: they are polled and dropped in place, and nothing
//!   moves them out. None of the three has a `Drop` of its own, and the first two are not `Unpin`.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker, ready};

use super::{AbortSource, Aborted};
use crate::collections::Waiter;
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
        // SAFETY: *Pin Invariant*.
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
        // SAFETY: *Pin Invariant*.
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
        let source = wait.source;
        let outcome = match wait.poll(cx) {
            Poll::Ready(reason) => Err(reason),
            // The budget is used up, no more.
            Poll::Pending if source.is_aborted() => return Poll::Pending,
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
            // SAFETY: *Pin Invariant*.
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

/// A source that is aborted with its parent, from [`AbortSource::child`]. Dropping it takes it out
/// of the parent.
///
/// ```
/// # use core::pin::pin;
/// use miniss_core::sync::{AbortSource, Aborted, ChildSource};
///
/// fn part_of_the_work(source: &AbortSource) {
///     let part: core::pin::Pin<&mut ChildSource<'_>> = pin!(source.child());
///     let part: &AbortSource = part.as_ref().source();
///     part.abort(Aborted);
/// }
/// let source = AbortSource::new();
/// part_of_the_work(&source);
/// assert!(!source.is_aborted());
/// ```
#[must_use = "a child is aborted with its parent for as long as it is kept"]
pub struct ChildSource<'p, R = Aborted> {
    // Dropped first: *Linked means alive* .
    link: Waiter<'p, Entry<R>>,
    parent: &'p AbortSource<R>,
    source: AbortSource<R>,
}

impl<'p, R> ChildSource<'p, R> {
    pub(super) fn new(parent: &'p AbortSource<R>) -> Self {
        let link = Waiter::new(parent.hooks(), Entry::Unlinked);
        Self { link, parent, source: AbortSource::new() }
    }

    /// The source itself, linked to its parent from the first call on.
    ///
    /// ```
    /// # use core::pin::pin;
    /// use miniss_core::sync::{AbortSource, Aborted};
    ///
    /// let parent = AbortSource::new();
    /// let child = pin!(parent.child());
    /// let child = child.as_ref().source();
    /// parent.abort(Aborted);
    /// assert!(child.is_aborted());
    /// ```
    pub fn source(self: Pin<&Self>) -> &AbortSource<R> {
        let child = self.get_ref();
        match child.parent.reason() {
            _ if child.source.is_aborted() => {}
            // SAFETY: *Parents last longer*.
            Some(reason) => unsafe { child.source.inherit(reason) },
            None => {
                child.link.set_payload(Entry::Child(NonNull::from(&child.source)));
                // SAFETY: *The child stays put*, and `self` was pinned.
                unsafe { Pin::new_unchecked(&child.link) }.enqueue();
            }
        }
        &child.source
    }
}

impl<R: fmt::Debug> fmt::Debug for ChildSource<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildSource").field(&self.source).finish()
    }
}

/// What an abort finds in its list.
pub(super) enum Entry<R> {
    /// The action of a hook.
    Action(Action<R>),
    /// A child with a list of its own.
    Child(NonNull<AbortSource<R>>),
    /// Not in a list.
    Unlinked,
}

impl<R> Clone for Entry<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Entry<R> {}

/// The way to an action whose type is forgotten.
pub(super) struct Action<R> {
    cell: NonNull<()>,
    /// Moves the action out of its cell and runs it.
    run: unsafe fn(NonNull<()>, &R),
}

impl<R> Clone for Action<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Action<R> {}

impl<R> Action<R> {
    /// Moves the action out of its hook and runs it.
    ///
    /// # Safety
    ///
    /// *No stops on the way*: since this was read from a list no foreign code has run.
    pub(super) unsafe fn run(self, reason: &R) {
        // SAFETY: *Linked means alive* as this was read, and so still: the caller vouches for
        // *No stops on the way*. `run` and `cell` were put together for one type.
        unsafe { (self.run)(self.cell, reason) }
    }
}

/// What a hook holds.
pub(super) trait Act<R> {
    fn act(self, reason: &R);
}

/// An action that waits in the list of a source. Dropping it takes it out.
pub(super) struct Hook<'s, R, A: Act<R> + 'static> {
    // Dropped first: *Linked means alive*.
    waiter: Waiter<'s, Entry<R>>,
    action: Cell<Option<A>>,
}

impl<'s, R, A: Act<R> + 'static> Hook<'s, R, A> {
    pub(super) const fn new(source: &'s AbortSource<R>, action: Option<A>) -> Self {
        let waiter = Waiter::new(source.hooks(), Entry::Unlinked);
        Self { waiter, action: Cell::new(action) }
    }

    /// Joins the list of the source, unless it is there already.
    pub(super) fn link(self: Pin<&Self>) {
        let action = Action { cell: NonNull::from(&self.action).cast(), run: run::<R, A> };
        self.waiter.set_payload(Entry::Action(action));
        // SAFETY: *The hook stays put*.
        unsafe { self.map_unchecked(|hook| &hook.waiter) }.enqueue();
    }

    pub(super) const fn action(&self) -> &Cell<Option<A>> {
        &self.action
    }
}

/// Moves the action out of `cell` and runs it.
///
/// # Safety
///
/// `cell` leads to a live `Cell<Option<A>>`.
unsafe fn run<R, A: Act<R>>(cell: NonNull<()>, reason: &R) {
    // SAFETY: by contract. The reference is gone before the action runs.
    let action = unsafe { cell.cast::<Cell<Option<A>>>().as_ref() }.take();
    if let Some(action) = action {
        action.act(reason);
    }
}
