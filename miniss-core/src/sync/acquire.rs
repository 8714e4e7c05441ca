//! The wait for units of a semaphore.
//!
//! # Invariants
//!
//! - **The waiter stays put.** `waiter` is structurally pinned: no method moves it out of its
//!   [`Acquire`], which is not `Unpin`, and whose `Drop` does not move it either.
//! - **Granted is owned.** A request in the state `Granted` owns its units. Exactly one of delivery
//!   and drop takes them.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::semaphore::{Closed, Semaphore, TryAcquireError};
use super::units::Units;
use crate::collections::Waiter;
use crate::coop::Leaf;

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
    pub(super) const fn new(semaphore: &'a Semaphore, units: usize) -> Self {
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
            // SAFETY: "The waiter stays put": a pinned future has a pinned waiter.
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
pub(super) enum Request {
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::collections::test_waker::poll_with;
    use core::pin::pin;
    use core::ptr;
    use core::task::{RawWaker, RawWakerVTable, Waker};

    #[test]
    fn a_waker_whose_clone_releases_units_is_not_forgotten() {
        static VTABLE: RawWakerVTable = RawWakerVTable::new(release, |_| (), |_| (), |_| ());
        fn release(data: *const ()) -> RawWaker {
            // SAFETY: `data` is the leaked semaphore below.
            unsafe { &*data.cast::<Semaphore>() }.release(1);
            RawWaker::new(data, &VTABLE)
        }
        let semaphore: &'static Semaphore = crate::kept::forever(Semaphore::new(0));
        // SAFETY: the functions only release a unit of a semaphore that lives forever, and the
        // waker never leaves this thread.
        let waker = unsafe { Waker::new(ptr::from_ref(semaphore).cast(), &VTABLE) };
        let mut acquire = pin!(semaphore.acquire(1));
        assert!(poll_with(acquire.as_mut(), &waker).is_ready());
    }
}
