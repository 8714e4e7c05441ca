//! A counting semaphore: so many units, handed out first come first served.
//!
//! # Invariants
//!
//! - **No overtaking.** Units go to the front of the queue or to no one. A small request waits
//!   behind a large one, so the large one cannot starve.
//! - **Granted is taken.** A waiter's units leave `available` when it is woken, not when it is
//!   polled, so no one can slip in between. Until the poll they belong to its [`Acquire`], whose
//!   drop gives them back.
//! - **Nothing affordable waits.** Every change that could let the front proceed (units coming
//!   back, the front leaving) ends in [`Semaphore::grant`].
//! - **Closed is empty.** A closed semaphore has no waiters and gets no new ones.
//! - **The waiter stays put.** `waiter` is structurally pinned: no method moves it out of its
//!   [`Acquire`], which is not `Unpin`, and whose `Drop` does not move it either.
//! - **Granted is owned.** A request in the state `Granted` owns its units. Exactly one of delivery
//!   and drop takes them.

mod units;

use core::cell::Cell;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

#[cfg(feature = "alloc")]
pub use units::OwnedUnits;
pub use units::Units;

use crate::collections::{WaitList, Waiter};
use crate::coop::Leaf;

/// What was to be waited for or entered is closed: a [`Semaphore`] or a
/// [`Condvar`](super::Condvar) hands out nothing any more, a [`Gate`](super::Gate) lets no one in.
///
/// ```
/// # use miniss_core::{doctest::executor, sync::{Closed, Semaphore}};
/// let semaphore = Semaphore::new(1);
/// semaphore.close();
/// assert_eq!(executor().block_on(semaphore.acquire(1)).err(), Some(Closed));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed: no one is let in and nothing is handed out any more")
    }
}

impl Error for Closed {}

/// Why [`Semaphore::try_acquire`] gave nothing.
///
/// ```
/// # use miniss_core::sync::{Semaphore, TryAcquireError};
/// let semaphore = Semaphore::new(2);
/// assert_eq!(semaphore.try_acquire(3).err(), Some(TryAcquireError::NoUnits));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// There are too few units, or others were first.
    NoUnits,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => Closed.fmt(f),
            Self::NoUnits => f.write_str("too few units, or others are waiting for them"),
        }
    }
}

impl Error for TryAcquireError {}

/// A number of units that futures of one core acquire and give back.
///
/// Units bound whatever is scarce: requests in flight, bytes in buffers. Waiters are served in the
/// order in which they came, and none is overtaken, whatever it asks for.
///
/// A wait with a deadline is an ordinary timeout around [`acquire`](Self::acquire), since a dropped
/// waiter leaves no trace.
///
/// ```
/// use miniss_core::sync::Semaphore;
///
/// async fn send(buffers: &Semaphore, message: &[u8]) {
///     let Ok(_room) = buffers.acquire(message.len()).await else { return };
///     // The room is given back when `_room` is dropped.
/// }
/// # let buffers = Semaphore::new(16);
/// # let sending = core::pin::pin!(send(&buffers, b"hello"));
/// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// # assert!(sending.poll(&mut cx).is_ready());
/// # assert_eq!(buffers.available(), 16);
/// ```
pub struct Semaphore {
    available: Cell<isize>,
    closed: Cell<bool>,
    queue: WaitList<Request>,
}

impl Semaphore {
    /// The most units that may be available at a time.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Semaphore::new(Semaphore::UNITS_MAX).available(), isize::MAX);
    /// ```
    pub const UNITS_MAX: usize = isize::MAX as usize;

