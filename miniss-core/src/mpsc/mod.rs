//! A queue of values from many cores to one: [`bounded`] makes its two ends.
//!
//! `any core: send ─▶ [mpsc] ─▶ recv: the core of the receiver`
//!
//! It has the methods of [`sync::channel`](crate::sync::channel), which is for the tasks of one
//! core and costs a fraction. Both ends are `Send`: a sender may be used on any core, or on a
//! thread without an executor, and so may the receiver. With one sender it is as good a channel
//! from one to one: nothing in it goes from core to core for the sake of others that might send.
//!
//! The end may come from either side. When the last sender is gone, or the receiver has called
//! [`close`](Receiver::close), what is queued is still received, then `None`; each `send` that was
//! answered with `Ok` is received. When the receiver is gone, what is queued is dropped. Senders
//! that wait when the end comes, or that come later, get their value back in the error.
//!
//! Where is a value dropped that no one receives? On the core on which the receiver is dropped, by
//! that drop. A value whose sending overlaps with it may be dropped by its sender, on its core. If
//! the receiver is leaked, they are leaked with it.
//!
//! A sender that waits is a field of its future; nothing is allocated but by `bounded`. Who finds
//! the other end asleep takes a lock for a few instructions, and spins if it is taken; so an
//! interrupt handler must not send. Give it a queue of [`interrupt`](crate::interrupt).
//!
//! - `channel`: the queue, a ring of the collections, and who sleeps at it: how no wake is lost,
//!   and whose turn it is.

mod channel;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, shuttle))]
mod shuttle;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};

pub use crate::sync::channel::{SendError, TryRecvError, TrySendError};

use self::channel::Channel;
use crate::coop::{Leaf, consume_budget};
use crate::prim::Arc;

/// A channel with room for `capacity` values, and its two ends. Needs the `alloc` feature.
///
/// # Panics
///
/// If `capacity` is 0, or more than memory can hold.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::mpsc;
/// use std::thread;
///
/// let (sender, mut receiver) = mpsc::bounded(8);
/// let elsewhere = thread::spawn(move || executor().block_on(sender.send("news")));
/// assert_eq!(executor().block_on(receiver.recv()), Some("news"));
/// elsewhere.join().unwrap().unwrap();
/// ```
pub fn bounded<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    let end = Arc::new(SendEnd { channel: channel.clone() });
    (Sender { end }, Receiver { channel, leaf: Leaf::new() })
}

/// What all senders have. Its drop is the drop of the last.
struct SendEnd<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Drop for SendEnd<T> {
    fn drop(&mut self) {
        self.channel.close();
    }
}

/// A handle to send through, from any core. There may be many: clone it.
///
/// When the last one is dropped, the receiver gets what is queued, and then the end.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::mpsc;
///
/// let (sender, mut receiver) = mpsc::bounded(2);
/// let other = sender.clone();
/// executor().block_on(async {
///     sender.send(1).await.unwrap();
///     other.send(2).await.unwrap();
///     assert_eq!((receiver.recv().await, receiver.recv().await), (Some(1), Some(2)));
/// });
/// ```
pub struct Sender<T> {
    end: Arc<SendEnd<T>>,
}

impl<T: Send> Sender<T> {
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
    /// and room that it had been granted goes to the next.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// use miniss_core::mpsc;
    ///
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// let (sender, mut receiver) = mpsc::bounded(1);
    /// sender.try_send('a').unwrap();
    ///
    /// let mut sending = pin!(sender.send('b'));
    /// assert!(sending.as_mut().poll(&mut cx).is_pending());
    /// assert_eq!(receiver.try_recv(), Ok('a'));
    /// assert!(sending.poll(&mut cx).is_ready());
    /// assert_eq!(receiver.try_recv(), Ok('b'));
    /// ```
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        consume_budget().await;
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => self.end.channel.send_in_turn(value).await,
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
    /// use miniss_core::mpsc::{self, TrySendError};
    ///
    /// let (sender, _receiver) = mpsc::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.end.channel.try_send(value)
    }
}

impl<T> Sender<T> {
    /// How many values can be queued at a time.
    ///
    /// ```
    /// let (sender, _receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// assert_eq!(sender.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.end.channel.queue.capacity()
    }

    /// How many values are queued, about: others send and receive meanwhile.
    ///
    /// ```
    /// let (sender, _receiver) = miniss_core::mpsc::bounded(3);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.end.channel.queue.len()
    }

    /// Whether nothing is queued.
    ///
    /// ```
    /// let (sender, _receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// assert!(sender.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing can be sent any more: the receiver is gone, or has closed the channel.
    ///
    /// ```
    /// let (sender, receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.end.channel.queue.is_closed()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { end: self.end.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The only handle to receive through. It may move to another core, its values with it.
