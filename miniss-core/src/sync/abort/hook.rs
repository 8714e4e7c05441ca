//! An entry in the list of an abort source: something to do, kept inside its owner.
//!
//! What is to be done is foreign code, and may drop any hook or child source of the tree that is
//! being aborted, its own among them. Therefore an abort takes one action at a time: it moves the
//! action out of the first hook in its list, and looks at neither when it runs that. Then it looks
//! for the first again. Of children nothing is left in the list by then: what waited for them
//! stands there itself.
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

use core::cell::Cell;
use core::pin::Pin;
use core::ptr::NonNull;

use super::source::AbortSource;
use crate::collections::Waiter;

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
    /// "No stops on the way": since this was read from a list no foreign code has run.
    pub(super) unsafe fn run(self, reason: &R) {
        // SAFETY: "Linked means alive" as this was read, and so still: the caller vouches for "No
        // stops on the way". `run` and `cell` were put together for one type.
        unsafe { (self.run)(self.cell, reason) }
    }
}

/// What a hook holds.
pub(super) trait Act<R> {
    fn act(self, reason: &R);
}

/// An action that waits in the list of a source. Dropping it takes it out.
pub(super) struct Hook<'s, R, A: Act<R> + 'static> {
    // Dropped first: "Linked means alive".
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
        // SAFETY: "The hook stays put".
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
