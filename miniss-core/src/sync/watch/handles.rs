//! The two ends of a watch.

#![forbid(unsafe_code)]

use core::cell::Ref;
use core::fmt;
use core::mem;

use super::{Place, SendError};
use crate::coop::consume_budget;
use crate::sync::Closed;
use crate::sync::ends::{Heap, ReceiveEnd, SendEnd};

/// A handle to change the value through. There may be many: clone it.
///
/// `P` says where the value lies: `Sender<T>` keeps it on the heap, `Sender<T, Borrowed<'_>>`
/// borrows it. When the last sender is dropped, receivers that have seen the last value get
/// `Closed`.
///
/// ```
/// use miniss_core::sync::watch::Watch;
///
/// let mut watch = Watch::new(1);
/// let (sender, receiver) = watch.split();
/// let other = sender.clone();
/// other.send(2).unwrap();
/// assert_eq!(*sender.borrow(), 2);
/// # drop(receiver);
/// ```
pub struct Sender<T, P: Place<T> = Heap> {
    watch: SendEnd<P::Link>,
}

impl<T, P: Place<T>> Sender<T, P> {
    pub(super) const fn new(watch: SendEnd<P::Link>) -> Self {
        Self { watch }
    }

    /// Replaces the value and wakes the receivers that wait.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, which is not stored, if there is no receiver. For that case
    /// there is [`send_replace`](Self::send_replace).
    ///
    /// # Panics
    ///
    /// If the value is borrowed, if a receiver's waker does, or the drop of the former value; in
    /// the last two cases the new value is in place and everyone has been told.
    ///
    /// ```
    /// use miniss_core::sync::watch::{SendError, Watch};
    ///
    /// let mut watch = Watch::new(1);
    /// let (sender, receiver) = watch.split();
    /// assert_eq!(sender.send(2), Ok(()));
    /// assert_eq!(*receiver.borrow(), 2);
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(SendError(3)));
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.receiver_count() == 0 {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Replaces the value, wakes the receivers that wait, if any, and returns the former value.
    ///
    /// # Panics
    ///
    /// If the value is borrowed, or if a receiver's waker does.
    ///
    /// ```
    /// use miniss_core::sync::watch::Watch;
    ///
    /// let mut watch = Watch::new(1);
    /// let (sender, _) = watch.split();
    /// assert_eq!(sender.send_replace(2), 1);
    /// ```
    #[track_caller]
    pub fn send_replace(&self, value: T) -> T {
        self.watch.modify(|place| (mem::replace(place, value), true))
    }

    /// Changes the value in place and wakes the receivers that wait.
    ///
    /// # Panics
    ///
    /// If the value is borrowed, if `change` borrows or changes it by way of another handle, or if
    /// a receiver's waker panics. If `change` itself panics, what it did so far stays and no one
    /// is told.
    ///
    /// ```
    /// use miniss_core::sync::watch::Watch;
    ///
    /// let mut watch = Watch::new(vec![1]);
    /// let (sender, receiver) = watch.split();
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.watch.modify(|value| (change(value), true));
    }

    /// Changes the value in place, and wakes the receivers that wait if `change` says that there
    /// is something new. Returns what it says.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// ```
    /// use miniss_core::sync::watch::Watch;
    ///
    /// let mut watch = Watch::new(5);
    /// let (sender, receiver) = watch.split();
    /// let highest = |new: i32| move |value: &mut i32| {
    ///     let is_higher = new > *value;
    ///     *value = new.max(*value);
    ///     is_higher
    /// };
    /// assert!(!sender.send_if_modified(highest(3)));
    /// assert!(!receiver.has_changed());
    /// assert!(sender.send_if_modified(highest(8)));
    /// ```
    #[track_caller]
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.watch.modify(|value| {
            let changed = change(value);
            (changed, changed)
        })
    }

    /// The value, which cannot be changed as long as the borrow lives: hold it shortly, and never
    /// over an await.
    ///
    /// # Panics
    ///
    /// If called from within a closure that changes the value.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, _receiver) = watch::channel(1);
    /// assert_eq!(*sender.borrow(), 1);
    /// ```
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.watch.borrow()
    }

    /// Whether no receiver is left. A new one may [`subscribe`](Self::subscribe).
    ///
    /// ```
    /// use miniss_core::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until no receiver is left.
    ///
    /// # Cancellation
    ///
    /// Safe: there is nothing to lose.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// use miniss_core::sync::watch;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, receiver) = watch::channel(1);
    /// let mut closed = pin!(sender.closed());
    /// assert!(closed.as_mut().poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(closed.poll(&mut cx).is_ready());
    /// ```
    pub async fn closed(&self) {
        self.watch.closing().until((), || self.is_closed()).await;
    }

    /// A new receiver, which has seen the current value.
    ///
    /// ```
    /// use miniss_core::sync::watch::Watch;
    ///
    /// let mut watch = Watch::new(1);
    /// let (sender, _) = watch.split();
    /// let receiver = sender.subscribe();
    /// assert!(!receiver.has_changed());
    /// ```
    pub fn subscribe(&self) -> Receiver<T, P> {
        Receiver::new(self.watch.subscribe())
    }

    /// How many receivers there are.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    /// let (sender, receiver) = watch::channel(1);
    /// let _second = receiver.clone();
    /// assert_eq!(sender.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.watch.receiver_count()
    }

    /// How many futures wait for a change.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    /// let (sender, _receiver) = watch::channel(1);
    /// assert_eq!(sender.waiters(), 0);
    /// ```
    pub fn waiters(&self) -> usize {
        self.watch.waiters()
    }
}

impl<T, P: Place<T>> Clone for Sender<T, P> {
    fn clone(&self) -> Self {
        Self { watch: self.watch.clone() }
    }
}

impl<T: fmt::Debug, P: Place<T>> fmt::Debug for Sender<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&&*self.watch).finish()
    }
}

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
pub struct Receiver<T, P: Place<T> = Heap> {
    watch: ReceiveEnd<P::Link>,
    seen: u64,
}

impl<T, P: Place<T>> Receiver<T, P> {
    pub(super) fn new(watch: ReceiveEnd<P::Link>) -> Self {
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

    /// How many receivers there are.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    /// let (_sender, receiver) = watch::channel(1);
    /// let _second = receiver.clone();
    /// assert_eq!(receiver.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.watch.receiver_count()
    }

    /// How many futures wait for a change.
    ///
    /// ```
    /// use miniss_core::sync::watch;
    /// let (_sender, receiver) = watch::channel(1);
    /// assert_eq!(receiver.waiters(), 0);
    /// ```
    pub fn waiters(&self) -> usize {
        self.watch.waiters()
    }
}

impl<T, P: Place<T>> Clone for Receiver<T, P> {
    fn clone(&self) -> Self {
        Self { watch: self.watch.clone(), seen: self.seen }
    }
}

impl<T: fmt::Debug, P: Place<T>> fmt::Debug for Receiver<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.watch).finish()
    }
}
