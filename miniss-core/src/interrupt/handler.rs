//! An executor that an interrupt runs: its tasks go before all that the interrupt interrupts.
//!
//! # Invariants
//!
//! - **One handler.** The executor is made and used by the calls of `run` alone, which never
//!   overlap and are all on one core: the caller's promise.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::Ordering;

use crate::defer::defer;
use crate::executor::Executor;
use crate::prim::statics::AtomicU8;
use crate::reactor::Reactor;
use crate::time::Instant;

const IDLE: u8 = 0;
const RUNNING: u8 = 1;

/// An executor in an interrupt handler, whose tasks interrupt those of less urgent executors.
///
/// Its port's [`unpark`](crate::Unpark::unpark) raises the interrupt, and its handler calls
/// [`run`](Self::run); it never parks. With one such executor for each priority of interrupts, and
/// one in the program itself, a core has tasks of several priorities. They reach each other by the
/// queues of this module, by a [`Promise`](crate::Promise), or by calls.
///
/// ```
/// use miniss_core::interrupt::{Handler, Signal};
/// use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};
/// use miniss_core::{time::Instant, timer::NoTimers};
///
/// struct Interrupt;
///
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Interrupt {
///     fn unpark(&self) {
///         // Raise the interrupt.
///     }
/// }
/// # impl Clock for Interrupt {
/// #     type Timers = NoTimers;
/// #     fn now(&self) -> Instant {
/// #         Instant::ZERO
/// #     }
/// # }
///
/// struct Port;
///
/// impl Reactor for Port {
///     type Unparker = Interrupt;
///     fn poll(&mut self) -> usize {
///         0
///     }
///     fn park(&mut self, _: Option<Instant>, _: Idle<'_>) {
///         unreachable!("a handler does not sleep")
///     }
/// }
///
/// static CELL: ExecutorCell<Interrupt> = ExecutorCell::new(Interrupt);
/// static URGENT: Handler<Port> = Handler::new();
/// static PRESSED: Signal<u8> = Signal::new();
/// static SEEN: Signal<u8> = Signal::new();
///
/// fn on_interrupt() {
///     let start = || {
///         let executor = Executor::new(&CELL, Port).unwrap();
///         let mut pressed = PRESSED.receiver().unwrap();
///         let task = async move {
///             loop {
///                 SEEN.send(pressed.recv().await).unwrap();
///             }
///         };
///         let _: Result<_, _> = executor.local().spawn(task);
///         executor
///     };
///     // SAFETY: no one else runs it, and the interrupt does not interrupt itself.
///     let deadline = unsafe { URGENT.run(start) };
///     assert_eq!(deadline, None);
/// }
///
/// on_interrupt(); // raised once at the start
/// PRESSED.send(7).unwrap(); // wakes the task: the interrupt is raised
/// on_interrupt();
/// assert_eq!(SEEN.receiver().unwrap().try_recv(), Some(7));
/// ```
pub struct Handler<R: Reactor> {
    executor: UnsafeCell<Option<Executor<R>>>,
    state: AtomicU8,
}

// SAFETY: *One handler*.
unsafe impl<R: Reactor> Sync for Handler<R> {}

impl<R: Reactor> Handler<R> {
    /// One that has not run yet.
    pub const fn new() -> Self {
        Self { executor: UnsafeCell::new(None), state: AtomicU8::new(IDLE) }
    }

    /// Runs the executor's tasks until none is ready, as
    /// [`run_until_idle`](Executor::run_until_idle) does. The first call makes the executor by
    /// `start`, which spawns its first tasks, too.
    ///
    /// Returns the time of its next timer: raise the interrupt again then.
    ///
    /// # Safety
    ///
    /// The calls are all made by one interrupt's handler, on one core, and so never interrupt each
    /// other.
    ///
    /// # Panics
    ///
    /// If one interrupts another all the same, and as the tasks do.
    pub unsafe fn run(&'static self, start: impl FnOnce() -> Executor<R>) -> Option<Instant> {
        // Loads and stores do, on one core.
        let before = self.state.load(Ordering::Relaxed);
        assert!(before == IDLE, "a handler's executor is run by one interrupt alone");
        self.state.store(RUNNING, Ordering::Relaxed);
        let _ended = defer(|| self.state.store(IDLE, Ordering::Relaxed));
        // SAFETY: *One handler*.
        let executor = unsafe { &mut *self.executor.get() };
        executor.get_or_insert_with(start).run_until_idle()
    }
}

impl<R: Reactor> Default for Handler<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reactor> fmt::Debug for Handler<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}
