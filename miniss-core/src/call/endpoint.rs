//! One core's end of the mesh, as its user has it: makes calls to the other cores.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::call::{Call, EndpointRef};
use super::inner::Inner;
use super::node::{CallVtable, Typed};
use super::pump::{AsyncWork, Pump, SyncWork};
use crate::defer::defer;
use crate::error::{CallError, Refused, SpawnError};
use crate::executor::Budget;
use crate::reactor::Unpark;

/// One core's end of a `Mesh` or a [`FixedMesh`](super::FixedMesh), whose lanes hold `LANE` calls
/// each. It stays on its core; cloning it is cheap.
///
/// ```
/// use std::sync::Arc;
/// use miniss_core::call::{Endpoint, Mesh};
/// # use miniss_core::doctest::executor;
///
/// let mesh = Arc::new(Mesh::<_, 16>::new(1));
/// let mut executor = executor();
/// let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
/// assert_eq!((endpoint.me(), endpoint.cores()), (0, 1));
/// let answer = executor.block_on(endpoint.submit_to(0, async || 6 * 7));
/// assert_eq!(answer, Ok(42));
/// ```
pub struct Endpoint<U: Unpark, const LANE: usize> {
    counted: EndpointRef,
    inner: PhantomData<*const Inner<U, LANE>>,
}

impl<U: Unpark, const LANE: usize> Endpoint<U, LANE> {
    /// The first handle to what is inside; spawns its task.
    ///
    /// # Safety
    /// As for [`EndpointRef::new`].
    pub(super) unsafe fn start(inner: NonNull<Inner<U, LANE>>) -> Result<Self, SpawnError> {
        // SAFETY: the caller's promise; *Comes first*.
        let endpoint = unsafe { Self::of(EndpointRef::new(inner.cast())) };
        Pump::spawn(endpoint.clone())?;
        Ok(endpoint)
    }

    /// # Safety
    /// The reference is to an endpoint of this type.
    #[inline]
    pub(super) unsafe fn of(counted: EndpointRef) -> Self {
        Self { counted, inner: PhantomData }
    }

    /// The reference that its calls have, too.
    #[inline]
    pub(super) fn as_counted(&self) -> &EndpointRef {
        &self.counted
    }

    #[inline]
    pub(super) fn inner(&self) -> &Inner<U, LANE> {
        // SAFETY: *Counted*: by our reference. *Comes first*.
        unsafe { self.counted.as_ptr().cast::<Inner<U, LANE>>().as_ref() }
    }

    /// Which core this is.
    pub fn me(&self) -> usize {
        self.inner().me()
    }

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.inner().cores()
    }

    /// Runs the async closure `work` as a task on `core` and brings back its output.
    ///
    /// The call is on its way at once, whether or not the [`Call`] is polled. If `core` has not
    /// opened its endpoint yet, the call waits until it does. Calls from one core to another start
    /// in the order in which they were made. If a fixed mesh has no room for it, the [`Call`] ends
    /// with an error; see also [`try_submit_to`](Self::try_submit_to).
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work; its output is dropped when it comes back.
    ///
    /// # Panics
    ///
    /// If there is no such core.
    #[track_caller]
    pub fn submit_to<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.submit(core, work, AsyncWork::<F, T, U, LANE>::VTABLE) }
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
        unsafe { self.try_submit(core, work, AsyncWork::<F, T, U, LANE>::VTABLE) }
    }

    /// Runs the closure `work` on `core`, between tasks, and brings back its output. Cheaper than
    /// [`submit_to`](Self::submit_to) for what neither waits nor takes long. On the caller's own
    /// core it runs at once. If `core` has not opened its endpoint yet, the call waits until it
    /// does.
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
    /// use miniss_core::call::{Endpoint, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::<_, 16>::new(1));
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
        unsafe { self.submit(core, work, SyncWork::<F, T, U, LANE>::VTABLE) }
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
    #[track_caller]
    pub fn try_run_on<F, T>(&self, core: usize, work: F) -> Result<Call<T>, Refused<F, CallError>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the vtable is made for just these types.
        unsafe { self.try_submit(core, work, SyncWork::<F, T, U, LANE>::VTABLE) }
    }

    /// Takes no more calls; those that wait in the lanes end with [`Gone`](crate::error::Gone), as
    /// do those whose tasks are dropped with the executor. Tasks that run for others go on, and so
    /// do calls to others. The end of the executor closes the endpoint by itself.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::<_, 16>::new(1));
    /// # let executor = executor();
    /// # let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
    /// endpoint.close();
    /// drop(executor);
    /// ```
    pub fn close(&self) {
        self.inner().start_to_close();
        // Sends everything, even if a destructor of what was refused unwinds.
        let _last = defer(|| self.inner().flush_all());
        self.receive(Budget::UNLIMITED);
    }

    /// Sends what has gathered, which the endpoint's task does by itself while the executor lives.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::<_, 16>::new(2));
    /// # let (here, mut there) = (executor(), executor());
    /// # let endpoint = Endpoint::open(mesh.clone(), 0, here.local()).unwrap();
    /// # let _other = Endpoint::open(mesh, 1, there.local()).unwrap();
    /// let _call = endpoint.run_on(1, || 6 * 7);
    /// endpoint.flush(); // although the executor here takes no turn
    /// ```
    pub fn flush(&self) {
        self.inner().flush();
    }

    /// Whether calls or replies are not on their way yet, since they are to be sent at the end of
    /// the turn, or wait for room in a lane. For a loop of one's own that is about to be left:
    /// [`flush`](Self::flush) again until there are none.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use miniss_core::call::{Endpoint, Mesh};
    /// # use miniss_core::doctest::executor;
    /// # let mesh = Arc::new(Mesh::<_, 1>::new(2));
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
        self.inner().has_unsent()
    }
}

