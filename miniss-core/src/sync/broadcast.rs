//! Every value to every receiver, as long as they keep up.
//!
//! The last `N` values are kept. A receiver gets a clone of each that was sent after it subscribed,
//! in order; one that falls behind by more than `N` is told how many it missed and goes on with the
//! oldest that is kept. So a slow receiver slows no one down, and sending never waits.
//!
//! - [`Broadcast`]: the last `N` values in place; [`split`](Broadcast::split) makes the handles,
//!   which borrow it. No heap.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`channel`]: the same on the heap, which its handles keep."
)]
//! - [`Sender`], [`Receiver`]: the handles. There may be many of both.
//!
//! A value is kept until `N` others came after it, or until the last receiver is gone.
//! What is large or scarce is best sent behind an `Rc`, and counts as held until then.
//!
//! # Invariants
//!
//! - **Numbers without gaps.** Values are numbered as they are sent. The buffer holds those up to
//!   `next`, exclusive, without a gap; a receiver is the number of the value it wants.
//! - **Newer wakes older.** A waiter's payload is the number it waits for. Numbers grow with the
//!   queue, so those to wake are in front. Who joins meanwhile wants `next` and ends the round.
//! - **Borrowed to clone.** `items` is borrowed while a value is cloned, and then only shared: a
//!   `clone` may receive from the same broadcast, and panics if it sends. Values are dropped and
//!   wakers run outside.

#![forbid(unsafe_code)]

mod handles;

use core::cell::{Cell, RefCell};
use core::error::Error;
use core::fmt;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

pub use super::channel::SendError;
pub use handles::{Receiver, Sender};

use super::ends::{self, Borrowed, Buffer, Counts, Ends, FixedBuffer, sealed};
#[cfg(feature = "alloc")]
use super::ends::{Heap, HeapBuffer};
use crate::collections::WaitList;
use crate::defer::defer;

/// A broadcast that keeps the last `N` values in place.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::broadcast::Broadcast;
///
/// let mut news = Broadcast::<&str, 4>::new();
/// let (sender, mut here) = news.split();
/// let mut there = sender.subscribe();
/// sender.send("up").unwrap();
/// executor().block_on(async {
///     assert_eq!(here.recv().await, Ok("up"));
///     assert_eq!(there.recv().await, Ok("up"));
/// });
/// ```
pub struct Broadcast<T, const N: usize> {
    log: Log<FixedBuffer<T, N>>,
}

impl<T, const N: usize> Broadcast<T, N> {
    /// An empty broadcast. It is an error of compilation if `N` is 0.
    ///
    /// ```
    /// # use miniss_core::sync::broadcast::Broadcast;
    /// let mut broadcast = Broadcast::<u32, 3>::new();
    /// let (sender, receiver) = broadcast.split();
    /// ```
    pub const fn new() -> Self {
        Self { log: Log::new(FixedBuffer::new()) }
    }

    /// The two handles of the broadcast, which starts again: empty and open.
    ///
    /// They live as long as the borrow. From a `&'static mut` they are `'static`, as tasks need
    /// them that are not [scoped](crate::Executor::scope); the [manual](crate::manual::porting) has
    /// a cell that hands one out.
    ///
    /// ```
    /// use miniss_core::sync::{Borrowed, broadcast::{Broadcast, Receiver, Sender}};
    ///
    /// type News = Broadcast<u32, 3>;
    ///
    /// type Here = Borrowed<'static, 3>;
    ///
    /// fn handles(news: &'static mut News) -> (Sender<u32, Here>, Receiver<u32, Here>) {
    ///     news.split()
    /// }
    /// ```
    pub fn split(&mut self) -> (Sender<T, Borrowed<'_, N>>, Receiver<T, Borrowed<'_, N>>) {
        *self = Self::new();
        handles(&self.log)
    }
}

impl<T, const N: usize> Default for Broadcast<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for Broadcast<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)
    }
}

/// A broadcast on the heap that keeps the last `capacity` values, and its two handles.
///
/// Needs the `alloc` feature.
///
/// # Panics
///
/// If `capacity` is 0, or more than memory can hold.
///
/// ```
/// use miniss_core::sync::broadcast;
///
/// let (sender, mut receiver) = broadcast::channel(4);
/// sender.send(1).unwrap();
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
#[cfg(feature = "alloc")]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    handles(Rc::new(Log::new(HeapBuffer::bounded(capacity))))
}

/// Where a broadcast lies: on the [heap](super::Heap) or in a [borrowed](super::Borrowed) place. It
/// is implemented for these two only.
///
/// ```
/// use miniss_core::sync::broadcast::{self, Broadcast, Place, Sender};
///
/// fn tell_all<P: Place<u32>>(sender: &Sender<u32, P>) {
///     sender.send(1).unwrap();
/// }
/// let mut broadcast = Broadcast::<u32, 4>::new();
/// let (sender, _receiver) = broadcast.split();
/// tell_all(&sender);
/// let (sender, _receiver) = broadcast::channel(4);
/// tell_all(&sender);
/// ```
pub trait Place<T>: sealed::Sealed {
    #[doc(hidden)]
    type Link: Deref<Target = Log<Self::Buffer>> + Clone;
    #[doc(hidden)]
    type Buffer: Buffer<Item = T>;
}

#[cfg(feature = "alloc")]
impl<T> Place<T> for Heap {
    type Link = Rc<Log<HeapBuffer<T>>>;
    type Buffer = HeapBuffer<T>;
}

