//! A door that work goes through, and that closes once all of it has come out.
//!
//! [`WithGate`] is written by hand because an `async` block would hold the work twice: once as it
//! was given, and once as it is awaited.
//!
//! # Invariants
//!
//! - **Closed is forever.** Once closed, the number of those inside only falls.
//! - **Set when done.** The event `empty` is set when the gate is closed and no one is inside, and
//!   is never reset. So it does not matter how many wait for it, or when they come and go.
//! - **The work stays put.** `future` is structurally pinned: it is polled and dropped in place and
//!   never moved out. [`WithGate`] has no `Drop` and is `Unpin` only if the work is.
//! - **The work goes first.** `future` is dropped before `pass`, at the end as at a cancellation:
//!   when the gate is left, nothing of the work is left inside.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

#[cfg(feature = "alloc")]
use alloc::rc::Rc;

use super::{Closed, Event};
use crate::coop::Leaf;

/// Counts the work in progress on one core, so that shutting down can wait for it.
///
/// ```
/// use miniss_core::combine::when_all;
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::{Closed, Gate};
///
/// async fn serve(gate: &Gate, request: u32) -> Result<u32, Closed> {
///     let _pass = gate.enter()?;
///     // Awaits as long as it likes; the gate does not close meanwhile.
///     Ok(request + 1)
/// }
///
/// let gate = Gate::new();
/// # executor().block_on(async {
/// assert_eq!(serve(&gate, 1).await, Ok(2));
/// gate.close().await;
/// assert_eq!(serve(&gate, 1).await, Err(Closed));
/// # });
/// ```
#[derive(Default)]
pub struct Gate {
    inside: Cell<usize>,
    closed: Cell<bool>,
    empty: Event,
}

impl Gate {
    /// An open gate with no one inside.
    ///
    /// ```
    /// use miniss_core::sync::Gate;
    /// assert_eq!(Gate::new().count(), 0);
    /// ```
    pub const fn new() -> Self {
        Self { inside: Cell::new(0), closed: Cell::new(false), empty: Event::new() }
    }

    /// Goes inside, until the pass is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`] once [`close`](Self::close) has been called.
    ///
    /// ```
    /// use miniss_core::sync::{Closed, Gate};
    /// let gate = Gate::new();
    /// let pass = gate.enter()?;
    /// assert_eq!(gate.count(), 1);
    /// drop(pass);
    /// assert_eq!(gate.count(), 0);
    /// # Ok::<(), Closed>(())
    /// ```
    pub fn enter(&self) -> Result<GatePass<'_>, Closed> {
        self.count_in()?;
        Ok(GatePass { gate: self })
    }

    /// Goes inside with a pass that owns a share in the gate, as a task needs it that borrows
    /// nothing.
    ///
    /// A task that is given the pass is inside before it is polled for the first time.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Errors
    ///
    /// [`Closed`] once [`close`](Self::close) has been called.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// use std::rc::Rc;
    /// use miniss_core::sync::Gate;
    ///
    /// # let mut executor = executor();
    /// let gate = Rc::new(Gate::new());
    /// let pass = gate.enter_owned().unwrap();
    /// let task = async move {
    ///     let _pass = pass;
    ///     // Work that the close waits for.
    /// };
    /// executor.local().spawn(task).unwrap().detach();
    /// assert_eq!(gate.count(), 1);
    /// executor.block_on(gate.close());
    /// ```
    #[cfg(feature = "alloc")]
    pub fn enter_owned(self: &Rc<Self>) -> Result<OwnedGatePass, Closed> {
        self.count_in()?;
        Ok(OwnedGatePass { gate: Rc::clone(self) })
    }

    /// Runs `future` inside the gate.
    ///
    /// It is inside from this call on, polled or not, until it is ready or dropped: a close waits
    /// for it even if it has only been spawned so far.
    ///
    /// # Errors
    ///
    /// [`Closed`], and `future` is not polled, if the gate was closed at the call.
    ///
    /// # Cancellation
    ///
    /// As safe as `future`, which is dropped first; then the gate is left.
    ///
    /// ```
    /// use miniss_core::sync::{Closed, Gate};
    /// # use miniss_core::doctest::executor;
    /// let gate = Gate::new();
    /// let inside = gate.with(async { 7 });
    /// drop(gate.close());
    /// let late = gate.with(async { 8 });
    /// # executor().block_on(async {
    /// assert_eq!((inside.await, late.await), (Ok(7), Err(Closed)));
    /// # });
    /// ```
    pub fn with<F: Future>(&self, future: F) -> WithGate<'_, F> {
        WithGate::new(self, future)
    }

    /// Closes the gate and waits until all inside have left.
    ///
    /// The gate is closed by the call itself; the future only waits, and may be dropped where that
    /// is of no interest. It may be called any number of times, and all calls wait for the same.
    ///
    /// # Cancellation
    ///
    /// Safe. The gate stays closed and nothing is lost: another call waits on.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}};
    /// use miniss_core::sync::Gate;
    /// let gate = Gate::new();
    /// let pass = gate.enter().unwrap();
    /// let mut cx = Context::from_waker(Waker::noop());
    /// let mut closing = pin!(gate.close());
    /// assert!(closing.as_mut().poll(&mut cx).is_pending());
    /// drop(pass);
    /// assert!(closing.poll(&mut cx).is_ready());
    /// ```
    pub fn close(&self) -> impl Future<Output = ()> {
        self.closed.set(true);
        self.note_if_done();
        self.empty.wait()
    }

    /// Whether [`close`](Self::close) has been called, though some may still be inside.
    ///
    /// ```
    /// use miniss_core::sync::Gate;
    /// let gate = Gate::new();
    /// drop(gate.close());
    /// assert!(gate.is_closed());
    /// ```
    pub const fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// How many are inside.
    ///
    /// ```
    /// use miniss_core::sync::Gate;
    /// let gate = Gate::new();
    /// let passes = [gate.enter(), gate.enter()];
    /// assert_eq!(gate.count(), 2);
    /// ```
    pub const fn count(&self) -> usize {
        self.inside.get()
    }

    /// How many closers wait for those inside.
    ///
    /// ```
    /// use miniss_core::sync::Gate;
    /// assert_eq!(Gate::new().waiters(), 0);
    /// ```
    pub const fn waiters(&self) -> usize {
        self.empty.waiters()
    }

    fn count_in(&self) -> Result<(), Closed> {
        if self.is_closed() {
            return Err(Closed);
        }
        self.inside.set(self.inside.get() + 1);
        Ok(())
    }

    fn count_out(&self) {
        self.inside.set(self.inside.get() - 1);
        self.note_if_done();
    }

    fn note_if_done(&self) {
        if self.is_closed() && self.count() == 0 {
            self.empty.set();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("inside", &self.count())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// One who is inside a [`Gate`]; dropping it leaves.
///
/// A pass that is leaked keeps the close waiting forever.
///
/// ```
/// use miniss_core::sync::{Closed, Gate, GatePass};
/// fn hand_over(pass: GatePass<'_>) -> usize {
///     pass.gate().count()
/// }
/// let gate = Gate::new();
/// assert_eq!(hand_over(gate.enter()?), 1);
/// assert_eq!(gate.count(), 0);
/// # Ok::<(), Closed>(())
/// ```
#[must_use = "a pass that is not kept leaves the gate at once"]
pub struct GatePass<'a> {
    gate: &'a Gate,
}

impl<'a> GatePass<'a> {
    /// The gate that was entered.
    ///
    /// ```
    /// use miniss_core::sync::Gate;
    /// let gate = Gate::new();
    /// assert!(!gate.enter().unwrap().gate().is_closed());
    /// ```
    pub const fn gate(&self) -> &'a Gate {
        self.gate
    }
}