    /// A semaphore with `units` units to hand out.
    ///
    /// # Panics
    ///
    /// If `units` is more than [`UNITS_MAX`](Self::UNITS_MAX).
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Semaphore::new(3).available(), 3);
    /// ```
    pub const fn new(units: usize) -> Self {
        assert!(units <= Self::UNITS_MAX, "more units than a semaphore can count");
        Self {
            available: Cell::new(units as isize),
            closed: Cell::new(false),
            queue: WaitList::new(),
        }
    }

    /// Waits until `units` units are there and all who came earlier have theirs.
    ///
    /// A request for no units is ready as soon as no one waits and there is no debt. A request for
    /// more than will ever be there waits until the semaphore is closed.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the semaphore is closed, before the wait or during it. Units that were granted
    /// before the close are delivered.
    ///
    /// # Cancellation
    ///
    /// Safe. A waiter that is dropped leaves the queue; units it had been granted go to the next.
    /// Only its place in the queue is lost.
    ///
    /// ```
    /// # use core::pin::pin;
    /// # use core::task::{Context, Poll, Waker};
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(1);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let Poll::Ready(Ok(unit)) = pin!(semaphore.acquire(1)).poll(&mut cx) else { panic!() };
    /// let mut second = pin!(semaphore.acquire(1));
    /// assert!(second.as_mut().poll(&mut cx).is_pending());
    /// drop(unit);
    /// assert!(second.poll(&mut cx).is_ready());
    /// ```
    pub const fn acquire(&self, units: usize) -> Acquire<'_> {
        Acquire::new(self, units)
    }

    /// Takes `units` units if they are there and no one waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NoUnits`] if it would have to wait, [`TryAcquireError::Closed`] if the
    /// semaphore is closed.
    ///
    /// ```
    /// # use miniss_core::sync::{Semaphore, TryAcquireError};
    /// let semaphore = Semaphore::new(2);
    /// let both = semaphore.try_acquire(2)?;
    /// assert_eq!(semaphore.try_acquire(1).unwrap_err(), TryAcquireError::NoUnits);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    pub fn try_acquire(&self, units: usize) -> Result<Units<'_>, TryAcquireError> {
        if self.is_closed() {
            Err(TryAcquireError::Closed)
        } else if self.queue.is_empty() && self.take(units) {
            Ok(Units::new(self, units))
        } else {
            Err(TryAcquireError::NoUnits)
        }
    }

    /// As [`acquire`](Self::acquire), for units that own a share in the semaphore, as a task needs
    /// them that borrows nothing. The future owns such a share, too.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Errors
    ///
    /// [`Closed`], as for [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// When polled after it was ready.
    ///
    /// # Cancellation
    ///
    /// Safe. A waiter that is dropped leaves the queue; units it had been granted go to the next.
    /// Only its place in the queue is lost.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use std::rc::Rc;
    /// use miniss_core::sync::Semaphore;
    ///
    /// # let mut executor = executor();
    /// let requests = Rc::new(Semaphore::new(8));
    /// let request = requests.acquire_owned(1);
    /// let task = async move {
    ///     let _one_of_eight = request.await;
    ///     // Work, of which there is never more at a time.
    /// };
    /// executor.block_on(executor.local().spawn(task).unwrap()).unwrap();
    /// assert_eq!(requests.available(), 8);
    /// ```
    #[cfg(feature = "alloc")]
    pub fn acquire_owned(
        self: &Rc<Self>,
        units: usize,
    ) -> impl Future<Output = Result<OwnedUnits, Closed>> + use<> {
        let semaphore = Rc::clone(self);
        async move {
            let granted = semaphore.acquire(units).await?.forget();
            Ok(OwnedUnits::new(semaphore, granted))
        }
    }

    /// As [`try_acquire`](Self::try_acquire), for units that own a share in the semaphore.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use miniss_core::sync::{Semaphore, TryAcquireError};
    /// let semaphore = Rc::new(Semaphore::new(2));
    /// let both = semaphore.try_acquire_owned(2)?;
    /// assert_eq!(semaphore.try_acquire_owned(1).unwrap_err(), TryAcquireError::NoUnits);
    /// # Ok::<(), TryAcquireError>(())
    /// ```
    #[cfg(feature = "alloc")]
    pub fn try_acquire_owned(self: &Rc<Self>, units: usize) -> Result<OwnedUnits, TryAcquireError> {
        let granted = self.try_acquire(units)?.forget();
        Ok(OwnedUnits::new(Rc::clone(self), granted))
    }

    /// Adds `units` units and wakes every waiter in front that can now have its own.
    ///
    /// [`Units`] call this when they are dropped. Call it yourself for units that were
    /// [forgotten](Units::forget), [consumed](Self::consume), or are new.
    ///
    /// # Panics
    ///
    /// If there would be more than [`UNITS_MAX`](Self::UNITS_MAX) units.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(0);
    /// semaphore.release(2);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    #[track_caller]
    pub fn release(&self, units: usize) {
        let sum = self.available.get().checked_add_unsigned(units);
        self.available.set(sum.expect("more units than a semaphore can count"));
        self.grant();
    }

    /// Takes `units` units without waiting, into debt if need be.
    ///
    /// For costs that are known only afterwards. No one is served until the debt has been paid by
    /// [`release`](Self::release).
    ///
    /// # Panics
    ///
    /// If the debt would be more than [`UNITS_MAX`](Self::UNITS_MAX).
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(1);
    /// semaphore.consume(3);
    /// assert_eq!(semaphore.available(), -2);
    /// ```
    #[track_caller]
    pub fn consume(&self, units: usize) {
        let rest = self.available.get().checked_sub_unsigned(units);
        self.available.set(rest.expect("more debt than a semaphore can count"));
    }

    /// Units in hand out of a number: those that were [forgotten](Units::forget) or
    /// [consumed](Self::consume) before.
    ///
    /// Nothing is taken; what is [available](Self::available) changes when they are dropped.
    /// Seastar's `consume_units` is `consume`, then `adopt`.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// let semaphore = Semaphore::new(5);
    /// let count = semaphore.try_acquire(3).unwrap().forget();
    /// let units = semaphore.adopt(count);
    /// assert_eq!((units.len(), semaphore.available()), (3, 2));
    /// drop(units);
    /// assert_eq!(semaphore.available(), 5);
    /// ```
    pub const fn adopt(&self, units: usize) -> Units<'_> {
        Units::new(self, units)
    }

    /// The units that are there; negative while there is a debt.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Semaphore::new(5).available(), 5);
    /// ```
    pub const fn available(&self) -> isize {
        self.available.get()
    }

    /// How many futures wait for units.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert_eq!(Semaphore::new(5).waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.queue.len()
    }

    /// Fails all who wait, and all who come later, with [`Closed`].
    ///
    /// Seastar's `broken`. Units that have been handed out stay valid and may be given back.
    ///
    /// ```
    /// # use miniss_core::sync::{Semaphore, TryAcquireError};
    /// let semaphore = Semaphore::new(1);
    /// semaphore.close();
    /// assert_eq!(semaphore.try_acquire(1).unwrap_err(), TryAcquireError::Closed);
    /// ```
    pub fn close(&self) {
        self.closed.set(true);
        self.queue.wake_while(|_| Some(Request::Closed));
    }

    /// Whether [`close`](Self::close) has been called.
    ///
    /// ```
    /// # use miniss_core::sync::Semaphore;
    /// assert!(!Semaphore::new(1).is_closed());
    /// ```
    pub const fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Serves the queue from the front for as long as the units suffice.
    fn grant(&self) {
        self.queue.wake_while(|request| match request {
            Request::Queued(units) if self.take(units) => Some(Request::Granted(units)),
            _ => None,
        });
    }

    /// Takes `units` units if they are there. A closed semaphore gives none, not even to the
    /// waiters that its close is just about to fail.
    fn take(&self, units: usize) -> bool {
        if self.is_closed() {
            return false;
        }
        let available = self.available.get();
        let rest = available.checked_sub_unsigned(units).filter(|&rest| rest >= 0);
        self.available.set(rest.unwrap_or(available));
        rest.is_some()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("waiters", &self.waiters())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// The future of [`Semaphore::acquire`].
///
/// # Panics
///
/// When polled after it was ready.
///
/// # Cancellation
///
/// Safe, see [`Semaphore::acquire`].
///
/// ```
/// use miniss_core::sync::{Acquire, Semaphore};
///
/// let semaphore = Semaphore::new(1);
/// let never_polled: Acquire<'_> = semaphore.acquire(1);
/// drop(never_polled);
/// assert_eq!(semaphore.available(), 1);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    waiter: Waiter<'a, Request>,
    leaf: Leaf,
}

