//! The receiving end of a queue or a signal.
//!
//! # Invariants
//!
//! - **One receiver.** `is_taken` is set as long as a receiver lives, and it alone takes values, by
//!   a mutable borrow of itself.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker, ready};
use core::{fmt, ptr};

use super::waker_cell::WakerCell;
use crate::coop::Leaf;
use crate::prim::{AtomicBool, const_fn, ordering};

/// What a [`Receiver`] receives from: a [`Queue`](super::Queue), a
/// [`SharedQueue`](super::SharedQueue) or a [`Signal`](super::Signal).
pub trait Source: sealed::Sealed<<Self as Source>::Value> + Sync + 'static {
    /// What is sent.
    type Value;
}

pub(super) mod sealed {
    use super::Reception;

    pub trait Sealed<T> {
        /// Who waits.
        fn reception(&self) -> &Reception;

        /// Whether `take` would find a value. It sees each that was sent before a wake that
        /// `register` has seen.
        ///
        /// # Safety
        /// *One receiver*: it is the caller.
        unsafe fn has_value(&self) -> bool;

        /// Takes the next value.
        ///
        /// # Safety
        /// As for `has_value`.
        unsafe fn take(&self) -> Option<T>;
    }
}

/// Who receives from a `static`, if anyone does.
pub struct Reception {
    pub(super) waker: WakerCell,
    is_taken: AtomicBool,
}

impl Reception {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { waker: WakerCell::new(), is_taken: AtomicBool::new(false) }
        }
    }
}

/// The one end that receives from a `static`. It may move to another core, its values with it.
///
/// Dropping it leaves what has come to the next receiver.
///
/// ```
/// use miniss_core::interrupt::{Queue, Receiver};
///
/// static NUMBERS: Queue<u32, 4> = Queue::new();
///
/// let receiver: Receiver<Queue<u32, 4>> = NUMBERS.receiver().unwrap();
/// assert!(NUMBERS.receiver().is_none());
/// drop(receiver);
/// assert!(NUMBERS.receiver().is_some());
/// ```
pub struct Receiver<S: Source> {
    source: &'static S,
    leaf: Leaf,
}

impl<S: Source> Receiver<S> {
    /// The receiver of `source`, unless someone has it.
    pub(super) fn claim(source: &'static S) -> Option<Self> {
        let is_taken = &source.reception().is_taken;
        // Acquire: pairs with the drop of the one before.
        let is_free = !is_taken.swap(true, ordering!(Acquire, "interrupt: claim"));
        is_free.then(|| Self { source, leaf: Leaf::new() })
    }

    /// Waits for the next value.
    ///
    /// # Cancellation
    ///
    /// Safe: a future that is dropped before it is ready has taken nothing.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use miniss_core::interrupt::Signal;
    ///
    /// static LEVEL: Signal<u32> = Signal::new();
    ///
    /// let mut level = LEVEL.receiver().unwrap();
    /// (1..=3).for_each(|value| LEVEL.send(value).unwrap());
    /// assert_eq!(executor().block_on(level.recv()), 3);
    /// ```
    pub async fn recv(&mut self) -> S::Value {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) for futures written by hand. If pending, the task of `cx` is woken, and
    /// it alone: the last poll counts.
    ///
    /// ```
    /// use core::task::{Context, Poll, Waker};
    /// use miniss_core::interrupt::Queue;
    ///
    /// static NUMBERS: Queue<u32, 4> = Queue::new();
    ///
    /// let mut numbers = NUMBERS.receiver().unwrap();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(numbers.poll_recv(&mut cx), Poll::Pending);
    /// NUMBERS.try_send(7).unwrap();
    /// assert_eq!(numbers.poll_recv(&mut cx), Poll::Ready(7));
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<S::Value> {
        if !self.has_value() {
            self.source.reception().waker.register(cx.waker());
            if !self.has_value() {
                return Poll::Pending;
            }
        }
        ready!(self.leaf.poll_proceed(cx));
        match self.try_recv() {
            Some(value) => Poll::Ready(value),
            None => unreachable!("*One receiver*: no one else has taken it"),
        }
    }

    fn has_value(&self) -> bool {
        // SAFETY: *One receiver*: it is us.
        unsafe { self.source.has_value() }
    }

    /// Takes the next value if it is there.
    ///
    /// ```
    /// use miniss_core::interrupt::Queue;
    ///
    /// static NUMBERS: Queue<u32, 4> = Queue::new();
    ///
    /// let mut numbers = NUMBERS.receiver().unwrap();
    /// assert_eq!(numbers.try_recv(), None);
    /// NUMBERS.try_send(7).unwrap();
    /// assert_eq!(numbers.try_recv(), Some(7));
    /// ```
    pub fn try_recv(&mut self) -> Option<S::Value> {
        // SAFETY: *One receiver*: it is us, borrowed mutably.
        unsafe { self.source.take() }
    }
}

impl<S: Source> Drop for Receiver<S> {
    fn drop(&mut self) {
        let reception = self.source.reception();
        // The waker of a task that has ended may hold memory.
        reception.waker.register(Waker::noop());
        // Release: pairs with the claim of the next.
        reception.is_taken.store(false, ordering!(Release, "interrupt: let go"));
    }
}

impl<S: Source> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("source", &ptr::from_ref(self.source)).finish()
    }
}
