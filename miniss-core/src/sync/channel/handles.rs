//! The two ends of a channel, and room kept for one value.

#![forbid(unsafe_code)]

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};

use super::{Place, Queue, SendError, TryRecvError, TrySendError};
use crate::sync::ends::{Heap, ReceiveEnd, SendEnd};
use crate::sync::{Closed, TryAcquireError, Units};

/// A handle to send through. There may be many: clone it.
///
/// `P` says where the channel lies: `Sender<T>` keeps one on the heap, `Sender<T, Borrowed<'_, N>>`
/// borrows one. When the last sender is dropped, the receiver gets what is queued, and then the
/// end.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::channel::Channel;
///
/// let mut channel = Channel::<u32, 2>::new();
/// let (sender, mut receiver) = channel.split();
/// let other = sender.clone();
/// executor().block_on(async {
///     sender.send(1).await.unwrap();
///     other.send(2).await.unwrap();
///     assert_eq!(receiver.recv().await, Some(1));
///     assert_eq!(receiver.recv().await, Some(2));
/// });
/// ```
pub struct Sender<T, P: Place<T> = Heap> {
    pub(super) queue: SendEnd<P::Link>,
}

impl<T, P: Place<T>> Sender<T, P> {
    pub(super) const fn new(queue: SendEnd<P::Link>) -> Self {
        Self { queue }
    }

    /// Sends `value`, once there is room and all who came earlier have had theirs.
    ///
    /// A value is queued when its future is polled with room. Senders that wait are granted room,
    /// and woken, in the order in which they came.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the channel is closed, before the wait or during it.
    ///
    /// # Panics
    ///
    /// If the receiver's waker does; the value has been sent then.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before it is ready has sent nothing: its value is dropped with it,
    /// and room that it had been granted goes to the next. [`reserve`](Self::reserve) waits without
    /// a value.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// use miniss_core::sync::channel::Channel;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let mut channel = Channel::<char, 1>::new();
    /// let (sender, mut receiver) = channel.split();
    /// sender.try_send('a').unwrap();
    ///
    /// let mut sending = pin!(sender.send('b'));
    /// assert!(sending.as_mut().poll(&mut cx).is_pending());
    /// assert_eq!(receiver.try_recv(), Ok('a'));
    /// assert!(sending.poll(&mut cx).is_ready());
    /// assert_eq!(receiver.try_recv(), Ok('b'));
    /// ```
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.queue.room().acquire(1).await {
            Ok(slot) => self.queue.put(slot, value),
            Err(Closed) => Err(SendError(value)),
        }
    }

    /// Sends `value` if there is room and no one waits for it.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value.
    ///
    /// # Panics
    ///
    /// If the receiver's waker does; the value has been sent then.
    ///
    /// ```
    /// use miniss_core::sync::channel::{Channel, TrySendError};
    ///
    /// let mut channel = Channel::<u32, 1>::new();
    /// let (sender, _receiver) = channel.split();
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.queue.room().try_acquire(1) {
            Ok(slot) => self.queue.put(slot, value).map_err(|back| TrySendError::Closed(back.0)),
            Err(TryAcquireError::Closed) => Err(TrySendError::Closed(value)),
            Err(TryAcquireError::NoUnits) => Err(TrySendError::Full(value)),
        }
    }

    /// Waits for room for one value and keeps it until the permit is used or dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the channel is closed, before the wait or during it.
    ///
    /// # Cancellation
    ///
    /// Safe. Room that was granted to a future that is dropped goes to the next; only the place in
    /// the queue is lost.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::channel::Channel;
    ///
    /// let mut channel = Channel::<Vec<u8>, 1>::new();
    /// let (sender, mut receiver) = channel.split();
    /// executor().block_on(async {
    ///     let permit = sender.reserve().await.unwrap();
    ///     let costly = vec![0; 1 << 10]; // made only now that it can be sent
    ///     permit.send(costly).unwrap();
    ///     assert!(receiver.recv().await.is_some());
    /// });
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T, P>, Closed> {
        let slot = self.queue.room().acquire(1).await?;
        Ok(Permit { queue: &self.queue, slot })
    }

    /// Takes room for one value, if there is some and no one waits for it, and keeps it until the
    /// permit is used or dropped.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], without a value.
    ///
    /// ```
    /// use miniss_core::sync::channel::{Channel, TrySendError};
    ///
    /// let mut channel = Channel::<u32, 1>::new();
    /// let (sender, mut receiver) = channel.split();
    /// let permit = sender.try_reserve().unwrap();
    /// assert_eq!(sender.try_reserve().err(), Some(TrySendError::Full(())));
    /// permit.send(7).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// ```
    pub fn try_reserve(&self) -> Result<Permit<'_, T, P>, TrySendError<()>> {
        match self.queue.room().try_acquire(1) {
            Ok(slot) => Ok(Permit { queue: &self.queue, slot }),
            Err(TryAcquireError::Closed) => Err(TrySendError::Closed(())),
            Err(TryAcquireError::NoUnits) => Err(TrySendError::Full(())),
        }
    }

    /// Waits until nothing can be sent any more, because the receiver is gone or someone has
    /// closed or aborted the channel. For producers that would work for no one.
    ///
    /// # Cancellation
    ///
    /// Safe: there is nothing to lose.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// use miniss_core::sync::channel;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, receiver) = channel::bounded::<u32>(1);
    /// let mut closed = pin!(sender.closed());
    /// assert!(closed.as_mut().poll(&mut cx).is_pending());
    /// drop(receiver);
    /// assert!(closed.poll(&mut cx).is_ready());
    /// ```
    pub async fn closed(&self) {
        self.queue.closing().until((), || self.queue.is_closed()).await;
    }

    /// Ends the channel for both sides at once: what is queued is dropped, the receiver gets
    /// `None`, and senders get their values back.
    ///
    /// # Panics
    ///
    /// If a waker or the drop of a value does. The channel is closed then, and what was not dropped
    /// yet is received or dropped with the channel.
    ///
    /// ```
    /// use miniss_core::sync::channel::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = channel::bounded(3);
    /// sender.try_send("half a message").unwrap();
    /// sender.abort();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn abort(&self) {
        self.queue.abort();
    }

    /// How many values can be queued at a time.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, _receiver) = channel::bounded::<u32>(3);
    /// assert_eq!(sender.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// How many values are queued.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, _receiver) = channel::bounded(3);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is queued.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, _receiver) = channel::bounded::<u32>(3);
    /// assert!(sender.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing can be sent any more: the receiver or the last sender is gone, or one of
    /// them has closed or aborted the channel.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, receiver) = channel::bounded::<u32>(3);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T, P: Place<T>> Clone for Sender<T, P> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T, P: Place<T>> fmt::Debug for Sender<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&&*self.queue).finish()
    }
}