impl Drop for GatePass<'_> {
    fn drop(&mut self) {
        self.gate.count_out();
    }
}

impl fmt::Debug for GatePass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatePass").finish_non_exhaustive()
    }
}

/// One who is inside a [`Gate`] on the heap; dropping it leaves. See [`Gate::enter_owned`].
///
/// Needs the `alloc` feature.
///
/// ```
/// use std::rc::Rc;
/// use miniss_core::sync::{Closed, Gate, OwnedGatePass};
///
/// let gate = Rc::new(Gate::new());
/// let pass: OwnedGatePass = gate.enter_owned()?;
/// drop(gate.close());
/// assert_eq!((pass.gate().count(), gate.enter_owned().err()), (1, Some(Closed)));
/// # Ok::<(), Closed>(())
/// ```
#[cfg(feature = "alloc")]
#[must_use = "a pass that is not kept leaves the gate at once"]
pub struct OwnedGatePass {
    gate: Rc<Gate>,
}

#[cfg(feature = "alloc")]
impl OwnedGatePass {
    /// The gate that was entered.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// use miniss_core::sync::Gate;
    /// let gate = Rc::new(Gate::new());
    /// assert!(Rc::ptr_eq(gate.enter_owned().unwrap().gate(), &gate));
    /// ```
    pub const fn gate(&self) -> &Rc<Gate> {
        &self.gate
    }
}

#[cfg(feature = "alloc")]
impl Drop for OwnedGatePass {
    fn drop(&mut self) {
        self.gate.count_out();
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for OwnedGatePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedGatePass").finish_non_exhaustive()
    }
}

/// The future of [`Gate::with`].
///
/// # Panics
///
/// When polled after it was ready, and when the work panics.
///
/// # Cancellation
///
/// As safe as the work, see [`Gate::with`].
///
/// ```
/// use core::future::{Pending, pending};
/// use miniss_core::sync::{Gate, WithGate};
///
/// let gate = Gate::new();
/// let work: WithGate<'_, Pending<()>> = gate.with(pending());
/// assert_eq!(gate.count(), 1);
/// drop(work);
/// assert_eq!(gate.count(), 0);
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct WithGate<'a, F> {
    /// `None` once it was ready. *The work goes first*: the order of the fields matters.
    future: Option<F>,
    pass: Option<GatePass<'a>>,
    /// For the answer that needs no work.
    leaf: Leaf,
}

impl<'a, F> WithGate<'a, F> {
    pub(super) fn new(gate: &'a Gate, future: F) -> Self {
        Self { future: Some(future), pass: gate.enter().ok(), leaf: Leaf::new() }
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut Option<F>>, &mut Option<GatePass<'a>>, &Leaf) {
        // SAFETY: *The work stays put*: `future` is pinned again at once, and the others have no
        // need to be.
        unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.pass, &this.leaf)
        }
    }
}

impl<F: Future> Future for WithGate<'_, F> {
    type Output = Result<F::Output, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut future, pass, leaf) = self.project();
        let work = future.as_mut().as_pin_mut().expect("polled after it was ready");
        let outcome = match pass {
            Some(_) => Ok(ready!(work.poll(cx))),
            None => {
                ready!(leaf.poll_proceed(cx));
                Err(Closed)
            }
        };
        future.set(None);
        *pass = None;
        Poll::Ready(outcome)
    }
}

impl<F> fmt::Debug for WithGate<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithGate").field("inside", &self.pass.is_some()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
