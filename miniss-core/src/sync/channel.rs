//! A queue of values from many senders to one receiver, on one core.
//!
//! The room in the queue is counted by a [semaphore](super::Semaphore): a sender acquires a slot,
//! and receiving gives it back. So senders that wait for room are served in the order in which
//! they came, and one that gives up hands its slot to the next.
//!
//! - [`Channel`]: a queue with room for `N` values in place; [`split`](Channel::split) makes the
//!   handles, which borrow it. No heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`bounded`], [`unbounded`]: the same on the heap, which its handles keep."
)]
//! - [`Sender`], [`Receiver`], [`Permit`]: the handles.
//!
//! One receiver, since on one core a value that several tasks may work on is as well given to a
//! task of its own. For many that each see every value there is [`broadcast`](super::broadcast).
//!
//! The end may come from either side. When the last sender is gone, or the receiver has called
//! [`close`](Receiver::close), what is queued is still received, then `None`. When the receiver is
//! gone, or someone called `abort`, what is queued is dropped. Senders that wait when the end
//! comes, or that come later, get their value back in the error.
//!
//! # Invariants
//!
//! - **A slot is room.** The units of `room` are the slots of `items`: each is free, held by a
//!   sender, or taken by a value. So the one who holds a slot can put a value.
//! - **Closed is the room's.** The channel is closed exactly when its semaphore is. Nothing is put
//!   from then on, and an empty queue has come to its end.
//! - **No borrow over foreign code.** `items` is borrowed to push, pop or count, which runs no code
//!   of the values. They are dropped, and wakers run, outside.

#![forbid(unsafe_code)]

mod handles;

use core::cell::{Cell, RefCell};
use core::error::Error;
use core::fmt;
use core::ops::Deref;
use core::task::{Context, Poll, Waker, ready};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

pub use handles::{Permit, Receiver, Sender};

use super::ends::{self, Borrowed, Buffer, Counts, Ends, FixedBuffer, sealed};
#[cfg(feature = "alloc")]
use super::ends::{Heap, HeapBuffer};
use super::{Semaphore, Units};
use crate::collections::WaitList;
use crate::coop::Leaf;
use crate::defer::defer;

/// A channel with room for `N` values in place.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::channel::Channel;
///
/// let mut channel = Channel::<&str, 2>::new();
/// let (sender, mut receiver) = channel.split();
/// executor().block_on(async {
///     sender.send("one").await.unwrap();
///     sender.send("two").await.unwrap();
///     drop(sender);
///     let mut seen = Vec::new();
///     while let Some(value) = receiver.recv().await {
///         seen.push(value);
///     }
///     assert_eq!(seen, ["one", "two"]);
/// });
/// ```
pub struct Channel<T, const N: usize> {
    queue: Queue<FixedBuffer<T, N>>,
}

impl<T, const N: usize> Channel<T, N> {
    /// An empty channel. It is an error of compilation if `N` is 0.
    ///
    /// ```
    /// use miniss_core::sync::channel::Channel;
    /// let mut channel = Channel::<u32, 3>::new();
    /// let (sender, receiver) = channel.split();
    /// ```
    pub const fn new() -> Self {
        Self { queue: Queue::new(N, FixedBuffer::new()) }
    }

    /// The two handles of the channel, which starts again: empty and open.
    ///
    /// They live as long as the borrow. From a `&'static mut` they are `'static`, as tasks need
    /// them that are not [scoped](crate::Executor::scope); the [manual](crate::manual::porting) has
    /// a cell that hands one out.
    ///
    /// ```
    /// use miniss_core::sync::{Borrowed, channel::{Channel, Receiver, Sender}};
    ///
    /// type Presses = Channel<u32, 3>;
    ///
    /// type Here = Borrowed<'static, 3>;
    ///
    /// fn handles(channel: &'static mut Presses) -> (Sender<u32, Here>, Receiver<u32, Here>) {
    ///     channel.split()
    /// }
    /// ```
    pub fn split(&mut self) -> (Sender<T, Borrowed<'_, N>>, Receiver<T, Borrowed<'_, N>>) {
        *self = Self::new();
        handles(&self.queue)
    }
}

impl<T, const N: usize> Default for Channel<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for Channel<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}

