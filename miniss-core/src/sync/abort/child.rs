//! A child's entry: a source with a list of its own.
//!
//! # Invariants
//!
//! - **The child stays put.** `link` and `source` are structurally pinned: nothing moves them out
//!   of their `ChildSource`, which is not `Unpin` and has no `Drop` of its own.
//! - **Parents last longer.** A `ChildSource<'p>` borrows its parent for `'p`, and the source in it
//!   is reached only by a reference that is shorter than `'p`.

use core::fmt;
use core::pin::Pin;
use core::ptr::NonNull;

use super::hook::Entry;
use super::source::{AbortSource, Aborted};
use crate::collections::Waiter;

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
    // Dropped first: "Linked means alive" (see `hook`).
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
            // SAFETY: "Parents last longer".
            Some(reason) => unsafe { child.source.inherit(reason) },
            None => {
                child.link.set_payload(Entry::Child(NonNull::from(&child.source)));
                // SAFETY: "The child stays put", and `self` was pinned.
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
