//! Asking work to stop, once and with a reason.
//!
//! The one who may stop the work holds an [`AbortSource`]; the work holds a reference to it. Work
//! that only awaits is given to [`run`](AbortSource::run), which drops it. Work that must do
//! something of its own awaits [`aborted`](AbortSource::aborted), asks
//! [`is_aborted`](AbortSource::is_aborted) between its steps, or leaves a closure with
//! [`on_abort`](AbortSource::on_abort). A [`child`](AbortSource::child) stops part of the work:
//! alone, or with the whole.
//!
//! None of it allocates. The source is used by reference; with a heap, `Rc<AbortSource>` is the
//! handle to pass around.
//!
//! What waits for the abort stands in `hooks`.
//!
//! # Invariants
//!
//! - **Aborted is for good.** A reason that is there stays, its own or a parent's. Nothing is
//!   linked from then on, so the round that runs the actions comes to an end.
//! - **Parents last longer.** The parent of a source, and so its parent's parent, outlives every
//!   reference to it: a `ChildSource<'p>` borrows its parent for `'p`, and the source in it is
//!   reached only by a reference that is shorter than `'p`.
//! - **The tree is told at once.** An abort gives its reason to all sources below it that have
//!   none, and takes the lists of these over into its own, before any foreign code runs. So a
//!   source that has a reason looks no further, and one that is linked has a parent without one.
//!   Both walks go along a list, whatever the depth of the tree, and see each entry once.

mod hooks;

use core::cell::{Cell, OnceCell};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::ptr::NonNull;

pub use hooks::{ChildSource, OnAbort, UntilAborted, WaitAborted};

use self::hooks::{Action, Entry};
use crate::collections::WaitList;
use crate::defer::to_the_end;

/// The reason of an abort that has no reason to give.
///
/// ```
/// use miniss_core::sync::{AbortSource, Aborted};
///
/// let source = AbortSource::new();
/// source.abort(Aborted);
/// assert_eq!(source.reason(), Some(&Aborted));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aborted")
    }
}

impl Error for Aborted {}

/// Asks everything that refers to it to stop, once and for all.
///
/// `R` is the reason; everything that is stopped gets a clone of it.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::future::pending;
/// use miniss_core::sync::AbortSource;
///
/// #[derive(Debug, Clone, PartialEq)]
/// enum Stop { Shutdown, TooOld }
///
/// let source = AbortSource::new();
/// assert!(source.abort(Stop::Shutdown));
/// assert!(!source.abort(Stop::TooOld), "the first reason counts");
/// let outcome = executor().block_on(source.run(pending::<()>()));
/// assert_eq!(outcome, Err(Stop::Shutdown));
/// ```
///
/// With a heap, several tasks share one as `Rc<AbortSource>`:
///
/// ```
/// # use miniss_core::doctest::executor;
/// use std::rc::Rc;
/// use miniss_core::sync::{AbortSource, Aborted};
///
/// # let mut executor = executor();
/// let source = Rc::new(AbortSource::<Aborted>::new());
/// let stopped = source.clone();
/// let task = executor.local().spawn(async move { stopped.aborted().await }).unwrap();
/// source.abort(Aborted);
/// assert_eq!(executor.block_on(task), Ok(Aborted));
/// ```
pub struct AbortSource<R = Aborted> {
    reason: OnceCell<R>,
    /// The reason of a parent.
    inherited: Cell<Option<NonNull<R>>>,
    hooks: WaitList<Entry<R>>,
}

impl<R> AbortSource<R> {
    /// A source that no one has aborted.
    ///
    /// ```
    /// use miniss_core::sync::{AbortSource, Aborted};
    /// assert!(!AbortSource::<Aborted>::new().is_aborted());
    /// ```
    pub const fn new() -> Self {
        Self { reason: OnceCell::new(), inherited: Cell::new(None), hooks: WaitList::new() }
    }

    /// Takes the reason of a parent for its own.
    ///
    /// # Safety
    ///
    /// *Parents last longer*: `reason` is that of a parent, near or far.
    unsafe fn inherit(&self, reason: &R) {
        self.inherited.set(Some(NonNull::from(reason)));
    }