/// Room for one value, kept for the one who holds this. Dropping it gives the room to the next.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::channel::{Channel, Permit, TrySendError};
///
/// let mut channel = Channel::<u32, 1>::new();
/// let (sender, _receiver) = channel.split();
/// let permit: Permit<'_, u32, _> = executor().block_on(sender.reserve()).unwrap();
/// assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
/// drop(permit);
/// assert_eq!(sender.try_send(1), Ok(()));
/// ```
#[must_use = "room that is not kept goes to the next at once"]
pub struct Permit<'a, T, P: Place<T> = Heap> {
    queue: &'a Queue<P::Buffer>,
    slot: Units<'a>,
}

impl<T, P: Place<T>> Permit<'_, T, P> {
    /// Sends `value`, without waiting.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the channel was closed since.
    ///
    /// # Panics
    ///
    /// If the receiver's waker does; the value has been sent then.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::channel::{self, SendError};
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// let permit = executor().block_on(sender.reserve()).unwrap();
    /// drop(receiver);
    /// assert_eq!(permit.send(1), Err(SendError(1)));
    /// ```
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.queue.put(self.slot, value)
    }
}

impl<T, P: Place<T>> fmt::Debug for Permit<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// The only handle to receive through.
///
/// Dropping it closes the channel and drops what is queued; senders get their values back.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::channel;
///
/// let (sender, mut receiver) = channel::unbounded();
/// (1..=3).for_each(|i| sender.try_send(i).unwrap());
/// drop(sender);
/// let sum = executor().block_on(async {
///     let mut sum = 0;
///     while let Some(value) = receiver.recv().await {
///         sum += value;
///     }
///     sum
/// });
/// assert_eq!(sum, 6);
/// ```
pub struct Receiver<T, P: Place<T> = Heap> {
    queue: ReceiveEnd<P::Link>,
}

impl<T, P: Place<T>> Receiver<T, P> {
    pub(super) const fn new(queue: ReceiveEnd<P::Link>) -> Self {
        Self { queue }
    }

    /// Waits for the next value; `None` once the channel is closed and empty.
    ///
    /// # Panics
    ///
    /// If the waker of the sender that gets the room does; the value is dropped then.
    ///
    /// # Cancellation
    ///
    /// Safe: a future that is dropped before it is ready has taken nothing.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::sync::channel;
    ///
    /// let (sender, mut receiver) = channel::bounded(1);
    /// sender.try_send('a').unwrap();
    /// drop(sender);
    /// executor().block_on(async {
    ///     assert_eq!(receiver.recv().await, Some('a'));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) for futures written by hand: ready with the next value or, at the
    /// end, with `None`. If pending, the task of `cx` is woken, and it alone: the last poll counts.
    ///
    /// # Panics
    ///
    /// As `recv`.
    ///
    /// ```
    /// use core::task::{Context, Poll, Waker};
    /// use miniss_core::sync::channel;
    ///
    /// let (sender, mut receiver) = channel::bounded(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Pending);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(1)));
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.queue.poll_take(cx)
    }

    /// Takes the next value if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if it is not, and whether it may come.
    ///
    /// # Panics
    ///
    /// As `recv`.
    ///
    /// ```
    /// use miniss_core::sync::channel::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = channel::bounded(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.queue.take()
    }

    /// Lets nothing more in. What is queued can still be received; senders that wait, and those
    /// that come later, get their values back.
    ///
    /// ```
    /// use miniss_core::sync::channel::{self, TryRecvError, TrySendError};
    ///
    /// let (sender, mut receiver) = channel::bounded(2);
    /// sender.try_send(1).unwrap();
    /// receiver.close();
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn close(&mut self) {
        self.queue.close();
    }

    /// Lets nothing more in and drops what is queued.
    ///
    /// # Panics
    ///
    /// As [`Sender::abort`](super::Sender::abort).
    ///
    /// ```
    /// use miniss_core::sync::channel::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = channel::bounded(2);
    /// sender.try_send(1).unwrap();
    /// receiver.abort();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn abort(&mut self) {
        self.queue.abort();
    }

    /// How many values can be queued at a time.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (_sender, receiver) = channel::bounded::<u32>(3);
    /// assert_eq!(receiver.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// How many values are queued.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, receiver) = channel::bounded(3);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is queued.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (_sender, receiver) = channel::bounded::<u32>(3);
    /// assert!(receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing can be sent any more: the receiver or the last sender is gone, or one of
    /// them has closed or aborted the channel.
    ///
    /// ```
    /// use miniss_core::sync::channel;
    /// let (sender, receiver) = channel::bounded::<u32>(3);
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<T, P: Place<T>> fmt::Debug for Receiver<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.queue).finish()
    }
}