impl<'a, T: 'a, const N: usize> Place<T> for Borrowed<'a, N> {
    type Link = &'a Log<FixedBuffer<T, N>>;
    type Buffer = FixedBuffer<T, N>;
}

/// What the two ends share: the last values, numbered.
#[doc(hidden)]
pub struct Log<B: Buffer> {
    next: Cell<u64>,
    waiters: WaitList<u64>,
    closing: WaitList<()>,
    ends: Counts,
    items: RefCell<B>,
}

fn handles<T, P: Place<T>>(link: P::Link) -> (Sender<T, P>, Receiver<T, P>) {
    let (sender, receiver) = ends::pair(link);
    (Sender::new(sender), Receiver::new(receiver))
}

impl<B: Buffer> Log<B> {
    const fn new(buffer: B) -> Self {
        Self {
            next: Cell::new(0),
            waiters: WaitList::new(),
            closing: WaitList::new(),
            ends: Counts::pair(),
            items: RefCell::new(buffer),
        }
    }

    fn capacity(&self) -> usize {
        self.items.borrow().capacity()
    }

    const fn receiver_count(&self) -> usize {
        self.ends.receivers()
    }

    const fn waiters(&self) -> usize {
        self.waiters.len()
    }

    /// The number that the next value will have.
    const fn next(&self) -> u64 {
        self.next.get()
    }

    const fn wait_list(&self) -> &WaitList<u64> {
        &self.waiters
    }

    /// Whether the last sender is gone.
    const fn is_ended(&self) -> bool {
        self.ends.senders() == 0
    }

    /// Those who wait for the last receiver to go.
    const fn closing(&self) -> &WaitList<()> {
        &self.closing
    }

    /// How many of the values from number `wanted` on are kept.
    fn kept_from(&self, wanted: u64) -> usize {
        let kept = self.items.borrow().len();
        usize::try_from(self.next() - wanted).map_or(kept, |sent| sent.min(kept))
    }

    /// Keeps `value` as the newest, wakes who waits for it, and returns the oldest if that had to
    /// go.
    #[track_caller]
    fn push(&self, value: B::Item) -> Option<B::Item> {
        let mut items =
            self.items.try_borrow_mut().expect("a broadcast cannot send while a value is cloned");
        let full = items.len() == items.capacity();
        let oldest = if full { items.pop() } else { None };
        let pushed = items.push(value);
        drop(items);
        assert!(pushed.is_ok(), "there was room, or it was made");
        self.next.set(self.next() + 1);
        self.waiters.wake_while(|wanted| (wanted < self.next()).then_some(wanted));
        oldest
    }

    /// The number of the oldest value that is kept, or of the next one if none is.
    fn oldest(&self) -> u64 {
        self.next() - self.items.borrow().len() as u64
    }

    fn clear(&self) {
        while self.pop().is_some() {}
    }

    fn pop(&self) -> Option<B::Item> {
        self.items.try_borrow_mut().ok()?.pop()
    }
}

impl<B: Buffer<Item: Clone>> Log<B> {
    /// A clone of the value that `wanted` numbers; `wanted` moves on to the next, or to the oldest
    /// that is kept.
    fn take(&self, wanted: &mut u64) -> Result<B::Item, TryRecvError> {
        let oldest = self.oldest();
        if *wanted < oldest {
            let missed = oldest - *wanted;
            *wanted = oldest;
            return Err(TryRecvError::Lagged(missed));
        }
        // Below the buffer's length, or one beyond it, so it fits.
        let value = self.items.borrow().peek((*wanted - oldest) as usize).cloned();
        match value {
            Some(value) => {
                *wanted += 1;
                Ok(value)
            }
            None if self.is_ended() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl<B: Buffer> Ends for Log<B> {
    fn counts(&self) -> &Counts {
        &self.ends
    }

    fn senders_gone(&self) {
        self.waiters.wake_while(Some);
    }

    fn receivers_gone(&self) {
        // A waker may subscribe: from then on there is nothing to tell.
        let is_over = |()| (self.receiver_count() == 0).then_some(());
        let _closing = defer(|| {
            self.closing.wake_while(is_over);
        });
        self.clear();
    }
}

impl<B: Buffer> fmt::Debug for Log<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("sent", &self.next())
            .field("receivers", &self.receiver_count())
            .field("waiters", &self.waiters())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

/// What a receiver got instead of a value.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::broadcast::{self, RecvError};
///
/// let (sender, mut receiver) = broadcast::channel(1);
/// sender.send('a').unwrap();
/// sender.send('b').unwrap();
/// drop(sender);
/// executor().block_on(async {
///     assert_eq!(receiver.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(receiver.recv().await, Ok('b'));
///     assert_eq!(receiver.recv().await, Err(RecvError::Closed));
/// });
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The last sender is gone, and all it sent has been received.
    Closed,
    /// So many values were overwritten before this receiver came to them. It goes on with the
    /// oldest that is kept.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed: nothing will be sent any more"),
            Self::Lagged(missed) => write!(f, "too slow: missed {missed} values"),
        }
    }
}

impl Error for RecvError {}

/// What a receiver that does not wait got instead of a value.
///
/// ```
/// use miniss_core::sync::broadcast::{self, TryRecvError};
///
/// let (sender, mut receiver) = broadcast::channel::<u32>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// There is nothing that it has not received.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("nothing new has been sent yet"),
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
        }
    }
}

impl Error for TryRecvError {}

#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod model;
#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod tests;
