//! Waiting for a change that someone else announces.
//!
//! On one core nothing happens between two awaits, so looking at the condition and beginning to
//! wait need no mutex around them: [`Condvar::wait_until`] is both in one.
//!
//! # Invariants
//!
//! - **Remembered means no one waits.** A signal goes to the first waiter. It is remembered only
//!   if there is none, and the next one to come takes it without waiting.
//! - **A signal has one owner or none.** The waiter woken by a signal owns it until its wait
//!   returns. Dropped before, it hands the signal on as if it were new.
//! - **All is a round.** A waiter carries the round in which it joined. Notifying all ends the
//!   round, and one that joins while its waiters are being woken belongs to the next. A signal or a
//!   close that comes meanwhile finds the round served first.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::pin::pin;

use super::Closed;
use crate::collections::{WaitList, Waiter};
use crate::coop::consume_budget;
use crate::defer::defer;

/// A condition variable for futures of one core, first come first served.
///
/// One signal is remembered if no one waits for it, like Seastar's and unlike that of `std`.
///
/// ```
/// # use miniss_core::combine::when_all;
/// # use miniss_core::doctest::executor;
/// use core::cell::Cell;
/// use miniss_core::sync::{Closed, Condvar};
///
/// let (balance, paid) = (Cell::new(0), Condvar::new());
/// let buy = async {
///     paid.wait_until(|| balance.get() >= 3).await?;
///     Ok::<_, Closed>(balance.replace(0))
/// };
/// let pay = async {
///     balance.set(4);
///     paid.notify_one();
/// };
/// # executor().block_on(async {
/// assert_eq!(when_all((buy, pay)).await, (Ok(4), ()));
/// # });
/// ```
pub struct Condvar {
    closed: Cell<bool>,
    remembered: Cell<bool>,
    round: Cell<u64>,
    queue: WaitList<Turn>,
}

impl Condvar {
    /// A condition variable that no one waits for, with no signal remembered.
    ///
    /// ```
    /// # use miniss_core::sync::Condvar;
    /// assert_eq!(Condvar::new().waiters(), 0);
    /// ```
    pub const fn new() -> Self {
        let (closed, remembered) = (Cell::new(false), Cell::new(false));
        Self { closed, remembered, round: Cell::new(0), queue: WaitList::new() }
    }

    /// Waits for a signal of its own, or for one to all.
    ///
    /// A remembered signal is taken at once. The wait begins with the first poll. What the signal
    /// told may be past when this returns, because others ran between: look again, or use
    /// [`wait_until`](Self::wait_until).
    ///
    /// # Errors
    ///
    /// [`Closed`] if the condition variable is closed, before the wait or during it. A signal that
    /// was given to this waiter before the close counts.
    ///
    /// # Cancellation
    ///
    /// Safe. A signal that the waiter had been given goes to the next, or is remembered. Only its
    /// place in the queue is lost.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::Condvar};
    /// let condvar = Condvar::new();
    /// condvar.notify_one();
    /// assert_eq!(executor().block_on(condvar.wait()), Ok(()));
    /// ```
    pub async fn wait(&self) -> Result<(), Closed> {
        if self.is_closed() {
            consume_budget().await;
            return Err(Closed);
        }
        if self.remembered.take() {
            // Its own before it gives way: who is not in the queue misses a signal to all.
            let handed_on = defer(|| self.notify_one());
            consume_budget().await;
            handed_on.disarm();
            return Ok(());
        }
        let waiter = pin!(Waiter::new(&self.queue, Turn::Waiting(self.round.get())));
        let waiter = waiter.as_ref();
        // A wait that is cut short hands its signal on.
        let handed_on = defer(|| {
            if let Turn::Signal = waiter.payload() {
                self.notify_one();
            }
        });
        let turn = waiter.woken().await;
        handed_on.disarm();
        match turn {
            Turn::Closed => Err(Closed),
            Turn::Waiting(_) | Turn::Signal | Turn::All => Ok(()),
        }
    }

