//! The two ends of a broadcast.

#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::{RecvError, Ring, SendError, TryRecvError};
#[cfg(feature = "alloc")]
use crate::sync::ends::HeapBuffer;
use crate::sync::ends::{Buffer, Ends, ReceiveEnd, SendEnd};
use crate::sync::wait::until;

/// The sending handle of a broadcast on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::broadcast::{self, OwnedSender};
/// let (sender, _receiver) = broadcast::channel(3);
/// let sender: OwnedSender<u32> = sender;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedSender<T> = Sender<Rc<Ring<HeapBuffer<T>>>>;

/// A handle to send through. There may be many: clone it.
///
/// `P` leads to the values: `Sender<&Broadcast<T, N>>` borrows them, `OwnedSender<T>` owns a share
/// in them. When the last one is dropped, receivers get what they have not received, and then
/// `Closed`.
///
/// ```
/// use miniss_core::sync::broadcast::Broadcast;
///
/// let mut broadcast = Broadcast::<u32, 4>::new();
/// let (sender, mut receiver) = broadcast.split();
/// sender.clone().send(1).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
pub struct Sender<P: Deref<Target: Ends>> {
    ring: SendEnd<P>,
}

impl<P: Deref<Target: Ends>> Sender<P> {
    pub(super) const fn new(ring: SendEnd<P>) -> Self {
        Self { ring }
    }
}

impl<P, B> Sender<P>
where
    P: Deref<Target = Ring<B>>,
    B: Buffer,
{
    /// Sends `value` to every receiver there is, and returns their number. Never waits: if the ring
    /// is full, its oldest value is dropped.
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
    pub fn send(&self, value: B::Item) -> Result<usize, SendError<B::Item>> {
        let receivers = self.receiver_count();
        if receivers == 0 {
            return Err(SendError(value));
        }
        drop(self.ring.push(value));
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
        until(self.ring.closing(), (), || self.is_closed()).await;
    }
}

impl<P, B> Sender<P>
where
    P: Deref<Target = Ring<B>> + Clone,
    B: Buffer,
{
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
    pub fn subscribe(&self) -> Receiver<P> {
        Receiver::new(self.ring.subscribe())
    }
}

impl<P: Deref<Target: Ends>> Deref for Sender<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.ring
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for Sender<P> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone() }
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for Sender<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&&*self.ring).finish()
    }
}

/// The receiving handle of a broadcast on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::broadcast::{self, OwnedReceiver};
/// let (_sender, receiver) = broadcast::channel(3);
/// let receiver: OwnedReceiver<u32> = receiver;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedReceiver<T> = Receiver<Rc<Ring<HeapBuffer<T>>>>;

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
pub struct Receiver<P: Deref<Target: Ends>> {
    ring: ReceiveEnd<P>,
    wanted: u64,
}

impl<P, B> Receiver<P>
where
    P: Deref<Target = Ring<B>>,
    B: Buffer,
{
    pub(super) fn new(ring: ReceiveEnd<P>) -> Self {
        let wanted = ring.next();
        Self { ring, wanted }
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
        self.ring.kept_from(self.wanted)
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
        self.ring.is_ended()
    }
}

impl<P, B> Receiver<P>
where
    P: Deref<Target = Ring<B>>,
    B: Buffer<Item: Clone>,
{
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
    pub async fn recv(&mut self) -> Result<B::Item, RecvError> {
        let Self { ring, wanted } = self;
        until(ring.wait_list(), *wanted, || ring.next() != *wanted || ring.is_ended()).await;
        ring.take(wanted).map_err(|error| match error {
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
    pub fn try_recv(&mut self) -> Result<B::Item, TryRecvError> {
        self.ring.take(&mut self.wanted)
    }
}

impl<P: Deref<Target: Ends>> Deref for Receiver<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.ring
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for Receiver<P> {
    fn clone(&self) -> Self {
        Self { ring: self.ring.clone(), wanted: self.wanted }
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for Receiver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.ring).finish()
    }
}
