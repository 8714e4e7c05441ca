//! Giving way to the other tasks of this core: once, or when the time of the turn is used up.

#![forbid(unsafe_code)]

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::executor::LocalHandle;
use crate::reactor::Unpark;

/// Lets every other task that is ready run before the caller goes on.
///
/// Long work that never waits should call it now and then: nothing else on this core runs
/// meanwhile, timers and I/O among it.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use miniss_core::combine::yield_now;
///
/// let mut given_way = pin!(yield_now());
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert!(given_way.as_mut().poll(&mut cx).is_pending());
/// assert!(given_way.as_mut().poll(&mut cx).is_ready());
/// ```
pub const fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_core::combine::{YieldNow, yield_now};
/// let given_way: YieldNow = yield_now();
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What knows whether the time that tasks have in a turn is used up.
///
/// [`LocalHandle`] does, for the executor's [`Budget`](crate::Budget).
///
/// ```
/// use miniss_core::combine::TurnBudget;
///
/// /// Sums up until the time is used up; where it stopped.
/// fn sum(budget: &impl TurnBudget, numbers: &[u32]) -> (u32, usize) {
///     let mut total = 0;
///     for (index, number) in numbers.iter().enumerate() {
///         if budget.need_preempt() {
///             return (total, index);
///         }
///         total += number;
///     }
///     (total, numbers.len())
/// }
/// # let mut executor = miniss_core::doctest::executor();
/// # let local = executor.local();
/// # let numbers = [1; 100_000];
/// # assert_ne!(executor.block_on(async { sum(&local, &numbers).1 }), 100_000);
/// ```
pub trait TurnBudget {
    /// Whether the poll that is under way has used up the time of a turn
    /// ([`Budget::time_max`](crate::Budget::time_max)), counted from its first call of this. Then
    /// the caller should give way, and the turn ends with its poll. Until then the answer stays the
    /// same, so one part of a poll may ask and leave it to another to give way.
    ///
    /// It costs a few loads. The clock is looked at by the first calls in a poll, and then by one
    /// in 32, or by more of them if they come so seldom that it would be too late otherwise.
    fn need_preempt(&self) -> bool;
}

impl<U: Unpark> TurnBudget for LocalHandle<U> {
    #[inline]
    fn need_preempt(&self) -> bool {
        let Some(owner) = self.owner() else { return false };
        let is_spent =
            owner.pace.is_spent(owner.counters.polls.value(), &owner.stride, || self.now());
        if is_spent {
            owner.end_turn();
        }
        is_spent
    }
}

impl<T: TurnBudget + ?Sized> TurnBudget for &T {
    #[inline]
    fn need_preempt(&self) -> bool {
        (**self).need_preempt()
    }
}

/// Gives way like [`yield_now`], but only if the time of the turn is used up; else it goes on at
/// once, for the price of a few loads ([`need_preempt`](TurnBudget::need_preempt)).
///
/// For loops over much work. Time counts from the first call in a poll, so a stretch of work before
/// it is not seen.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::combine::maybe_yield;
///
/// let mut executor = executor();
/// let local = executor.local();
/// executor.block_on(async {
///     for _ in 0..100 {
///         maybe_yield(local).await; // a short loop is not interrupted
///     }
/// });
/// assert_eq!(executor.local().stats().polls, 1);
/// ```
pub const fn maybe_yield<T: TurnBudget>(budget: T) -> MaybeYield<T> {
    MaybeYield { budget, given_way: None }
}

/// The future of [`maybe_yield`].
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_core::combine::{MaybeYield, TurnBudget, maybe_yield};
///
/// fn between_two_rounds<B: TurnBudget>(budget: &B) -> MaybeYield<&B> {
///     maybe_yield(budget)
/// }
/// # let mut executor = miniss_core::doctest::executor();
/// # let local = executor.local();
/// # executor.block_on(async { between_two_rounds(&local).await });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct MaybeYield<T> {
    budget: T,
    given_way: Option<YieldNow>,
}

// Nothing in it is pinned.
impl<T> Unpin for MaybeYield<T> {}

impl<T: TurnBudget> Future for MaybeYield<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.given_way.is_none() && !this.budget.need_preempt() {
            return Poll::Ready(());
        }
        Pin::new(this.given_way.get_or_insert_with(yield_now)).poll(cx)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
