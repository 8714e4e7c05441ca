//! The port: all that an executor asks of the world around it.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [reactor] ─▶ op ─▶ kernel`

use crate::doorbell::Doorbell;
use crate::executor::park::Idle;
use crate::time::Instant;

/// What an executor runs on: a ring, a poll set, an interrupt controller, a simulation.
///
/// A reactor is a value that the executor owns, so any number of executors on any number of ports
/// live side by side in one program. What must be reachable from elsewhere is its
/// [`Doorbell`].
///
/// ```
/// use miniss_core::{Anchor, Doorbell, Executor, Idle, Reactor, time::Instant};
///
/// struct Bell;
///
/// // SAFETY: `is_home` keeps its default.
/// unsafe impl Doorbell for Bell {
///     fn ring(&self) {}
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
///
/// /// The smallest port there is: it has no events of its own and spins instead of sleeping.
/// struct Spin;
///
/// impl Reactor for Spin {
///     type Bell = Bell;
///     fn poll(&mut self) -> usize {
///         0
///     }
///     fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {
///         core::hint::spin_loop();
///     }
/// }
///
/// static ANCHOR: Anchor<Bell> = Anchor::new(Bell);
///
/// let mut executor = Executor::new(&ANCHOR, Spin).unwrap();
/// assert_eq!(executor.block_on(async { 6 * 7 }), 42);
/// ```
pub trait Reactor {
    /// How the core that this reactor runs on is woken.
    type Bell: Doorbell;

    /// Hands over what has been prepared, settles what has completed and wakes its tasks. Never
    /// blocks. Returns how many events it settled.
    ///
    /// See [`Reactor`] for an example.
    fn poll(&mut self) -> usize;

    /// Sleeps until an event comes, the bell rings or `deadline` passes, then settles what there
    /// is. `None`: no deadline. It may return early for any reason or none.
    ///
    /// There is nothing to run when it is called. Still, a wake may come from elsewhere at any
    /// moment: it must call [`Idle::confirmed`] at the point from which on a ring ends the sleep
    /// that follows, and must not sleep if that returns `false`.
    ///
    /// See [`Reactor`] for an example.
    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>);
}
