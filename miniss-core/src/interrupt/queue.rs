//! A queue from one interrupt handler to one task: wait-free at both ends.
//!
//! The values are in a queue of `heapless`. Its two ends are made once, by the first that needs
//! one, and each is borrowed for a few instructions at a time.
//!
//! # Invariants
//!
//! - **Split once.** The ends are written by the one that leads `state` from `WHOLE` to
//!   `SPLITTING`, and there from `SPLIT` on; the queue itself is reached through them alone.
//! - **One sender.** While `is_sending`, the producer is the one's that has set it.
//!
//! and *One receiver* (see [`Receiver`]), who has the consumer.

use core::fmt;

use heapless::spsc;

use super::receiver::sealed::Sealed;
use super::receiver::{Receiver, Reception, Source};
use crate::error::{NotSent, Refused};
use crate::prim::{AtomicBool, AtomicU8, Ordering, UnsafeCell, const_fn, ordering};

/// The ends are to be made.
const WHOLE: u8 = 0;
/// Someone is making the ends.
const SPLITTING: u8 = 1;
const SPLIT: u8 = 2;

/// Values from one handler, or one core, to a task, in order. It has room for `N - 1`.
///
/// ```
/// use miniss_core::error::NotSent;
/// use miniss_core::interrupt::Queue;
///
/// static BYTES: Queue<u8, 3> = Queue::new();
///
/// BYTES.try_send(b'a').unwrap();
/// BYTES.try_send(b'b').unwrap();
/// let refused = BYTES.try_send(b'c').unwrap_err();
/// assert_eq!((refused.value, refused.reason), (b'c', NotSent::Full));
/// ```
pub struct Queue<T: 'static, const N: usize> {
    queue: UnsafeCell<spsc::Queue<T, N>>,
    producer: UnsafeCell<Option<spsc::Producer<'static, T>>>,
    consumer: UnsafeCell<Option<spsc::Consumer<'static, T>>>,
    state: AtomicU8,
    is_sending: AtomicBool,
    reception: Reception,
}

// SAFETY: *Split once*, *One sender*, *One receiver*; the values are `Send`.
unsafe impl<T: Send, const N: usize> Sync for Queue<T, N> {}

impl<T: Send, const N: usize> Queue<T, N> {
    const_fn! {
        /// An empty queue. It is an error of compilation if `N` is less than 2.
        pub const fn new() -> Self {
            Self {
                queue: UnsafeCell::new(spsc::Queue::new()),
                producer: UnsafeCell::new(None),
                consumer: UnsafeCell::new(None),
                state: AtomicU8::new(WHOLE),
                is_sending: AtomicBool::new(false),
                reception: Reception::new(),
            }
        }
    }

    /// Sends `value` and wakes the task that waits. Wait-free.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the value: [`Full`](NotSent::Full), or [`Busy`](NotSent::Busy) if this has
    /// interrupted another sender in the middle, or another core is sending. Then they want a queue
    /// each, or a [`SharedQueue`](super::SharedQueue).
    ///
    /// # Panics
    ///
    /// If the waker of the task does; the value has been sent then. Those of an executor do not.
    pub fn try_send(&'static self, value: T) -> Result<(), Refused<T, NotSent>> {
        // Acquire: pairs with the end of the send before.
        if self.is_sending.swap(true, ordering!(Acquire, "interrupt: begin to send")) {
            return Err(Refused::new(value, NotSent::Busy));
        }
        let sent = match self.is_split() {
            true => self.enqueue(value),
            false => Err(Refused::new(value, NotSent::Busy)),
        };
        self.is_sending.store(false, ordering!(Release, "interrupt: end of a send"));
        if sent.is_ok() {
            self.reception.waker.wake();
        }
        sent
    }

    /// The receiving end; `None` while someone has it.
    pub fn receiver(&'static self) -> Option<Receiver<Self>> {
        self.is_split().then(|| Receiver::claim(self))?
    }

    /// How many values it has room for.
    pub const fn capacity(&self) -> usize {
        N - 1
    }

    /// *One sender*: the caller has set `is_sending`.
    fn enqueue(&self, value: T) -> Result<(), Refused<T, NotSent>> {
        self.producer.with_mut(|producer| {
            // SAFETY: *One sender*, *Split once*.
            let producer = unsafe { (*producer).as_mut() }.expect("*Split once*");
            producer.enqueue(value).map_err(|value| Refused::new(value, NotSent::Full))
        })
    }

    /// Whether the ends are there, if need be by making them; no if someone else is at it.
    pub(super) fn is_split(&'static self) -> bool {
        // Acquire: pairs with `split`.
        self.state.load(ordering!(Acquire, "interrupt: are there ends")) == SPLIT || self.split()
    }

    #[cold]
    fn split(&'static self) -> bool {
        let relaxed = Ordering::Relaxed;
        if self.state.compare_exchange(WHOLE, SPLITTING, relaxed, relaxed).is_err() {
            return false;
        }
        // SAFETY: *Split once*: no one else has a reference to it, or will.
        let (producer, consumer) = self.queue.with_mut(|queue| unsafe { &mut *queue }.split());
        // SAFETY: *Split once*: they are not in use before the next line.
        self.producer.with_mut(|end| unsafe { *end = Some(producer) });
        // SAFETY: as above.
        self.consumer.with_mut(|end| unsafe { *end = Some(consumer) });
        self.state.store(SPLIT, ordering!(Release, "interrupt: the ends are there"));
        true
    }
}

impl<T: Send, const N: usize> Source for Queue<T, N> {
    type Value = T;
}

impl<T: Send, const N: usize> Sealed<T> for Queue<T, N> {
    fn reception(&self) -> &Reception {
        &self.reception
    }

    unsafe fn has_value(&self) -> bool {
        // SAFETY: *One receiver*, by the caller's promise.
        self.consumer.with_mut(|end| unsafe { (*end).as_ref() }.is_some_and(|end| end.ready()))
    }

    unsafe fn take(&self) -> Option<T> {
        // SAFETY: *One receiver*, by the caller's promise.
        self.consumer.with_mut(|end| unsafe { (*end).as_mut() }.and_then(|end| end.dequeue()))
    }
}

impl<T: Send, const N: usize> Default for Queue<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for Queue<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("capacity", &(N - 1)).finish_non_exhaustive()
    }
}