    const fn hooks(&self) -> &WaitList<Entry<R>> {
        &self.hooks
    }

    /// Gives the reason to everything that refers to this source, and to its children that have
    /// none yet; whether it was the first to do so. If it was not, `reason` is dropped.
    ///
    /// Futures are woken and callbacks run in the order in which they came, those of a child where
    /// the child stands. They may call back: abort, ask, come and go.
    ///
    /// # Panics
    ///
    /// If a callback or a waker does; the others are still served before the panic goes on. If a
    /// second one panics then, the program aborts.
    ///
    /// ```
    /// use miniss_core::sync::AbortSource;
    ///
    /// let source = AbortSource::new();
    /// assert!(source.abort("no space left"));
    /// assert!(!source.abort("too late"));
    /// assert_eq!(source.reason(), Some(&"no space left"));
    /// ```
    pub fn abort(&self, reason: R) -> bool {
        if self.is_aborted() || self.reason.set(reason).is_err() {
            return false;
        }
        if let Some(reason) = self.reason.get() {
            self.take_over_children(reason);
            to_the_end(|| self.act_first(reason));
        }
        true
    }

    /// Why it was aborted, or its nearest parent that was; `None` as long as none was.
    ///
    /// ```
    /// use miniss_core::sync::AbortSource;
    ///
    /// let source = AbortSource::new();
    /// assert_eq!(source.reason(), None);
    /// source.abort(7);
    /// assert_eq!(source.reason(), Some(&7));
    /// ```
    pub fn reason(&self) -> Option<&R> {
        // SAFETY: *Parents last longer*, and their reason stays where it is.
        let inherited = || self.inherited.get().map(|reason| unsafe { reason.as_ref() });
        self.reason.get().or_else(inherited)
    }

    /// Whether there is a reason to stop.
    ///
    /// ```
    /// use miniss_core::sync::{AbortSource, Aborted};
    /// assert!(!AbortSource::<Aborted>::new().is_aborted());
    /// ```
    pub fn is_aborted(&self) -> bool {
        self.reason().is_some()
    }

    /// [`is_aborted`](Self::is_aborted) as a `Result`, to stop between two steps by `?`.
    ///
    /// # Errors
    ///
    /// The reason, if there is one.
    ///
    /// ```
    /// use miniss_core::sync::{AbortSource, Aborted};
    ///
    /// fn work(source: &AbortSource) -> Result<u32, Aborted> {
    ///     let mut done = 0;
    ///     loop {
    ///         source.check()?;
    ///         done += 1;
    ///         if done == 3 {
    ///             return Ok(done);
    ///         }
    ///     }
    /// }
    /// let source = AbortSource::new();
    /// assert_eq!(work(&source), Ok(3));
    /// source.abort(Aborted);
    /// assert_eq!(work(&source), Err(Aborted));
    /// ```
    pub fn check(&self) -> Result<(), R>
    where
        R: Clone,
    {
        self.reason().map_or(Ok(()), |reason| Err(reason.clone()))
    }

