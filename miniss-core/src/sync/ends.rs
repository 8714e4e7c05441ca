//! What the channels are made of: counted handles at both ends, and a buffer for values.
//!
//! A handle reaches its channel by a pointer `P`: `&Channel` where the channel stands in a place
//! of its own, `Rc<Channel>` where there is a heap. One implementation serves both.
//!
//! # Invariants
//!
//! - **An end is one handle.** `split` starts both counts at one and makes one handle for each
//!   end; from there a clone adds one and a drop takes one. A handle that is leaked counts
//!   forever: its end never closes.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::collections::VecDeque;

/// What handles are counted for. Implemented here only.
pub trait Ends {
    /// Where the handles are counted.
    #[doc(hidden)]
    fn counts(&self) -> &Counts;

    /// The last sender is gone.
    #[doc(hidden)]
    fn senders_gone(&self);

    /// The last receiver is gone.
    #[doc(hidden)]
    fn receivers_gone(&self);
}

/// How many handles there are at each end.
#[derive(Debug)]
pub struct Counts {
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

impl Counts {
    /// One handle at each end.
    pub(super) const fn pair() -> Self {
        Self { senders: Cell::new(1), receivers: Cell::new(1) }
    }

    pub(super) const fn senders(&self) -> usize {
        self.senders.get()
    }

    pub(super) const fn receivers(&self) -> usize {
        self.receivers.get()
    }
}

/// One handle at the sending end.
pub(super) struct SendEnd<P: Deref<Target: Ends>>(P);

/// One handle at the receiving end.
pub(super) struct ReceiveEnd<P: Deref<Target: Ends>>(P);

/// The two handles that [`Counts::pair`] has counted already.
pub(super) fn pair<P: Deref<Target: Ends> + Clone>(link: P) -> (SendEnd<P>, ReceiveEnd<P>) {
    (SendEnd(link.clone()), ReceiveEnd(link))
}

impl<P: Deref<Target: Ends> + Clone> SendEnd<P> {
    /// A new handle at the other end.
    pub(super) fn subscribe(&self) -> ReceiveEnd<P> {
        add_one(&self.0.counts().receivers);
        ReceiveEnd(self.0.clone())
    }
}

impl<P: Deref<Target: Ends>> Deref for SendEnd<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.0
    }
}

impl<P: Deref<Target: Ends>> Deref for ReceiveEnd<P> {
    type Target = P::Target;

