//! Tokens that are cancelled, in a tree: an [`AbortSource`] that is shared by an `Rc`, and that
//! keeps its parents.
//!
//! # Invariants
//!
//! - **A token keeps its parents.** The link of a node borrows the source of its parent, as if
//!   that were `'static`. The node has a share in its parent, which it gives up after the link is
//!   gone; and no reference of that length leaves this file.
//! - **The token stays put.** A node is made in its `Rc`, pinned, and nothing moves it out.

use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr;

use super::{AbortSource, Aborted, ChildSource};

/// Tells tasks of one core to stop. Its clones are the same token; a
/// [child](Self::child_token) is cancelled with its parent, or alone.
///
/// It is an [`AbortSource`] in a shape that tasks can own. Where there is a reason to tell, or no
/// heap, use that. It does not leave its core: for tasks elsewhere, send word by a call or a
/// channel, and cancel a token there.
///
/// Needs the `alloc` feature.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::future::pending;
/// use miniss_core::sync::CancellationToken;
///
/// # let mut executor = executor();
/// let server = CancellationToken::new();
/// let connection = server.child_token();
/// let task = executor.local().spawn(async move {
///     connection.run_until_cancelled(pending::<()>()).await
/// });
/// server.cancel();
/// assert_eq!(executor.block_on(task.unwrap()), Ok(None));
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    node: Pin<Rc<Node>>,
}

struct Node {
    kind: Kind,
    /// `None` in a root.
    parent: Option<Pin<Rc<Node>>>,
}

enum Kind {
    Root(AbortSource),
    Child(ChildSource<'static>),
}

impl Node {
    fn source(self: Pin<&Self>) -> &AbortSource {
        match &self.get_ref().kind {
            Kind::Root(source) => source,
            // SAFETY: *The token stays put*.
            Kind::Child(child) => unsafe { Pin::new_unchecked(child) }.source(),
        }
    }
}

impl Drop for Node {
    /// A long row of parents ends one after the other, and not each within the one before.
    fn drop(&mut self) {
        // The link goes, and then the share in the parent.
        self.kind = Kind::Root(AbortSource::new());
        let mut next = self.parent.take();
        while let Some(parent) = next {
            // SAFETY: *The token stays put*: what is moved out of it is its share in its parent.
            let mut parent = unsafe { Pin::into_inner_unchecked(parent) };
            next = Rc::get_mut(&mut parent).and_then(|parent| parent.parent.take());
            // If it ends here, `next` keeps what its link leads to.
            drop(parent);
        }
    }
}

impl CancellationToken {
    /// A token that no one has cancelled.
    pub fn new() -> Self {
        Self::of(Kind::Root(AbortSource::new()), None)
    }

    fn of(kind: Kind, parent: Option<Pin<Rc<Node>>>) -> Self {
        Self { node: Rc::pin(Node { kind, parent }) }
    }

    fn source(&self) -> &AbortSource {
        self.node.as_ref().source()
    }

    /// A token that is cancelled with this one, or alone.
    ///
    /// ```
    /// use miniss_core::sync::CancellationToken;
    ///
    /// let server = CancellationToken::new();
    /// let (one, other) = (server.child_token(), server.child_token());
    /// one.cancel();
    /// assert!(!server.is_cancelled() && !other.is_cancelled());
    /// server.cancel();
    /// assert!(other.is_cancelled());
    /// ```
    #[must_use = "the child is what can be cancelled alone"]
    pub fn child_token(&self) -> Self {
        // SAFETY: *A token keeps its parents*: the node of the child has a share in ours.
        let source: &'static AbortSource = unsafe { &*ptr::from_ref(self.source()) };
        Self::of(Kind::Child(source.child()), Some(self.node.clone()))
    }

    /// Cancels it, and its children. Futures that wait are woken in the order in which they came.
    ///
    /// # Panics
    ///
    /// If a waker does; the others are still woken before the panic goes on.
    pub fn cancel(&self) {
        self.source().abort(Aborted);
    }

    /// Whether it, or a parent, was cancelled.
    ///
    /// ```
    /// use miniss_core::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// assert!(!token.is_cancelled());
    /// token.clone().cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.source().is_aborted()
    }

    /// Waits until it is cancelled.
    ///
    /// # Cancellation
    ///
    /// Safe: there is nothing to lose.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// token.cancel();
    /// executor().block_on(token.cancelled());
    /// ```
    pub async fn cancelled(&self) {
        let Aborted = self.source().aborted().await;
    }

    /// As [`cancelled`](Self::cancelled), with a share of its own.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn cancelled_owned(self) {
        self.cancelled().await;
    }

    /// The output of `future`; or drops it when the token is cancelled, and gives `None`. It is not
    /// polled any more then.
    ///
    /// # Cancellation
    ///
    /// As safe as `future`, which is dropped with this.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// assert_eq!(executor().block_on(token.run_until_cancelled(async { 5 })), Some(5));
    /// token.cancel();
    /// assert_eq!(executor().block_on(token.run_until_cancelled(async { 5 })), None);
    /// ```
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        self.source().run(future).await.ok()
    }

    /// As [`run_until_cancelled`](Self::run_until_cancelled), with a share of its own.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn run_until_cancelled_owned<F: Future>(self, future: F) -> Option<F::Output> {
        self.run_until_cancelled(future).await
    }

    /// Cancels the token when the guard is dropped.
    ///
    /// ```
    /// use miniss_core::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// drop(guard);
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> CancelOnDrop {
        CancelOnDrop { token: Some(self) }
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cancelled = self.is_cancelled();
        f.debug_struct("CancellationToken").field("is_cancelled", &is_cancelled).finish()
    }
}

/// Cancels a token when it is dropped. [`CancellationToken::drop_guard`] makes it.
#[derive(Debug)]
#[must_use = "dropped at once, it cancels the token at once"]
pub struct CancelOnDrop {
    token: Option<CancellationToken>,
}

impl CancelOnDrop {
    /// Gives the token back, which is not cancelled.
    ///
    /// ```
    /// use miniss_core::sync::CancellationToken;
    /// let token = CancellationToken::new().drop_guard().disarm();
    /// assert!(!token.is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("only this takes it, and ends the guard")
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.token.iter().for_each(CancellationToken::cancel);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
