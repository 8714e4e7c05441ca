//! The two ends of a broadcast.

#![forbid(unsafe_code)]

use core::fmt;

use super::{Place, RecvError, SendError, TryRecvError};
use crate::sync::ends::{Heap, ReceiveEnd, SendEnd};

/// A handle to send through. There may be many: clone it.
///
/// `P` says where the values lie: `Sender<T>` keeps them on the heap, `Sender<T, Borrowed<'_, N>>`
/// borrows the place for them. When the last sender is dropped, receivers get what they have not
/// received, and then `Closed`.
///
/// ```
/// use miniss_core::sync::broadcast::Broadcast;
///
/// let mut broadcast = Broadcast::<u32, 4>::new();
/// let (sender, mut receiver) = broadcast.split();
/// sender.clone().send(1).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
pub struct Sender<T, P: Place<T> = Heap> {
    log: SendEnd<P::Link>,
}

impl<T, P: Place<T>> Sender<T, P> {
    pub(super) const fn new(log: SendEnd<P::Link>) -> Self {
        Self { log }
    }

    /// Sends `value` to every receiver there is, and returns their number. Never waits: if
    /// there is no room, the oldest value is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if there is no receiver.
    ///
    /// # Panics
    ///
    /// If a receiver's waker or the drop of the oldest value does; the value has been sent then.
    /// If called from within the `clone` of a value of this very broadcast.
    ///
    /// ```
    /// use miniss_core::sync::broadcast::{Broadcast, SendError};
    ///
    /// let mut broadcast = Broadcast::<u32, 4>::new();
    /// let (sender, receiver) = broadcast.split();
    /// assert_eq!(sender.send(1), Ok(1));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let receivers = self.receiver_count();
        if receivers == 0 {
            return Err(SendError(value));
        }
        drop(self.log.push(value));
        Ok(receivers)
    }

    /// Whether no receiver is left. A new one may [`subscribe`](Self::subscribe).
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel::<u32>(2);
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
    /// use miniss_core::sync::broadcast;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, receiver) = broadcast::channel::<u32>(2);
    /// let mut closed = pin!(sender.closed());
    /// assert!(closed.as_mut().poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(closed.poll(&mut cx).is_ready());
    /// ```
    pub async fn closed(&self) {
        self.log.closing().until((), || self.is_closed()).await;
    }

    /// A new receiver, for what is sent from now on.
    ///
    /// ```
    /// use miniss_core::sync::broadcast::Broadcast;
    ///
    /// let mut broadcast = Broadcast::<u32, 4>::new();
    /// let (sender, _early) = broadcast.split();
    /// sender.send(1).unwrap();
    /// let mut late = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(late.try_recv(), Ok(2));
    /// ```
    pub fn subscribe(&self) -> Receiver<T, P> {
        Receiver::new(self.log.subscribe())
    }

    /// How many values are kept at most.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (sender, _receiver) = broadcast::channel::<u32>(3);
    /// assert_eq!(sender.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.log.capacity()
    }

    /// How many receivers there are.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (sender, receiver) = broadcast::channel::<u32>(3);
    /// let _second = sender.subscribe();
    /// assert_eq!(sender.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.log.receiver_count()
    }

    /// How many futures wait for a value.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (sender, _receiver) = broadcast::channel::<u32>(3);
    /// assert_eq!(sender.waiters(), 0);
    /// ```
    pub fn waiters(&self) -> usize {
        self.log.waiters()
    }
}

impl<T, P: Place<T>> Clone for Sender<T, P> {
    fn clone(&self) -> Self {
        Self { log: self.log.clone() }
    }
}

impl<T, P: Place<T>> fmt::Debug for Sender<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&&*self.log).finish()
    }
}

/// A handle to receive through. A clone goes on from the same place; more receivers also come from
/// [`subscribe`](super::Sender::subscribe).
///
/// ```
/// use miniss_core::sync::broadcast::Broadcast;
///
/// let mut broadcast = Broadcast::<u32, 4>::new();
/// let (sender, mut receiver) = broadcast.split();
/// sender.send(1).unwrap();
/// let mut same = receiver.clone();
/// assert_eq!((receiver.try_recv(), same.try_recv()), (Ok(1), Ok(1)));
/// ```
pub struct Receiver<T, P: Place<T> = Heap> {
    log: ReceiveEnd<P::Link>,
    wanted: u64,
}

impl<T, P: Place<T>> Receiver<T, P> {
    pub(super) fn new(log: ReceiveEnd<P::Link>) -> Self {
        let wanted = log.next();
        Self { log, wanted }
    }

    /// How many values it has still to receive; those that it has missed do not count.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel(2);
    /// assert_eq!(receiver.len(), 0);
    /// (1..=3).for_each(|i| drop(sender.send(i).unwrap()));
    /// assert_eq!(receiver.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.log.kept_from(self.wanted)
    }

    /// Whether it has nothing to receive now.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel(2);
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no sender is left. There may still be values to receive.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel::<u32>(2);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.log.is_ended()
    }

    /// How many values are kept at most.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (_sender, receiver) = broadcast::channel::<u32>(3);
    /// assert_eq!(receiver.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.log.capacity()
    }

    /// How many receivers there are.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (sender, receiver) = broadcast::channel::<u32>(3);
    /// let _second = sender.subscribe();
    /// assert_eq!(receiver.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.log.receiver_count()
    }

    /// How many futures wait for a value.
    ///
    /// ```
    /// use miniss_core::sync::broadcast;
    /// let (_sender, receiver) = broadcast::channel::<u32>(3);
    /// assert_eq!(receiver.waiters(), 0);
    /// ```
    pub fn waiters(&self) -> usize {
        self.log.waiters()
    }
}

impl<T: Clone, P: Place<T>> Receiver<T, P> {
    /// Waits for the next value.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if values were overwritten before this receiver came to them; the next
    /// call goes on with the oldest that is kept. [`RecvError::Closed`] once the last sender is
    /// gone and all it sent has been received.
    ///
    /// # Panics
    ///
    /// If the `clone` of the value does; the value is not lost then, the next call tries again.
    ///
    /// # Cancellation
    ///
    /// Safe: a future that is dropped before it is ready has taken nothing.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::broadcast::{self, RecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// (1..=5).for_each(|i| drop(sender.send(i).unwrap()));
    /// executor().block_on(async {
    ///     assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
    ///     assert_eq!(receiver.recv().await, Ok(4));
    /// });
    /// ```
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        let Self { log, wanted } = self;
        log.wait_list().until(*wanted, || log.next() != *wanted || log.is_ended()).await;
        log.take(wanted).map_err(|error| match error {
            TryRecvError::Lagged(missed) => RecvError::Lagged(missed),
            TryRecvError::Closed => RecvError::Closed,
            TryRecvError::Empty => unreachable!("something was sent, or nothing ever will be"),
        })
    }

    /// Gives the next value if it is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`TryRecvError::Empty`] if it would have to wait.
    ///
    /// # Panics
    ///
    /// As `recv`.
    ///
    /// ```
    /// use miniss_core::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(2);
    /// sender.send('a').unwrap();
    /// assert_eq!(receiver.try_recv(), Ok('a'));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.log.take(&mut self.wanted)
    }
}

impl<T, P: Place<T>> Clone for Receiver<T, P> {
    fn clone(&self) -> Self {
        Self { log: self.log.clone(), wanted: self.wanted }
    }
}

impl<T, P: Place<T>> fmt::Debug for Receiver<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.log).finish()
    }
}