    /// Waits until it is aborted, and gives the reason.
    ///
    /// # Cancellation
    ///
    /// Safe: there is nothing to lose.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// use miniss_core::sync::AbortSource;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let source = AbortSource::new();
    /// let mut aborted = pin!(source.aborted());
    /// assert_eq!(aborted.as_mut().poll(&mut cx), Poll::Pending);
    /// source.abort("shutdown");
    /// assert_eq!(aborted.poll(&mut cx), Poll::Ready("shutdown"));
    /// ```
    pub const fn aborted(&self) -> WaitAborted<'_, R> {
        WaitAborted::new(self)
    }

    /// Runs `future` until it is ready, or drops it when the source is aborted.
    ///
    /// It is not polled once there is a reason. What it returns in the poll in which it aborts the
    /// source itself counts.
    ///
    /// # Errors
    ///
    /// The reason, if that came first.
    ///
    /// # Cancellation
    ///
    /// As safe as `future`, which is dropped with this.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::{AbortSource, Aborted, Semaphore};
    ///
    /// let (source, no_units) = (AbortSource::new(), Semaphore::new(0));
    /// assert_eq!(executor().block_on(source.run(async { 5 })), Ok(5));
    /// source.abort(Aborted);
    /// assert!(executor().block_on(source.run(no_units.acquire(1))).is_err());
    /// ```
    pub const fn run<F: Future>(&self, future: F) -> UntilAborted<'_, F, R>
    where
        R: Clone,
    {
        UntilAborted::new(self, future)
    }

    /// A closure that is run in [`abort`](Self::abort), from when it has been
    /// [registered](OnAbort::register) until it is dropped.
    ///
    /// ```
    /// # use core::{cell::Cell, pin::pin};
    /// use miniss_core::sync::{AbortSource, Aborted};
    ///
    /// # let socket: &'static Cell<bool> = Box::leak(Box::new(Cell::new(true)));
    /// let source = AbortSource::new();
    /// let shut_down = pin!(source.on_abort(|_: &Aborted| socket.set(false)));
    /// shut_down.as_ref().register();
    /// source.abort(Aborted);
    /// assert!(!socket.get());
    /// ```
    pub const fn on_abort<F: FnOnce(&R) + 'static>(&self, callback: F) -> OnAbort<'_, R, F> {
        OnAbort::new(self, callback)
    }

    /// A source for part of the work: aborted with this one, for the same reason, or alone.
    ///
    /// ```
    /// # use core::pin::pin;
    /// use miniss_core::sync::AbortSource;
    ///
    /// let server = AbortSource::new();
    /// let (one, other) = (pin!(server.child()), pin!(server.child()));
    /// let (one, other) = (one.as_ref().source(), other.as_ref().source());
    /// one.abort("connection lost");
    /// assert!(!server.is_aborted());
    /// server.abort("shutdown");
    /// assert_eq!(one.reason(), Some(&"connection lost"));
    /// assert_eq!(other.reason(), Some(&"shutdown"));
    /// ```
    pub fn child(&self) -> ChildSource<'_, R> {
        ChildSource::new(self)
    }

    /// How many futures, callbacks and children would hear of an abort; those of children do not
    /// count.
    ///
    /// ```
    /// use miniss_core::sync::{AbortSource, Aborted};
    /// assert_eq!(AbortSource::<Aborted>::new().waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.hooks.len()
    }

    /// *The tree is told at once*: gives `reason` to all below that have none, and puts what waits
    /// for theirs in the place of each.
    fn take_over_children(&self, reason: &R) {
        let inside = |entry| {
            let Entry::Child(child) = entry else { return None };
            // SAFETY: *Linked means alive* (see `hooks`), and no foreign code runs here.
            let child: &Self = unsafe { child.as_ref() };
            // One that has a reason has a round of its own, or had one.
            (!child.is_aborted()).then(|| {
                // SAFETY: *Parents last longer*: it is below this source.
                unsafe { child.inherit(reason) };
                &child.hooks
            })
        };
        // SAFETY: *Parents last longer*: the hooks of sources below borrow these, so this list
        // outlives them. No source is below itself.
        unsafe { self.hooks.flatten(inside) };
    }

    /// Runs the first action of the list; whether there was one.
    fn act_first(&self, reason: &R) -> bool {
        let Some(action) = self.take_first() else { return false };
        // SAFETY: *No stops on the way*: taken out a line ago.
        unsafe { action.run(reason) };
        true
    }

    /// Takes the first action out of the list. Runs no foreign code.
    fn take_first(&self) -> Option<Action<R>> {
        loop {
            let entry = self.hooks.front()?;
            self.hooks.wake_first(Entry::Unlinked);
            if let Entry::Action(action) = entry {
                return Some(action);
            }
        }
    }
}

impl<R> Default for AbortSource<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: fmt::Debug> fmt::Debug for AbortSource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortSource")
            .field("reason", &self.reason())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