///
/// Dropping it closes the channel and drops what is queued; senders get their values back.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::mpsc;
///
/// let (sender, mut receiver) = mpsc::bounded(3);
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
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    leaf: Leaf,
}

impl<T: Send> Receiver<T> {
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
    /// let (sender, mut receiver) = miniss_core::mpsc::bounded(1);
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

    /// [`recv`](Self::recv) for futures written by hand, as a `Stream` would have it: ready with
    /// the next value or, at the end, with `None`. If pending, the task of `cx` is woken, and it
    /// alone: the last poll counts.
    ///
    /// # Panics
    ///
    /// As `recv`.
    ///
    /// ```
    /// use core::task::{Context, Poll, Waker};
    ///
    /// let (sender, mut receiver) = miniss_core::mpsc::bounded(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Pending);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.poll_recv(&mut cx), Poll::Ready(Some(1)));
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.poll_outcome(cx));
        Poll::Ready(self.try_recv().ok())
    }

    /// Waits until there is something, and appends up to `limit` values to `values`. How many:
    /// zero once the channel is closed and empty, or if `limit` is zero.
    ///
    /// Whatever their number, the senders are looked for once, and one unit of the budget is spent.
    ///
    /// # Panics
    ///
    /// If the waker of a sender that gets room does; `values` has the values then.
    ///
    /// # Cancellation
    ///
    /// Safe: a future that is dropped before it is ready has taken nothing.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let (sender, mut receiver) = miniss_core::mpsc::bounded(3);
    /// (1..=3).for_each(|i| sender.try_send(i).unwrap());
    /// let mut values = Vec::new();
    /// executor().block_on(async {
    ///     assert_eq!(receiver.recv_many(&mut values, 2).await, 2);
    ///     assert_eq!(receiver.recv_many(&mut values, 2).await, 1);
    /// });
    /// assert_eq!(values, [1, 2, 3]);
    /// ```
    pub async fn recv_many(&mut self, values: &mut Vec<T>, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        poll_fn(|cx| self.poll_outcome(cx)).await;
        let before = values.len();
        // SAFETY: *One receiver*: it is us, borrowed mutably.
        values.extend((0..limit).map_while(|_| unsafe { self.channel.queue.pop() }));
        self.channel.taken();
        values.len() - before
    }

    /// Waits for a value or the end.
    fn poll_outcome(&self, cx: &Context<'_>) -> Poll<()> {
        match self.channel.has_outcome_or_sleeps(cx.waker()) {
            true => self.leaf.poll_proceed(cx),
            false => Poll::Pending,
        }
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
    /// use miniss_core::mpsc::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::bounded(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // SAFETY: *One receiver*: it is us, borrowed mutably.
        match unsafe { self.channel.queue.pop() } {
            Some(value) => {
                self.channel.taken();
                Ok(value)
            }
            None if self.channel.queue.is_at_end() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Receiver<T> {
    /// Lets nothing more in. What is queued can still be received; senders that wait, and those
    /// that come later, get their values back.
    ///
    /// ```
    /// use miniss_core::mpsc::{self, TryRecvError, TrySendError};
    ///
    /// let (sender, mut receiver) = mpsc::bounded(2);
    /// sender.try_send(1).unwrap();
    /// receiver.close();
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn close(&mut self) {
        self.channel.close();
    }

    /// How many values can be queued at a time.
    ///
    /// ```
    /// let (_sender, receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// assert_eq!(receiver.capacity(), 3);
    /// ```
    pub fn capacity(&self) -> usize {
        self.channel.queue.capacity()
    }

    /// How many values are queued, about: others send meanwhile.
    ///
    /// ```
    /// let (sender, receiver) = miniss_core::mpsc::bounded(3);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.queue.len()
    }

    /// Whether nothing is queued.
    ///
    /// ```
    /// let (_sender, receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// assert!(receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing can be sent any more: the last sender is gone, or we have closed it.
    ///
    /// ```
    /// let (sender, receiver) = miniss_core::mpsc::bounded::<u32>(3);
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.queue.is_closed()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.receiver_gone();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}
