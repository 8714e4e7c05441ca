//! The port: all that an executor asks of the world around it.

use crate::executor::park::Idle;
use crate::time::Instant;
use crate::unpark::Unpark;

/// What an executor runs on: a ring, a poll set, an interrupt controller, a simulation.
///
/// A reactor is a value that the executor owns, so any number of executors on any number of ports
/// live side by side in one program. What must be reachable from elsewhere is its
/// [`Unpark`].
///
/// A port to a thread of the standard library:
///
/// ```
/// use core::time::Duration;
/// use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};
/// use miniss_core::{time::Instant, timer::Sleep};
/// use std::sync::OnceLock;
/// use std::thread::{self, Thread};
///
/// struct Unparker {
///     sleeper: OnceLock<Thread>,
///     start: OnceLock<std::time::Instant>,
/// }
///
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Unparker {
///     fn unpark(&self) {
///         if let Some(sleeper) = self.sleeper.get() {
///             sleeper.unpark();
///         }
///     }
/// }
///
/// impl Clock for Unparker {
///     fn now(&self) -> Instant {
///         let start = self.start.get_or_init(std::time::Instant::now);
///         Instant::from_nanos(start.elapsed().as_nanos() as u64)
///     }
/// }
///
/// struct ThreadPort(&'static ExecutorCell<Unparker>);
///
/// impl Reactor for ThreadPort {
///     type Unparker = Unparker;
///     fn poll(&mut self) -> usize {
///         0 // a thread has no events of its own
///     }
///     fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
///         let unparker = self.0.unparker();
///         unparker.sleeper.get_or_init(thread::current);
///         if !idle.confirmed() {
///             return;
///         }
///         match deadline {
///             None => thread::park(),
///             Some(deadline) => thread::park_timeout(deadline - unparker.now()),
///         }
///     }
/// }
///
/// static CELL: ExecutorCell<Unparker> =
///     ExecutorCell::new(Unparker { sleeper: OnceLock::new(), start: OnceLock::new() });
///
/// let mut executor = Executor::new(&CELL, ThreadPort(&CELL)).unwrap();
/// let local = executor.local();
/// let answer = executor.block_on(async move {
///     Sleep::new(local, Duration::from_millis(1)).await;
///     6 * 7
/// });
/// assert_eq!(answer, 42);
/// ```
pub trait Reactor {
    /// How the core that this reactor runs on is woken.
    type Unparker: Unpark;

    /// Hands over what has been prepared, settles what has completed and wakes its tasks. Never
    /// blocks. Returns how many events it settled.
    ///
    /// See [`Reactor`] for an example.
    fn poll(&mut self) -> usize;

    /// Sleeps until an event comes, the unparker rings or `deadline` passes, then settles what
    /// there is. `None`: no deadline. It may return early for any reason or none.
    ///
    /// There is nothing to run when it is called. Still, a wake may come from elsewhere at any
    /// moment: it must call [`Idle::confirmed`] at the point from which on a ring ends the sleep
    /// that follows, and must not sleep if that returns `false`.
    ///
    /// See [`Reactor`] for an example.
    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>);
}
