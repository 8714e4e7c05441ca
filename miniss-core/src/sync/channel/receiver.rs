//! The receiving end.

#![forbid(unsafe_code)]

use core::fmt;
use core::future::poll_fn;
use core::ops::Deref;
use core::task::{Context, Poll};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::error::TryRecvError;
use super::queue::Queue;
use crate::sync::buffer::Buffer;
#[cfg(feature = "alloc")]
use crate::sync::buffer::HeapBuffer;
use crate::sync::ends::{Ends, ReceiveEnd};

/// The receiving handle of a channel on the heap.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::channel::{self, OwnedReceiver};
/// let (_sender, receiver) = channel::bounded(3);
/// let receiver: OwnedReceiver<u32> = receiver;
/// ```
#[cfg(feature = "alloc")]
pub type OwnedReceiver<T> = Receiver<Rc<Queue<HeapBuffer<T>>>>;

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
pub struct Receiver<P: Deref<Target: Ends>> {
    queue: ReceiveEnd<P>,
}

impl<P: Deref<Target: Ends>> Receiver<P> {
    pub(super) const fn new(queue: ReceiveEnd<P>) -> Self {
        Self { queue }
    }
}

impl<P, B> Receiver<P>
where
    P: Deref<Target = Queue<B>>,
    B: Buffer,
{
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
    pub async fn recv(&mut self) -> Option<B::Item> {
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
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<B::Item>> {
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
    pub fn try_recv(&mut self) -> Result<B::Item, TryRecvError> {
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
}

impl<P: Deref<Target: Ends>> Deref for Receiver<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.queue
    }
}

impl<P: Deref<Target: Ends + fmt::Debug>> fmt::Debug for Receiver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&&*self.queue).finish()
    }
}
