//! The receiving end of a cell: waits for the promise to end, and takes what it left.
//!
//! The unsafe blocks here rest on the invariants of `cell` (Two Ends, Outcome Turn) and
//! `waker_slot` (Waker Turn). No foreign code (a waker's `clone` or `drop`, a value's `drop`)
//! runs between the two halves of a change: it runs before the first transition or after the last.

use core::any::type_name;
use core::mem::ManuallyDrop;
use core::task::{Poll, Waker};

use super::cell::Link;
use super::state::{Abandonment, Done, Leaving, Observed, Registration, Seen, Withdrawal};
use crate::unobserved::{self, Source};

/// The receiving end of an open cell.
pub(super) struct Waiter<T, E> {
    link: Link<T, E>,
}

impl<T, E> Waiter<T, E> {
    pub(super) fn new(link: Link<T, E>) -> Self {
        Self { link }
    }

    /// Whether the promise has ended.
    pub(super) fn is_done(&self) -> bool {
        self.link.state().is_done()
    }

    /// Ready once the promise has ended; until then, `waker` is woken when it does.
    pub(super) fn poll_done(&mut self, waker: &Waker) -> Poll<()> {
        match self.link.state().observe() {
            Observed::Done(_) => Poll::Ready(()),
            Observed::Idle(seen) => self.register(seen, waker.clone()),
            Observed::Registered(_) if self.link.waker().holds(waker) => Poll::Pending,
            Observed::Registered(seen) => self.replace(seen, waker.clone()),
        }
    }

    /// Takes the outcome and leaves; `None` if the promise was broken.
    ///
    /// # Panics
    /// If the promise has not ended.
    pub(super) fn finish(self) -> Option<Result<T, E>> {
        let Observed::Done(done) = self.link.state().observe() else {
            panic!("a promise's outcome was taken before its end");
        };
        ManuallyDrop::new(self).leave(done)
    }

    /// Registers `waker` where there is none.
    fn register(&mut self, seen: Seen, waker: Waker) -> Poll<()> {
        self.link.waker().put(waker);
        match self.link.state().register(seen) {
            Registration::Registered => Poll::Pending,
            Registration::Done => {
                // SAFETY: Waker Turn: we put it there and the promise did not see it.
                drop(unsafe { self.link.waker().copy().into_waker() });
                Poll::Ready(())
            }
        }
    }

    /// Registers `waker` in place of another.
    fn replace(&mut self, seen: Seen, waker: Waker) -> Poll<()> {
        match self.link.state().withdraw(seen) {
            Withdrawal::Done => Poll::Ready(()),
            Withdrawal::Withdrawn(seen) => {
                // SAFETY: Waker Turn: it was registered, and `withdraw` made it ours again. It
                // lives until the new one is registered, and is dropped then.
                let _former = unsafe { self.link.waker().copy().into_waker() };
                self.register(seen, waker)
            }
        }
    }

    /// Leaves a cell whose promise has ended, with its outcome. To be called once, as the last use
    /// of the link.
    fn leave(&mut self, done: Done) -> Option<Result<T, E>> {
        // SAFETY: Outcome Turn: ours since `DONE`, and there since `OUTCOME` is set; taken once, as
        // we leave only once.
        let outcome = done.has_outcome().then(|| unsafe { self.link.take_outcome() });
        if let Leaving::Last = self.link.state().leave(done) {
            // SAFETY: Two Ends: `Last` says that the promise is out.
            unsafe { self.link.close() };
        }
        outcome
    }

    /// Leaves a cell whose promise has not ended, unless it does so first.
    fn abandon(&mut self, seen: Seen, registered: bool) {
        // The promise may close the cell the moment we have left, so the waker is copied before.
        let copy = registered.then(|| self.link.waker().copy());
        match self.link.state().abandon(seen) {
            // SAFETY: Waker Turn: it was registered, and the promise ends without taking it.
            Abandonment::Left => drop(copy.map(|copy| unsafe { copy.into_waker() })),
            Abandonment::Done(done) => drop_unseen(self.leave(done)),
        }
    }
}

impl<T, E> Drop for Waiter<T, E> {
    fn drop(&mut self) {
        match self.link.state().observe() {
            Observed::Idle(seen) => self.abandon(seen, false),
            Observed::Registered(seen) => self.abandon(seen, true),
            Observed::Done(done) => drop_unseen(self.leave(done)),
        }
    }
}

/// Drops an outcome that no one took.
fn drop_unseen<T, E>(outcome: Option<Result<T, E>>) {
    if let Some(Err(_)) = outcome {
        unobserved::report(Source::Promise, type_name::<E>());
    }
}
