//! What the channels are made of: counted handles at both ends, and a buffer for values.
//!
//! A handle reaches its channel by a pointer: an `Rc` if the channel is on the heap, a reference if
//! the user lends the place for it. One implementation serves both. Users do not see the pointer:
//! they see the type of the values, and [`Heap`] or [`Borrowed`] behind it.
//!
//! # Invariants
//!
//! - **An end is one handle.** `split` starts both counts at one and makes one handle for each
//!   end; from there a clone adds one and a drop takes one. A handle that is leaked counts
//!   forever: its end never closes.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Deref;

#[cfg(feature = "alloc")]
use alloc::collections::VecDeque;

/// A channel on the heap, which the last of its handles frees. This is the place of handles that
/// name none: `Sender<T>` is `Sender<T, Heap>`.
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::sync::{Heap, channel};
/// let (sender, _receiver) = channel::bounded(3);
/// let sender: channel::Sender<u32, Heap> = sender;
/// ```
#[derive(Debug)]
pub enum Heap {}

/// A channel in a place that the user owns, with room for `N` values. Its handles borrow it for
/// `'a`.
///
/// ```
/// use miniss_core::sync::{Borrowed, channel::{Channel, Sender}};
/// let mut channel = Channel::new();
/// let (sender, _receiver) = channel.split();
/// let sender: Sender<u32, Borrowed<'_, 3>> = sender;
/// ```
#[derive(Debug)]
pub struct Borrowed<'a, const N: usize = 1>(PhantomData<&'a ()>);

pub(super) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Heap {}
impl<const N: usize> sealed::Sealed for Borrowed<'_, N> {}

/// What the handles of a channel share.
pub trait Ends {
    /// Where the handles are counted.
    fn counts(&self) -> &Counts;

    /// The last sender is gone.
    fn senders_gone(&self);

    /// The last receiver is gone.
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

/// A first-in first-out store with a bound. It runs no code of the values that it holds.
pub trait Buffer {
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

/// Room for `N` values in place; no heap.
#[derive(Debug)]
pub struct FixedBuffer<T, const N: usize>(heapless::Deque<T, N>);

impl<T, const N: usize> FixedBuffer<T, N> {
    pub(super) const fn new() -> Self {
        const { assert!(N > 0, "a channel needs room for one value at least") };
        Self(heapless::Deque::new())
    }
}

impl<T, const N: usize> Buffer for FixedBuffer<T, N> {
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
impl<T> Buffer for HeapBuffer<T> {
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
