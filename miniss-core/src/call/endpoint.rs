//! One core's end of the mesh: sends calls, serves calls, takes replies.

use core::fmt;

use super::call::Call;
use super::mail::Mail;
use super::queue::Queue;
use super::shared::Shared;
use super::work::{AsyncWork, SyncWork};
use crate::error::{CallError, Refused, SpawnError};
use crate::reactor::Unpark;

/// One core's end of a `Mesh` or a [`FixedMesh`](super::FixedMesh). It stays on its core; cloning
/// it is cheap.
///
/// ```
/// use std::sync::Arc;
/// use miniss_core::call::{Endpoint, FixedLane, Mesh};
/// # use miniss_core::doctest::executor;
///
/// let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
/// let mut executor = executor();
/// let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
/// assert_eq!((endpoint.me(), endpoint.cores()), (0, 1));
/// let answer = executor.block_on(endpoint.submit_to(0, async || 6 * 7));
/// assert_eq!(answer, Ok(42));
/// ```
pub struct Endpoint<U: Unpark, Q: Queue + 'static> {
    exchange: Shared<U, Q>,
}

impl<U: Unpark, Q: Queue + 'static> Endpoint<U, Q> {
    /// Spawns the task of a new exchange.
    pub(super) fn start(exchange: Shared<U, Q>) -> Result<Self, SpawnError> {
        Mail::spawn(exchange.clone())?;
        Ok(Self { exchange })
    }

    /// Which core this is.
    ///
    /// See [`Endpoint`] for an example.
    pub fn me(&self) -> usize {
        self.exchange.me()
    }

    /// How many cores there are.
    ///
    /// See [`Endpoint`] for an example.
    pub fn cores(&self) -> usize {
        self.exchange.cores()
    }

    /// Runs the async closure `work` as a task on `core` and brings back its output.
    ///
    /// The call is on its way at once, whether or not the [`Call`] is polled. If `core` has not
    /// opened its end yet, the call waits until it does. Calls from one core to another start in
    /// the order in which they were made. If a fixed mesh has no
    /// room for it, the [`Call`] ends with an error; see also
    /// [`try_submit_to`](Self::try_submit_to).
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work; its output is dropped when it comes back.
    ///
    /// # Panics
    ///
    /// If there is no such core.
    ///
    /// See [`Endpoint`] for an example.
    #[track_caller]
    pub fn submit_to<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.exchange.submit(core, work, AsyncWork::<F, T, U, Q>::VTABLE) }
    }

    /// Like [`submit_to`](Self::submit_to), but if there is no room, it gives `work` back at once.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives the work back, if there is no room for the call, or it is too large.
    ///
    /// # Panics
    ///
    /// If there is no such core.
    ///
    /// ```
    /// use miniss_core::{error::CallError, call::FixedMesh};
    /// # use miniss_core::doctest::{Unparker, executor};
    /// static MESH: FixedMesh<Unparker, 1, 1, 64> = FixedMesh::new();
    /// let mut executor = executor();
    /// let endpoint = MESH.open(0, executor.local()).unwrap();
    /// let call = endpoint.try_submit_to(0, async || 1).unwrap();
    /// let refused = endpoint.try_submit_to(0, async || 2).unwrap_err();
    /// assert_eq!(refused.reason, CallError::NoRoom);
    ///
    /// assert_eq!(executor.block_on(call), Ok(1));
    /// let call = endpoint.try_submit_to(0, refused.value).unwrap();
    /// assert_eq!(executor.block_on(call), Ok(2));
    /// ```
    #[track_caller]
    pub fn try_submit_to<F, T>(
        &self,
        core: usize,
        work: F,
    ) -> Result<Call<T>, Refused<F, CallError>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.exchange.try_submit(core, work, AsyncWork::<F, T, U, Q>::VTABLE) }
    }

    /// Runs the closure `work` on `core`, between tasks, and brings back its output. Cheaper than
    /// [`submit_to`](Self::submit_to) for what neither waits nor takes long. On the caller's own
    /// core it runs at once. If `core` has not opened its end yet, the call waits until it does.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work; its output is dropped when it comes back.
    ///
    /// # Panics
    ///
    /// If there is no such core. A panic in `work` unwinds out of the executor that runs it; the
    /// caller gets [`Gone`](crate::error::Gone), and the endpoint there goes on with the next call.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, FixedLane, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
    /// # let mut executor = executor();
    /// # let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
    /// assert_eq!(executor.block_on(endpoint.run_on(0, || 6 * 7)), Ok(42));
    /// ```
    #[track_caller]
    pub fn run_on<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.exchange.submit(core, work, SyncWork::<F, T, U, Q>::VTABLE) }
    }

    /// Like [`run_on`](Self::run_on), but if there is no room, it gives `work` back at once.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives the work back, if there is no room for the call, or it is too large.
    ///
    /// # Panics
    ///
    /// As for [`run_on`](Self::run_on).
    ///
    /// See [`try_submit_to`](Self::try_submit_to) for an example.
    #[track_caller]
    pub fn try_run_on<F, T>(&self, core: usize, work: F) -> Result<Call<T>, Refused<F, CallError>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.exchange.try_submit(core, work, SyncWork::<F, T, U, Q>::VTABLE) }
    }

    /// Takes no more calls; those that wait in the lanes end with [`Gone`](crate::error::Gone), as
    /// do those whose tasks are dropped with the executor. Tasks that run for others go on, and so
    /// do calls to others. The end of the executor closes the endpoint by itself.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, FixedLane, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
    /// # let executor = executor();
    /// # let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
    /// endpoint.close();
    /// drop(executor);
    /// ```
    pub fn close(&self) {
        self.exchange.close();
    }

    /// Sends what has gathered, which the endpoint's task does by itself while the executor lives.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, FixedLane, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::new(2, FixedLane::<16>::new));
    /// # let (here, mut there) = (executor(), executor());
    /// # let endpoint = Endpoint::open(mesh.clone(), 0, here.local()).unwrap();
    /// # let _other = Endpoint::open(mesh, 1, there.local()).unwrap();
    /// let _call = endpoint.run_on(1, || 6 * 7);
    /// endpoint.flush(); // although the executor here takes no turn
    /// ```
    pub fn flush(&self) {
        self.exchange.flush();
    }
}

impl<U: Unpark, Q: Queue + 'static> Endpoint<U, Q> {
    /// Whether calls or replies are not on their way yet, since they are to be sent at the end of
    /// the turn, or wait for room in a lane. For a loop of one's own that is about to be left:
    /// [`flush`](Self::flush) again until there are none.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, FixedLane, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::new(2, FixedLane::<1>::new));
    /// # let (mut here, mut there) = (executor(), executor());
    /// # let endpoint = Endpoint::open(mesh.clone(), 0, here.local()).unwrap();
    /// # let _other = Endpoint::open(mesh, 1, there.local()).unwrap();
    /// # here.turn();
    /// let _calls = [endpoint.run_on(1, || 1), endpoint.run_on(1, || 2)]; // a lane for one
    /// endpoint.flush();
    /// assert!(endpoint.has_unsent());
    /// there.turn();
    /// endpoint.flush();
    /// assert!(!endpoint.has_unsent());
    /// ```
    pub fn has_unsent(&self) -> bool {
        self.exchange.has_unsent()
    }
}

impl<U: Unpark, Q: Queue + 'static> Clone for Endpoint<U, Q> {
    fn clone(&self) -> Self {
        Self { exchange: self.exchange.clone() }
    }
}

impl<U: Unpark, Q: Queue + 'static> fmt::Debug for Endpoint<U, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("me", &self.me()).finish_non_exhaustive()
    }
}