/// How a call is made.
impl<U: Unpark, const LANE: usize> Endpoint<U, LANE> {
    /// Makes a call of `work` and starts it on its way; without room, one that has failed.
    ///
    /// # Safety
    /// The vtable is one for `W`, `T` and this type of endpoint.
    #[inline]
    #[track_caller]
    unsafe fn submit<W: Send + 'static, T: Send + 'static>(
        &self,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        self.check(core);
        match self.counted.memory.take(vtable.layout) {
            // SAFETY: the caller's promise; memory of this layout.
            Ok(memory) => unsafe { self.start_call(memory, core, work, vtable) },
            Err(reason) => {
                self.counted.memory.give_up(vtable.layout);
                Call::failed(reason, self.counted.clone())
            }
        }
    }

    /// Makes a call of `work` and starts it on its way; without room, gives `work` back.
    ///
    /// # Safety
    /// As for [`submit`](Self::submit).
    #[track_caller]
    unsafe fn try_submit<W: Send + 'static, T: Send + 'static>(
        &self,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Result<Call<T>, Refused<W, CallError>> {
        self.check(core);
        match self.counted.memory.take(vtable.layout) {
            // SAFETY: the caller's promise; memory of this layout.
            Ok(memory) => Ok(unsafe { self.start_call(memory, core, work, vtable) }),
            Err(reason) => Err(Refused::new(work, reason)),
        }
    }

    #[track_caller]
    fn check(&self, core: usize) {
        assert!(core < self.cores(), "there is no core {core} in this mesh");
    }

    /// # Safety
    /// As for [`submit`](Self::submit); the memory is fresh or recycled, of the vtable's layout.
    #[inline]
    unsafe fn start_call<W: Send + 'static, T: Send + 'static>(
        &self,
        memory: NonNull<u8>,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        let from = (self.me() as u16, self.inner().local.cell().shared().current_group());
        // SAFETY: the caller's promise.
        let message = unsafe { Typed::<W, T>::write(memory, work, from, vtable) };
        // SAFETY: the vtable makes the output a `T`.
        let call = unsafe { Call::new(message.0, self.counted.clone()) };
        self.inner().note_call();
        if core == self.me() {
            self.serve(message);
        } else if self.counted.is_over.get() {
            self.inner().turn_back(message);
        } else {
            self.inner().put(core, message);
        }
        call
    }
}

impl<U: Unpark, const LANE: usize> Clone for Endpoint<U, LANE> {
    fn clone(&self) -> Self {
        Self { counted: self.counted.clone(), inner: PhantomData }
    }
}

impl<U: Unpark, const LANE: usize> fmt::Debug for Endpoint<U, LANE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("me", &self.me()).finish_non_exhaustive()
    }
}
