//! Any future, for many waiters: one of them drives it.
//!
//! There is one seat at the wheel, which the waiters acquire in the order in which they come. Who
//! has it polls the inner future with its own waker. If it gives up, the next one is woken, takes
//! the seat and polls at once, so the inner future always knows the waker of a task that waits.
//! When the output is there the seat is closed, which wakes all.
//!
//! # Invariants
//!
//! - **One driver.** `future` is touched by no one but the one who holds the only unit of `seat`,
//!   in `drive`, which that one cannot enter twice, since its own future is being polled.
//! - **The future stays put.** `future` is structurally pinned: it is polled and dropped in place.
//!   `Shared` is `Unpin` only if it is, and has no `Drop` of its own.
//! - **The output comes first.** The place of the future is empty only after the output is there.

use core::cell::{OnceCell, UnsafeCell};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::sync::{Semaphore, Units};

/// A future whose output many may await.
///
/// It makes progress only while someone waits, and the first who waits drives it for all: a wait
/// that is kept but not polled on stops the others, so drop one that is given up.
///
/// Pin it where its users can reach it, with a heap in an `Rc`:
///
/// ```
/// # use miniss_core::doctest::executor;
/// use std::rc::Rc;
/// use miniss_core::sync::Shared;
///
/// # let mut executor = executor();
/// let answer = Rc::pin(Shared::new(async { 6 * 7 }));
/// let same = answer.clone();
/// let task = executor.local().spawn(async move { same.as_ref().wait().await }).unwrap();
/// assert_eq!(executor.block_on(answer.as_ref().wait()), 42);
/// assert_eq!(executor.block_on(task), Ok(42));
/// ```
///
/// Without one, on the stack or in a `static`:
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::pin::pin;
/// use core::time::Duration;
/// use miniss_core::sync::Shared;
/// use miniss_core::timer::Timeout;
///
/// # let mut executor = executor();
/// # let local = executor.local();
/// let shared = pin!(Shared::new(async { "loaded" }));
/// let shared = shared.as_ref();
/// let hasty = Timeout::new(local, Duration::from_millis(1), shared.wait());
/// assert_eq!(executor.block_on(hasty), Ok("loaded"));
/// ```
pub struct Shared<F: Future> {
    seat: Semaphore,
    output: OnceCell<F::Output>,
    future: UnsafeCell<Option<F>>,
}

impl<F: Future> Shared<F> {
    /// Shares `future`, which is not polled before someone waits.
    ///
    /// ```
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    /// let shared = pin!(Shared::new(async { 1 }));
    /// ```
    pub const fn new(future: F) -> Self {
        Self {
            seat: Semaphore::new(1),
            output: OnceCell::new(),
            future: UnsafeCell::new(Some(future)),
        }
    }

    /// Waits for the output and gives a clone of it.
    ///
    /// # Panics
    ///
    /// If the inner future does, while this waiter drives it. The next waiter drives it then, and
    /// most futures panic at every poll after the first panic.
    ///
    /// # Cancellation
    ///
    /// Safe. A waiter that is dropped while it drives the inner future leaves that to the next one,
    /// which is woken; the inner future is not dropped, and rests if there is no next one.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    ///
    /// let shared = pin!(Shared::new(async { String::from("once") }));
    /// let shared = shared.as_ref();
    /// let both = async { (shared.wait().await, shared.wait().await) };
    /// assert_eq!(executor().block_on(both), ("once".into(), "once".into()));
    /// ```
    pub async fn wait(self: Pin<&Self>) -> F::Output
    where
        F::Output: Clone,
    {
        if let Ok(seat) = self.seat.acquire(1).await {
            poll_fn(|cx| self.drive(&seat, cx)).await;
            self.seat.close();
        }
        self.peek().expect("the seat is closed after the output is there").clone()
    }

    /// The output, if it is there.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use core::pin::pin;
    /// use miniss_core::sync::Shared;
    ///
    /// let shared = pin!(Shared::new(async { 5 }));
    /// let shared = shared.as_ref();
    /// assert_eq!(shared.peek(), None);
    /// executor().block_on(shared.wait());
    /// assert_eq!(shared.peek(), Some(&5));
    /// ```
    pub fn peek(&self) -> Option<&F::Output> {
        self.output.get()
    }

    /// How many wait for another one that drives the inner future.
    ///
    /// ```
    /// use miniss_core::sync::Shared;
    /// assert_eq!(Shared::new(async {}).waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.seat.waiters()
    }

    /// Polls the inner future, on behalf of the one who has the seat.
    fn drive(self: Pin<&Self>, _seat: &Units<'_>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: "One driver" and "The future stays put".
        let mut place = unsafe { Pin::new_unchecked(&mut *self.get_ref().future.get()) };
        // Empty if the former driver panicked as it dropped the future: "The output comes first".
        if let Some(future) = place.as_mut().as_pin_mut() {
            let output = ready!(future.poll(cx));
            // No one else drives, so no one else has set it.
            let _first = self.output.set(output);
            place.set(None);
        }
        Poll::Ready(())
    }
}

impl<F: Future<Output: fmt::Debug>> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("output", &self.peek())
            .field("waiters", &self.waiters())
            .finish_non_exhaustive()
    }
}