    /// Waits until `condition` holds. It is looked at now, and after every signal.
    ///
    /// Seastar's `when`. Nothing runs between the look at the condition and the return. Each look
    /// that fails has used up its signal, and waits at the end of the queue: where waiters have
    /// different conditions, use [`notify_all`](Self::notify_all).
    ///
    /// # Errors
    ///
    /// [`Closed`] if the condition variable is closed and `condition` does not hold. One that
    /// holds needs no signal, so what was announced before a close can still be taken after it.
    ///
    /// # Panics
    ///
    /// If `condition` does.
    ///
    /// # Cancellation
    ///
    /// Safe, as [`wait`](Self::wait).
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::{Closed, Condvar}};
    /// let condvar = Condvar::new();
    /// condvar.close();
    /// assert_eq!(executor().block_on(condvar.wait_until(|| true)), Ok(()));
    /// assert_eq!(executor().block_on(condvar.wait_until(|| false)), Err(Closed));
    /// ```
    pub async fn wait_until(&self, mut condition: impl FnMut() -> bool) -> Result<(), Closed> {
        consume_budget().await;
        let mut waited = Ok(());
        while !condition() {
            waited?;
            waited = self.wait().await;
        }
        Ok(())
    }

    /// Wakes the first waiter. If no one waits, the signal is remembered for the next one to come;
    /// more than one are remembered as one.
    ///
    /// # Panics
    ///
    /// If a waker does, which may be one of a [`notify_all`](Self::notify_all) that is under way
    /// and is served first. The signal has been given or is remembered then. If a second waker
    /// panics, the program aborts.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// # use miniss_core::sync::Condvar;
    /// let condvar = Condvar::new();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// condvar.notify_one();
    /// condvar.notify_one();
    /// assert!(pin!(condvar.wait()).poll(&mut cx).is_ready());
    /// assert!(pin!(condvar.wait()).poll(&mut cx).is_pending());
    /// ```
    pub fn notify_one(&self) {
        // Also if a waker of the round before it panics.
        let _signal = defer(|| self.give_signal());
        self.serve_round();
    }

    /// Wakes all who wait, in the order in which they came. Nothing is remembered.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// # use miniss_core::sync::Condvar;
    /// let condvar = Condvar::new();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut waiting = pin!(condvar.wait());
    /// assert!(waiting.as_mut().poll(&mut cx).is_pending());
    /// condvar.notify_all();
    /// assert!(waiting.poll(&mut cx).is_ready());
    /// assert!(pin!(condvar.wait()).poll(&mut cx).is_pending());
    /// ```
    pub fn notify_all(&self) {
        self.round.set(self.round.get() + 1);
        self.serve_round();
    }

    /// Fails all who wait, and all who come later, with [`Closed`]. A remembered signal is void.
    ///
    /// Seastar's `broken`.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::{Closed, Condvar}};
    /// let condvar = Condvar::new();
    /// condvar.close();
    /// assert_eq!(executor().block_on(condvar.wait()), Err(Closed));
    /// ```
    pub fn close(&self) {
        self.closed.set(true);
        self.queue.wake_while(|turn| self.in_round(turn).or(Some(Turn::Closed)));
    }

    /// Whether [`close`](Self::close) has been called.
    ///
    /// ```
    /// # use miniss_core::sync::Condvar;
    /// assert!(!Condvar::new().is_closed());
    /// ```
    pub const fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// How many futures wait.
    ///
    /// ```
    /// # use miniss_core::sync::Condvar;
    /// assert_eq!(Condvar::new().waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.queue.len()
    }

    /// Gives a signal to the first waiter, or remembers it.
    fn give_signal(&self) {
        if !self.queue.wake_first(Turn::Signal) {
            self.remembered.set(true);
        }
    }

    /// Wakes those who joined before the present round.
    fn serve_round(&self) {
        self.queue.wake_while(|turn| self.in_round(turn));
    }

    /// What a waiter gets that joined before the present round.
    const fn in_round(&self, turn: Turn) -> Option<Turn> {
        match turn {
            Turn::Waiting(joined) if joined < self.round.get() => Some(Turn::All),
            _ => None,
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar")
            .field("waiters", &self.waiters())
            .field("remembered", &self.remembered.get())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// What became of a waiter.
#[derive(Clone, Copy)]
enum Turn {
    /// In the queue since this round.
    Waiting(u64),
    /// Woken, and owner of a signal.
    Signal,
    /// Woken together with all others.
    All,
    /// Woken by a close.
    Closed,
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