/// A channel on the heap, with room for `capacity` values, and its two handles.
///
/// Needs the `alloc` feature.
///
/// # Panics
///
/// If `capacity` is 0, or more than memory can hold.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::channel;
///
/// # let mut executor = executor();
/// let (sender, mut receiver) = channel::bounded(8);
/// let sending = executor.local().spawn(async move { sender.send(5).await }).unwrap();
/// assert_eq!(executor.block_on(receiver.recv()), Some(5));
/// # sending.detach();
/// ```
#[cfg(feature = "alloc")]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    handles(Rc::new(Queue::new(capacity, HeapBuffer::bounded(capacity))))
}

/// A channel on the heap whose room grows as it is needed, and its two handles.
///
/// Nothing slows its senders down, so someone else must: a producer that is faster than the
/// receiver for good fills the memory. [`try_send`](Sender::try_send) is never answered with
/// `Full`, and [`send`](Sender::send) never waits.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::channel;
///
/// let (sender, mut receiver) = channel::unbounded();
/// (0..1000).for_each(|i| sender.try_send(i).unwrap());
/// assert_eq!((receiver.len(), receiver.try_recv()), (1000, Ok(0)));
/// ```
#[cfg(feature = "alloc")]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    handles(Rc::new(Queue::new(Semaphore::UNITS_MAX, HeapBuffer::growing())))
}

/// Where a channel lies: on the [heap](super::Heap) or in a [borrowed](super::Borrowed) place. It
/// is implemented for these two only.
///
/// ```
/// use miniss_core::sync::channel::{self, Channel, Place, Sender};
///
/// fn free<T, P: Place<T>>(sender: &Sender<T, P>) -> usize {
///     sender.capacity() - sender.len()
/// }
/// let mut channel = Channel::<u8, 4>::new();
/// let (sender, _receiver) = channel.split();
/// assert_eq!(free(&sender), 4);
/// let (sender, _receiver) = channel::bounded::<u8>(5);
/// assert_eq!(free(&sender), 5);
/// ```
pub trait Place<T>: sealed::Sealed {
    #[doc(hidden)]
    type Link: Deref<Target = Queue<Self::Buffer>> + Clone;
    #[doc(hidden)]
    type Buffer: Buffer<Item = T>;
}

#[cfg(feature = "alloc")]
impl<T> Place<T> for Heap {
    type Link = Rc<Queue<HeapBuffer<T>>>;
    type Buffer = HeapBuffer<T>;
}

impl<'a, T: 'a, const N: usize> Place<T> for Borrowed<'a, N> {
    type Link = &'a Queue<FixedBuffer<T, N>>;
    type Buffer = FixedBuffer<T, N>;
}

/// What the two ends share.
#[doc(hidden)]
pub struct Queue<B: Buffer> {
    room: Semaphore,
    receiver: WakerCell,
    closing: WaitList<()>,
    ends: Counts,
    /// The receiver's.
    leaf: Leaf,
    items: RefCell<B>,
}

fn handles<T, P: Place<T>>(link: P::Link) -> (Sender<T, P>, Receiver<T, P>) {
    let (sender, receiver) = ends::pair(link);
    (Sender::new(sender), Receiver::new(receiver))
}

impl<B: Buffer> Queue<B> {
    const fn new(capacity: usize, buffer: B) -> Self {
        Self {
            room: Semaphore::new(capacity),
            receiver: WakerCell::new(),
            closing: WaitList::new(),
            ends: Counts::pair(),
            leaf: Leaf::new(),
            items: RefCell::new(buffer),
        }
    }

    fn capacity(&self) -> usize {
        self.items.borrow().capacity()
    }

    fn len(&self) -> usize {
        self.items.borrow().len()
    }

    const fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    const fn room(&self) -> &Semaphore {
        &self.room
    }

    /// Those who wait for the channel to be closed.
    const fn closing(&self) -> &WaitList<()> {
        &self.closing
    }

    /// Queues `value` in `slot`, unless the channel was closed since the slot was granted.
    fn put(&self, slot: Units<'_>, value: B::Item) -> Result<(), SendError<B::Item>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        slot.forget();
        let put = self.items.borrow_mut().push(value);
        assert!(put.is_ok(), "\"A slot is room\"");
        self.receiver.wake();
        Ok(())
    }