impl<'a> Acquire<'a> {
    const fn new(semaphore: &'a Semaphore, units: usize) -> Self {
        let waiter = Waiter::new(&semaphore.queue, Request::New(units));
        Self { semaphore, waiter, leaf: Leaf::new() }
    }

    fn start(self: Pin<&Self>, units: usize) {
        let request = match self.semaphore.try_acquire(units) {
            Ok(units) => Request::Granted(units.forget()),
            Err(TryAcquireError::Closed) => Request::Closed,
            Err(TryAcquireError::NoUnits) => Request::Queued(units),
        };
        self.waiter.set_payload(request);
        if let Request::Queued(_) = request {
            // SAFETY: *The waiter stays put*: a pinned future has a pinned waiter.
            unsafe { self.map_unchecked(|acquire| &acquire.waiter) }.enqueue();
        }
    }

    fn deliver(&self, outcome: Result<usize, Closed>) -> Result<Units<'a>, Closed> {
        self.waiter.set_payload(Request::Delivered);
        outcome.map(|units| Units::new(self.semaphore, units))
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Units<'a>, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref();
        if let Request::New(units) = this.waiter.payload() {
            this.start(units);
        }
        this.waiter.register(cx.waker());
        let outcome = match this.waiter.payload() {
            Request::New(_) | Request::Queued(_) => return Poll::Pending,
            Request::Granted(units) => Ok(units),
            Request::Closed => Err(Closed),
            Request::Delivered => panic!("polled after it was ready"),
        };
        ready!(this.leaf.poll_proceed(cx));
        Poll::Ready(this.deliver(outcome))
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        match self.waiter.payload() {
            Request::Granted(units) => self.semaphore.release(units),
            Request::Queued(_) => {
                self.waiter.leave();
                self.semaphore.grant();
            }
            Request::New(_) | Request::Closed | Request::Delivered => {}
        }
    }
}

/// What a waiter asks for and what became of it.
#[derive(Debug, Clone, Copy)]
enum Request {
    /// Not polled yet.
    New(usize),
    /// In the queue.
    Queued(usize),
    /// Woken, and owner of these units until they are delivered.
    Granted(usize),
    /// Woken by a close.
    Closed,
    /// The outcome has been delivered.
    Delivered,
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