    fn deref(&self) -> &P::Target {
        &self.0
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for SendEnd<P> {
    fn clone(&self) -> Self {
        add_one(&self.0.counts().senders);
        Self(self.0.clone())
    }
}

impl<P: Deref<Target: Ends> + Clone> Clone for ReceiveEnd<P> {
    fn clone(&self) -> Self {
        add_one(&self.0.counts().receivers);
        Self(self.0.clone())
    }
}

impl<P: Deref<Target: Ends>> Drop for SendEnd<P> {
    fn drop(&mut self) {
        if take_one(&self.0.counts().senders) {
            self.0.senders_gone();
        }
    }
}

impl<P: Deref<Target: Ends>> Drop for ReceiveEnd<P> {
    fn drop(&mut self) {
        if take_one(&self.0.counts().receivers) {
            self.0.receivers_gone();
        }
    }
}

fn add_one(count: &Cell<usize>) {
    count.set(count.get().checked_add(1).expect("more handles than can be counted"));
}

/// Takes one handle off; whether it was the last.
fn take_one(count: &Cell<usize>) -> bool {
    let left = count.get() - 1;
    count.set(left);
    left == 0
}

/// A first-in first-out store with a bound. Implemented by [`FixedBuffer`] and, with `alloc`,
/// `HeapBuffer`.
///
/// It is sealed: the channels rely on it running no code of the values it holds.
///
/// ```
/// use miniss_core::sync::channel::{Buffer, FixedBuffer, Queue};
///
/// fn room_is_the_capacity<B: Buffer>(queue: &Queue<B>) {
///     assert_eq!(queue.capacity(), 4);
/// }
/// room_is_the_capacity(&Queue::<FixedBuffer<u8, 4>>::new());
/// ```
pub trait Buffer: sealed::Store {}

impl<B: sealed::Store> Buffer for B {}

pub(super) mod sealed {
    /// What the channels ask of a buffer.
    pub trait Store {
        /// What it keeps.
        type Item;

        /// How many values it keeps at most.
        fn capacity(&self) -> usize;

        /// How many values it keeps now.
        fn len(&self) -> usize;

        /// Keeps `item` as the last, or gives it back if there is no room.
        fn push(&mut self, item: Self::Item) -> Result<(), Self::Item>;

        /// Takes the first out.
        fn pop(&mut self) -> Option<Self::Item>;

        /// The value that `index` others are before.
        fn peek(&self, index: usize) -> Option<&Self::Item>;
    }
}

/// Room for `N` values in place; no heap.
///
/// ```
/// use miniss_core::sync::channel::{Channel, FixedBuffer, Queue};
///
/// let channel: Channel<u8, 4> = Queue::<FixedBuffer<u8, 4>>::new(); // the same type
/// ```
#[derive(Debug)]
pub struct FixedBuffer<T, const N: usize>(heapless::Deque<T, N>);

impl<T, const N: usize> FixedBuffer<T, N> {
    pub(super) const fn new() -> Self {
        const { assert!(N > 0, "a channel needs room for one value at least") };
        Self(heapless::Deque::new())
    }
}

impl<T, const N: usize> sealed::Store for FixedBuffer<T, N> {
    type Item = T;

    fn capacity(&self) -> usize {
        N
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push_back(item)
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn peek(&self, index: usize) -> Option<&T> {
        self.0.get(index)
    }
}

/// Room on the heap, up to a bound.
///
/// Needs the `alloc` feature.
///
/// ```
/// use std::rc::Rc;
/// use miniss_core::sync::channel::{self, HeapBuffer};
///
/// let (sender, _receiver) = channel::bounded(4);
/// let sender: channel::Sender<Rc<channel::Queue<HeapBuffer<u8>>>> = sender;
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct HeapBuffer<T> {
    items: VecDeque<T>,
    capacity: usize,
}

#[cfg(feature = "alloc")]
impl<T> HeapBuffer<T> {
    /// Room for `capacity` values, all of it there from the start.
    pub(super) fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "a channel needs room for one value at least");
        Self { items: VecDeque::with_capacity(capacity), capacity }
    }

    /// Room that grows as it is needed, and shrinks when most of it is not.
    pub(super) fn growing() -> Self {
        Self { items: VecDeque::new(), capacity: super::Semaphore::UNITS_MAX }
    }
}

#[cfg(feature = "alloc")]
impl<T> sealed::Store for HeapBuffer<T> {
    type Item = T;

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn push(&mut self, item: T) -> Result<(), T> {
        if self.len() == self.capacity {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let first = self.items.pop_front();
        self.shrink();
        first
    }

    fn peek(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }
}

#[cfg(feature = "alloc")]
impl<T> HeapBuffer<T> {
    /// Room for so many values is kept, once it is there: 4 KiB, or four large values.
    const KEPT: usize = match size_of::<T>() {
        0..=1024 => 4096 / (size_of::<T>() + (size_of::<T>() == 0) as usize),
        _ => 4,
    };

    /// Gives half of the room back when three quarters of it are free. A bounded buffer has all its
    /// room from the start, and keeps it.
    ///
    /// From then on half of those that are left must go before it shrinks again, and as many must
    /// come before it grows, so a value pays for a constant number of moves.
    fn shrink(&mut self) {
        let room = self.items.capacity();
        let may_shrink = room > Self::KEPT && room < self.capacity;
        if may_shrink && self.items.len() <= room / 4 {
            self.items.shrink_to((room / 2).max(Self::KEPT));
        }
    }
}
