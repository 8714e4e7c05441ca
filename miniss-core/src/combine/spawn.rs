//! Who can start a task: the seam between combinators and executors.

#![forbid(unsafe_code)]

use core::fmt;
use core::future::Future;

use crate::error::{Cancelled, SpawnError};
use crate::executor::{JoinHandle, LocalHandle};
use crate::reactor::Unpark;

/// A handle to the executor on this thread that starts tasks there.
///
/// [`LocalHandle`] is one; a port whose executor can be found from anywhere on its thread may offer
/// one that holds nothing.
///
/// ```
/// use core::future::Future;
/// use miniss_core::combine::Spawn;
///
/// /// Starts `work` and does not wait for it; whether it was started.
/// fn fire(spawner: &impl Spawn, work: impl Future<Output = ()> + 'static) -> bool {
///     spawner.try_spawn(work).is_ok()
/// }
/// # let mut executor = miniss_core::doctest::executor();
/// # assert!(fire(&executor.local(), async {}));
/// ```
pub trait Spawn {
    /// Why a task ended without an output.
    type Ended: fmt::Debug;
    /// Waits for the output of a task. Dropping it detaches the task, which goes on.
    type Task<T: 'static>: Future<Output = Result<T, Self::Ended>>;

    /// Starts `future` as a task of its own.
    ///
    /// # Errors
    ///
    /// The future itself, never polled, if the executor is ending or has no room for it, or if its
    /// output is over 1024 bytes.
    ///
    /// See [`Spawn`] for an example.
    fn try_spawn<F>(&self, future: F) -> Result<Self::Task<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static;
}

impl<U: Unpark> Spawn for LocalHandle<U> {
    type Ended = Cancelled;
    type Task<T: 'static> = JoinHandle<T>;

    fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static,
    {
        match self.reserve() {
            Ok(room) => Ok(room.spawn(future)),
            Err(SpawnError::TooLarge) => spawn_boxed(self, future),
            Err(_) => Err(future),
        }
    }
}

#[cfg(feature = "alloc")]
fn spawn_boxed<U: Unpark, F>(local: &LocalHandle<U>, future: F) -> Result<JoinHandle<F::Output>, F>
where
    F: Future<Output: 'static> + 'static,
{
    use alloc::boxed::Box;

    match local.reserve::<core::pin::Pin<Box<F>>>() {
        Ok(room) => Ok(room.spawn(Box::pin(future))),
        Err(_) => Err(future),
    }
}

#[cfg(not(feature = "alloc"))]
fn spawn_boxed<U, F: Future>(
    _local: &LocalHandle<U>,
    future: F,
) -> Result<JoinHandle<F::Output>, F> {
    Err(future)
}
