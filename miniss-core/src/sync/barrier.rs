//! A point that a number of futures pass together.
//!
//! # Invariants
//!
//! - **Arrived is waiting.** `arrived` counts the futures that wait in the present round. One that
//!   is dropped before the round ends is counted out; one that is dropped later has passed.
//! - **The last one ends the round.** It starts the next one before it wakes the others, so that
//!   one that comes again while they are being woken waits for the next opening.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::fmt;
use core::pin::pin;

use crate::collections::{WaitList, Waiter};
use crate::coop::consume_budget;
use crate::defer::defer;

/// Lets futures of one core wait until a given number of them have arrived, again and again.
///
/// ```
/// # use miniss_core::combine::when_all;
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::Barrier;
///
/// let barrier = Barrier::new(2);
/// let worker = async || {
///     // Each does its part, then:
///     barrier.wait().await.is_leader()
/// };
/// # executor().block_on(async {
/// assert_eq!(when_all((worker(), worker())).await, (false, true));
/// # });
/// ```
pub struct Barrier {
    parties: usize,
    arrived: Cell<usize>,
    round: Cell<u64>,
    queue: WaitList<u64>,
}

impl Barrier {
    /// A barrier that opens whenever `parties` futures wait at it. Neither one nor none ever wait.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::Barrier};
    /// let alone = Barrier::new(1);
    /// assert!(executor().block_on(alone.wait()).is_leader());
    /// ```
    pub const fn new(parties: usize) -> Self {
        let (arrived, round) = (Cell::new(0), Cell::new(0));
        Self { parties, arrived, round, queue: WaitList::new() }
    }

    /// How many futures have arrived and wait for the rest.
    ///
    /// ```
    /// # use miniss_core::sync::Barrier;
    /// assert_eq!(Barrier::new(3).arrived(), 0);
    /// ```
    pub const fn arrived(&self) -> usize {
        self.arrived.get()
    }

    /// Arrives, and waits until all have arrived.
    ///
    /// The last one to arrive is the leader and goes on at once; the others are woken in the order
    /// in which they came. To arrive is to be polled for the first time.
    ///
    /// # Cancellation
    ///
    /// A future that is dropped before the barrier opens has not arrived: the others wait for
    /// someone in its place. Dropped later, it takes nothing back.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// # use miniss_core::sync::Barrier;
    /// let barrier = Barrier::new(2);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// {
    ///     let gives_up = pin!(barrier.wait());
    ///     assert!(gives_up.poll(&mut cx).is_pending());
    ///     assert_eq!(barrier.arrived(), 1);
    /// }
    /// assert_eq!(barrier.arrived(), 0);
    /// ```
    pub async fn wait(&self) -> BarrierWaitResult {
        if self.arrived.get() + 1 >= self.parties {
            consume_budget().await;
        }
        let round = self.round.get();
        self.arrived.set(self.arrived.get() + 1);
        let _arrived = defer(|| self.count_out(round));
        let leader = self.arrived.get() >= self.parties;
        if leader {
            self.open();
        } else {
            let waiter = pin!(Waiter::new(&self.queue, round));
            waiter.as_ref().woken().await;
        }
        BarrierWaitResult { leader }
    }

    /// Counts a future out that arrived in `round`, unless the barrier has opened since.
    fn count_out(&self, round: u64) {
        if self.round.get() == round {
            self.arrived.set(self.arrived.get() - 1);
        }
    }

    fn open(&self) {
        let round = self.round.get() + 1;
        self.round.set(round);
        self.arrived.set(0);
        self.queue.wake_while(|joined| (joined < round).then_some(joined));
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("arrived", &self.arrived())
            .finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] says once the barrier has opened.
///
/// ```
/// # use miniss_core::{doctest::executor, sync::{Barrier, BarrierWaitResult}};
/// let barrier = Barrier::new(1);
/// let result: BarrierWaitResult = executor().block_on(barrier.wait());
/// assert!(result.is_leader());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// Whether this future was the last to arrive. There is one in every round.
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, sync::Barrier};
    /// let barrier = Barrier::new(0);
    /// assert!(executor().block_on(barrier.wait()).is_leader());
    /// ```
    pub const fn is_leader(&self) -> bool {
        self.leader
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
