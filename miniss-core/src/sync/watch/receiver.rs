//! The end that looks at the value and waits for a new one.

#![forbid(unsafe_code)]

use core::cell::Ref;
use core::fmt;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::Watch;
use crate::coop::consume_budget;
use crate::sync::Closed;
use crate::sync::ends::{Ends, ReceiveEnd};

/// The receiving handle of a watch on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::watch::{self, OwnedReceiver};
/// let (_sender, receiver) = watch::channel(3);
/// let receiver: OwnedReceiver<u32> = receiver;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedReceiver<T> = Receiver<Rc<Watch<T>>>;

/// A handle that knows which value it has seen. There may be many: a clone has seen the same.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::{Closed, watch::Watch};
///
/// let mut watch = Watch::new(1);
/// let (sender, mut receiver) = watch.split();
/// sender.send(2).unwrap();
/// drop(sender);
/// executor().block_on(async {
///     assert_eq!(receiver.changed().await, Ok(()));
///     assert_eq!(*receiver.borrow(), 2);
///     assert_eq!(receiver.changed().await, Err(Closed));
/// });
/// ```
pub struct Receiver<P: Deref<Target: Ends>> {
    watch: ReceiveEnd<P>,
    seen: u64,
}

impl<T, P: Deref<Target = Watch<T>>> Receiver<P> {
    pub(super) fn new(watch: ReceiveEnd<P>) -> Self {
        let seen = watch.version();
        Self { watch, seen }
    }

    /// Waits for a value that this receiver has not seen, and marks it as seen.
    ///
    /// # Errors
    ///
    /// [`Closed`] once the last sender is gone and its last value has been seen.
    ///
    /// # Cancellation
    ///
    /// Safe: a future that is dropped before it is ready has marked nothing as seen.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// sender.send(1).unwrap();
    /// executor().block_on(receiver.changed()).unwrap();
    /// assert!(!receiver.has_changed());
    /// ```
    pub async fn changed(&mut self) -> Result<(), Closed> {
        self.seen = self.watch.newer(self.seen).await?;
        Ok(())
    }

    /// Waits until `condition` holds of the value, which it may do from the start, and returns
    /// that value, marked as seen. `condition` sees the newest value at each poll, not all.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the last sender is gone and it does not hold of the last value.
    ///
    /// # Panics
    ///
    /// If `condition` does, as it will if it changes the value.
    ///
    /// # Cancellation
    ///
    /// Safe; what `condition` was shown counts as seen.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// sender.send(7).unwrap();
    /// let value = *executor().block_on(receiver.wait_for(|value| *value > 5)).unwrap();
    /// assert_eq!(value, 7);
    /// ```
    pub async fn wait_for<'a>(
        &'a mut self,
        mut condition: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'a, T>, Closed>
    where
        T: 'a,
    {
        consume_budget().await;
        while !condition(&self.borrow_and_update()) {
            self.changed().await?;
        }
        Ok(self.borrow())
    }

    /// The value, which cannot be changed as long as the borrow lives: hold it shortly, and never
    /// over an await. It is not marked as seen.
    ///
    /// # Panics
    ///
    /// If called from within a closure that changes the value.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (_sender, receiver) = watch::channel(1);
    /// assert_eq!(*receiver.borrow(), 1);
    /// ```
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.watch.borrow()
    }

    /// The value, marked as seen; for the borrow see [`borrow`](Self::borrow).
    ///
    /// # Panics
    ///
    /// If called from within a closure that changes the value.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// sender.send(1).unwrap();
    /// assert_eq!(*receiver.borrow_and_update(), 1);
    /// assert!(!receiver.has_changed());
    /// ```
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.seen = self.watch.version();
        self.watch.borrow()
    }

    /// Whether there is a value that this receiver has not seen.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(0);
    /// assert!(!receiver.has_changed());
    /// sender.send(1).unwrap();
    /// assert!(receiver.has_changed());
    /// ```
    pub fn has_changed(&self) -> bool {
        self.seen != self.watch.version()
    }

    /// Marks the value as not seen, so that [`changed`](Self::changed) returns at once.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::watch;
    ///
    /// let (_sender, mut receiver) = watch::channel(0);
    /// receiver.mark_changed();
    /// assert!(receiver.has_changed());
    /// assert_eq!(executor().block_on(receiver.changed()), Ok(()));
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = self.watch.version().wrapping_sub(1);
    }

    /// Marks the value as seen without looking at it.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// sender.send(1).unwrap();
    /// receiver.mark_unchanged();
    /// assert!(!receiver.has_changed());
    /// ```
    pub fn mark_unchanged(&mut self) {
        self.seen = self.watch.version();
    }

    /// Whether no sender is left. The last value may not have been seen yet.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(0);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.watch.is_ended()
    }
}

impl<P: Deref<Target: Ends>> Deref for Receiver<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.watch
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for Receiver<P> {
    fn clone(&self) -> Self {
        Self { watch: self.watch.clone(), seen: self.seen }
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for Receiver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.watch).finish()
    }
}
