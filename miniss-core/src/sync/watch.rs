//! The latest value of something, and news that it has changed.
//!
//! Configuration, the state of a connection, progress: where only the newest value counts. A
//! receiver that is slow misses what was overwritten, and never the last value.
//!
//! - [`Watch`]: the value; [`split`](Watch::split) makes the handles, which borrow it. No
//!   heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`channel`]: the same on the heap, which its handles keep."
)]
//! - [`Sender`], [`Receiver`]: the handles. There may be many of both.
//!
//! # Invariants
//!
//! - **Newer wakes older.** A waiter's payload is the version that its receiver has seen. Versions
//!   grow with the queue, so the waiters to wake after a change are those in front whose version
//!   is not the current one. Who joins meanwhile has seen the current one and ends the round.
//! - **Borrowed in sight.** The value is borrowed only by `borrow` and by the closures of the
//!   sender, and both say so. Values are dropped and wakers run outside.

#![forbid(unsafe_code)]

mod handles;

use core::cell::{Cell, Ref, RefCell};
use core::fmt;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

pub use super::channel::SendError;
pub use handles::{Receiver, Sender};

use super::Closed;
#[cfg(feature = "alloc")]
use super::ends::Heap;
use super::ends::{self, Borrowed, Counts, Ends, sealed};
use crate::collections::WaitList;

/// A value on the heap and the two handles of its watch. The receiver has seen `value`.
///
/// Needs the `alloc` feature.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::watch;
///
/// # let mut executor = executor();
/// let (sender, mut receiver) = watch::channel("starting");
/// let task = executor.local().spawn(async move { sender.send("ready") }).unwrap();
/// executor.block_on(async {
///     receiver.changed().await.unwrap();
///     assert_eq!(*receiver.borrow(), "ready");
/// });
/// # task.detach();
/// ```
#[cfg(feature = "alloc")]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    handles(Rc::new(Watch::new(value)))
}

/// A value that is watched.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::watch::Watch;
///
/// let mut level = Watch::new(1);
/// let (sender, mut receiver) = level.split();
/// sender.send(2).unwrap();
/// sender.send(3).unwrap();
/// executor().block_on(async {
///     receiver.changed().await.unwrap();
///     assert_eq!(*receiver.borrow(), 3);
/// });
/// ```
pub struct Watch<T> {
    version: Cell<u64>,
    waiters: WaitList<u64>,
    closing: WaitList<()>,
    ends: Counts,
    value: RefCell<T>,
}

impl<T> Watch<T> {
    /// A watch that starts with `value`.
    ///
    /// ```
    /// # use miniss_core::sync::watch::Watch;
    /// assert_eq!(*Watch::new(7).borrow(), 7);
    /// ```
    pub const fn new(value: T) -> Self {
        Self {
            version: Cell::new(0),
            waiters: WaitList::new(),
            closing: WaitList::new(),
            ends: Counts::pair(),
            value: RefCell::new(value),
        }
    }

    /// The two handles. The receiver has seen the current value.
    ///
    /// They live as long as the borrow. From a `&'static mut` they are `'static`, as tasks need
    /// them that are not [scoped](crate::Executor::scope); the [manual](crate::manual::porting) has
    /// a cell that hands one out.
    ///
    /// ```
    /// # use miniss_core::sync::watch::Watch;
    /// let mut watch = Watch::new(7);
    /// let (sender, receiver) = watch.split();
    /// assert!(!receiver.has_changed());
    /// ```
    pub fn split(&mut self) -> (Sender<T, Borrowed<'_>>, Receiver<T, Borrowed<'_>>) {
        // What a former pair left behind is forgotten, the value kept.
        self.version = Cell::new(0);
        self.waiters = WaitList::new();
        self.closing = WaitList::new();
        self.ends = Counts::pair();
        handles(&*self)
    }

    /// The value, which cannot be changed as long as the borrow lives: hold it shortly, and never
    /// over an await.
    ///
    /// # Panics
    ///
    /// If called from within a closure that changes the value.
    ///
    /// ```
    /// # use miniss_core::sync::watch::Watch;
    /// assert_eq!(*Watch::new("a").borrow(), "a");
    /// ```
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    const fn receiver_count(&self) -> usize {
        self.ends.receivers()
    }

    const fn waiters(&self) -> usize {
        self.waiters.len()
    }

    const fn version(&self) -> u64 {
        self.version.get()
    }

    /// Whether the last sender is gone.
    const fn is_ended(&self) -> bool {
        self.ends.senders() == 0
    }

    /// Those who wait for the last receiver to go.
    const fn closing(&self) -> &WaitList<()> {
        &self.closing
    }

    /// Changes the value by `change`, and tells the receivers if that says so.
    #[track_caller]
    fn modify<A>(&self, change: impl FnOnce(&mut T) -> (A, bool)) -> A {
        let mut value = self
            .value
            .try_borrow_mut()
            .expect("a watched value cannot change while it is borrowed");
        let (answer, changed) = change(&mut value);
        drop(value);
        if changed {
            self.announce();
        }
        answer
    }

    fn announce(&self) {
        self.version.set(self.version() + 1);
        self.waiters.wake_while(|seen| (seen != self.version()).then_some(seen));
    }

    /// Waits for a version that is not `seen`.
    async fn newer(&self, seen: u64) -> Result<u64, Closed> {
        self.waiters.until(seen, || self.version() != seen || self.is_ended()).await;
        if self.version() != seen { Ok(self.version()) } else { Err(Closed) }
    }
}

/// Where a watch lies: on the [heap](super::Heap) or in a [borrowed](super::Borrowed) place. It
/// is implemented for these two only.
///
/// ```
/// use miniss_core::sync::watch::{self, Place, Sender, Watch};
///
/// fn raise<P: Place<u32>>(level: &Sender<u32, P>) {
///     level.send_modify(|level| *level += 1);
/// }
/// let mut level = Watch::new(1);
/// let (sender, _receiver) = level.split();
/// raise(&sender);
/// let (sender, _receiver) = watch::channel(1);
/// raise(&sender);
/// ```
pub trait Place<T>: sealed::Sealed {
    #[doc(hidden)]
    type Link: Deref<Target = Watch<T>> + Clone;
}

#[cfg(feature = "alloc")]
impl<T> Place<T> for Heap {
    type Link = Rc<Watch<T>>;
}

impl<'a, T: 'a> Place<T> for Borrowed<'a> {
    type Link = &'a Watch<T>;
}

fn handles<T, P: Place<T>>(link: P::Link) -> (Sender<T, P>, Receiver<T, P>) {
    let (sender, receiver) = ends::pair(link);
    (Sender::new(sender), Receiver::new(receiver))
}

impl<T> Ends for Watch<T> {
    fn counts(&self) -> &Counts {
        &self.ends
    }

    fn senders_gone(&self) {
        self.waiters.wake_while(Some);
    }

    fn receivers_gone(&self) {
        // A waker may subscribe: from then on there is nothing to tell.
        self.closing.wake_while(|()| (self.receiver_count() == 0).then_some(()));
    }
}

impl<T: fmt::Debug> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("value", &self.value)
            .field("waiters", &self.waiters())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod model;
#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod tests;