    /// Takes the first value out and gives its slot to the next sender.
    fn take(&self) -> Result<B::Item, TryRecvError> {
        let value = self.items.borrow_mut().pop();
        match value {
            Some(value) => {
                self.room.release(1);
                Ok(value)
            }
            None if self.is_closed() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<B::Item>> {
        if !self.has_outcome() {
            self.receiver.register(cx.waker());
            // Asked again: to clone a waker is foreign code, which may have sent.
            if !self.has_outcome() {
                return Poll::Pending;
            }
        }
        ready!(self.leaf.poll_proceed(cx));
        Poll::Ready(self.take().ok())
    }

    /// Whether there is a value, or never will be.
    fn has_outcome(&self) -> bool {
        self.len() > 0 || self.is_closed()
    }

    /// Lets nothing more in; what is queued stays. All who wait are told, also if a waker panics.
    fn close(&self) {
        let _closing = defer(|| {
            self.closing.wake_while(Some);
        });
        let _receiver = defer(|| self.receiver.wake());
        self.room.close();
    }

    /// Lets nothing more in and drops what is queued, also if a waker panics. Where the drop of a
    /// value panics, those behind it are dropped with the channel.
    fn abort(&self) {
        let _emptied = defer(|| while self.take().is_ok() {});
        self.close();
    }
}

impl<B: Buffer> Ends for Queue<B> {
    fn counts(&self) -> &Counts {
        &self.ends
    }

    fn senders_gone(&self) {
        self.close();
    }

    fn receivers_gone(&self) {
        self.abort();
    }
}

impl<B: Buffer> fmt::Debug for Queue<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("senders_waiting", &self.room.waiters())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// At most one waker. One that was left behind costs a spurious wake at most.
struct WakerCell(Cell<Option<Waker>>);

impl WakerCell {
    const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Keeps a clone of `waker`, unless the one kept wakes the same task already. Cloning is
    /// foreign code, during which the place is empty: look again whether there still is something
    /// to wait for.
    fn register(&self, waker: &Waker) {
        let mut kept = self.0.take();
        match &mut kept {
            Some(kept) => kept.clone_from(waker),
            None => kept = Some(waker.clone()),
        }
        self.0.set(kept);
    }

    /// Wakes the one who waits, if there is one.
    fn wake(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

/// No one will receive the value, which is in here.
///
/// ```
/// use miniss_core::{doctest::executor, sync::channel::{self, SendError}};
///
/// let (sender, receiver) = channel::bounded(1);
/// drop(receiver);
/// assert_eq!(executor().block_on(sender.send(7)), Err(SendError(7)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sent: no one will receive it")
    }
}

impl<T> Error for SendError<T> {}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for SendError<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "SendError");
    }
}

/// Why a value could not be sent at once. The value is in here.
///
/// ```
/// use miniss_core::sync::channel::{self, TrySendError};
///
/// let (sender, receiver) = channel::bounded(1);
/// sender.try_send('a').unwrap();
/// assert_eq!(sender.try_send('b'), Err(TrySendError::Full('b')));
/// drop(receiver);
/// assert_eq!(sender.try_send('c'), Err(TrySendError::Closed('c')));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// There is no room now, or others wait for it.
    Full(T),
    /// No one will receive it.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The value.
    ///
    /// ```
    /// use miniss_core::sync::channel::TrySendError;
    /// assert_eq!(TrySendError::Full(3).into_inner(), 3);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "not sent: there is no room now",
            Self::Closed(_) => "not sent: no one will receive it",
        })
    }
}

impl<T> Error for TrySendError<T> {}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for TrySendError<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Full(_) => defmt::write!(f, "Full"),
            Self::Closed(_) => defmt::write!(f, "Closed"),
        }
    }
}

/// Why there was nothing to receive at once.
///
/// ```
/// use miniss_core::sync::channel::{self, TryRecvError};
///
/// let (sender, mut receiver) = channel::bounded::<u32>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing is there now.
    Empty,
    /// Nothing is there, and nothing will come.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing has been sent yet",
            Self::Closed => "closed: nothing will be sent any more",
        })
    }
}

impl Error for TryRecvError {}

#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod model;
#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod tests;
