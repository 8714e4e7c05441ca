//! State with an instance on each shard, made there, called there, and dropped there.
//!
//! The instance is in the storage of its shard, and what goes from shard to shard is only its key:
//! so an instance need not be `Send`, and no count is shared.
//!
//! A [`Sharded`] that is dropped while it starts has instances that are still being made. Those see
//! a flag when they are done, and are dropped at once; the others are dropped by a message to each
//! shard, which is sent after the flag was set. What is on a shard happens one after the other, so
//! each instance meets the one or the other.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use miniss_core::sync::Gate;

use super::calls::{Calls, invoke_on_all, others};
use super::group::noting;
use super::storage::Key;
use crate::error::CallError;
use crate::runtime::{Call, Handle, ShardId, submit_to, try_run_on, try_submit_to, with_current};

/// What a [`Sharded`] has an instance of on each shard.
///
/// ```
/// use std::cell::Cell;
/// use miniss_linux::sharded::Service;
///
/// struct Cache {
///     open: Cell<bool>,
/// }
///
/// impl Service for Cache {
///     async fn stop(&self) {
///         self.open.set(false);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `Sharded` has no instances of `{Self}`, which is no `Service`",
    note = "`impl Service for {Self} {{}}` is enough where there is nothing to stop"
)]
pub trait Service: 'static {
    /// Ends what the instance has begun, on its own shard, before it is dropped. No call is under
    /// way then and none comes any more; siblings may have stopped already, but are still there.
    /// Default: there is nothing to end.
    ///
    /// # Cancellation
    ///
    /// It is dropped before its end only if its shard ends.
    fn stop(&self) -> impl Future<Output = ()> {
        async {}
    }
}

impl<T: 'static> Service for Cell<T> {}

impl<T: 'static> Service for RefCell<T> {}

/// An instance of `T` on each shard. This is its owner, which stops it; [`ShardedRef`], to which it
/// dereferences, is for all who call it.
///
/// Dropping it without [`stop`](Self::stop) drops the instances, each on its own shard, as soon as
/// that comes to it and the calls in it have ended. [`Service::stop`] is not called then, and calls
/// that have not begun are answered with [`NotRunning`](CallError::NotRunning). What is still there
/// when its shard ends is dropped after the tasks of the shard.
///
/// ```
/// use std::cell::Cell;
///
/// use miniss_linux::sharded::{Service, Sharded, ShardedRef};
/// use miniss_linux::{Runtime, ShardId};
///
/// /// Counts the visits to its shard.
/// struct Visits {
///     count: Cell<u64>,
///     siblings: ShardedRef<Self>,
/// }
///
/// impl Visits {
///     fn visit(&self) {
///         self.count.set(self.count.get() + 1);
///     }
///
///     async fn of_all(&self) -> u64 {
///         let count = |visits: &Self| visits.count.get();
///         self.siblings.map_reduce(count, 0, |sum, count| sum + count).await.unwrap()
///     }
/// }
///
/// impl Service for Visits {
///     async fn stop(&self) {
///         println!("{}: {} visits", ShardId::current(), self.count.get());
///     }
/// }
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// runtime.block_on(async {
///     // Each shard has an argument of its own.
///     let first_count = |shard: ShardId| 10 * shard.index() as u64;
///     let make = async |count, siblings| Visits { count: Cell::new(count), siblings };
///     let visits = Sharded::start(first_count, make).await.unwrap();
///
///     visits.local().visit();
///     visits.invoke_on(1, async |visits| visits.visit()).await.unwrap();
///     assert_eq!(visits.map(|visits| visits.count.get()).await.unwrap(), [1, 11]);
///     assert_eq!(visits.invoke_on(1, async |visits| visits.of_all().await).await.unwrap(), 12);
///
///     visits.stop().await.unwrap();
/// });
/// ```
/// What belongs to a shard stays there: neither an instance nor a call can take an `Rc` to another
/// shard.
///
/// ```compile_fail,E0277
/// use std::{cell::Cell, rc::Rc};
/// use miniss_linux::sharded::ShardedRef;
///
/// fn steal(parts: ShardedRef<Cell<Rc<u32>>>) {
///     drop(parts.invoke_on(1, async |part: &Cell<Rc<u32>>| part.take())); // `Rc` is not `Send`
/// }
/// ```
///
/// ```compile_fail,E0277
/// use std::{cell::Cell, rc::Rc};
/// use miniss_linux::sharded::ShardedRef;
///
/// fn smuggle(parts: ShardedRef<Cell<Rc<u32>>>) {
///     let mine = Rc::new(5);
///     drop(parts.invoke_on(1, async move |part: &Cell<Rc<u32>>| part.set(mine)));
/// }
/// ```
///
/// ```compile_fail,E0277
/// use std::cell::Cell;
/// use miniss_linux::{sharded::ShardedRef, submit_to};
///
/// fn share(parts: ShardedRef<Cell<u32>>) {
///     let mine = parts.local(); // of this shard
///     drop(submit_to(1, async move || mine.set(5)));
/// }
/// ```
#[must_use = "dropping it drops all instances"]
pub struct Sharded<T> {
    service: ShardedRef<T>,
    /// The runtime of the shards.
    handle: Handle,
    is_abandoned: Arc<AtomicBool>,
    is_stopped: bool,
}

impl<T: Service> Sharded<T> {
    /// Makes an instance on every shard at the same time, by a clone of the async closure
    /// `construct`. It is given the argument of its shard, which `arguments` made here, and the way
    /// to its siblings: each of them is there when its own `construct` has ended, and all when this
    /// returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] if a `construct` panicked or a shard has ended: the first in the order of the
    /// shards. All are waited for, and those that were made are [stopped](Self::stop) before.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Those that were made, or still will be, are dropped without being stopped.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::collections::HashMap;
    /// use miniss_linux::{Runtime, sharded::Sharded};
    ///
    /// type Part = RefCell<HashMap<u32, String>>;
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// runtime.block_on(async {
    ///     let parts = Sharded::start(|_| (), async |(), _| Part::default()).await.unwrap();
    ///     let put = async |part: &Part| part.borrow_mut().insert(7, "seven".into());
    ///     assert_eq!(parts.invoke_on(1, put).await.unwrap(), None);
    ///     assert_eq!(parts.map(|part| part.borrow().len()).await.unwrap(), [0, 1]);
    ///     parts.stop().await.unwrap();
    /// });
    /// ```
    pub async fn start<A, F>(
        arguments: impl FnMut(ShardId) -> A,
        construct: F,
    ) -> Result<Self, StartError<Infallible>>
    where
        A: Send + 'static,
        F: AsyncFnOnce(A, ShardedRef<T>) -> T + Clone + Send + 'static,
    {
        let construct = async move |argument, service| Ok(construct(argument, service).await);
        Self::try_start(arguments, construct).await
    }

    /// As [`start`](Self::start), with a `construct` that may fail.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start), and [`StartError::Failed`] with what `construct` returned.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As for [`start`](Self::start).
    ///
    /// ```
    /// use std::cell::Cell;
    /// use miniss_linux::sharded::{Sharded, StartError};
    /// use miniss_linux::{Runtime, ShardId};
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// let error = runtime.block_on(async {
    ///     let open = async |index, _| if index == 1 { Err("no room") } else { Ok(Cell::new(0)) };
    ///     Sharded::try_start(ShardId::index, open).await.unwrap_err()
    /// });
    /// assert!(matches!(error, StartError::Failed { error: "no room", .. }));
    /// assert_eq!(error.to_string(), "cannot start on shard 1: no room");
    /// ```
    pub async fn try_start<A, E, F>(
        mut arguments: impl FnMut(ShardId) -> A,
        construct: F,
    ) -> Result<Self, StartError<E>>
    where
        A: Send + 'static,
        E: Send + 'static,
        F: AsyncFnOnce(A, ShardedRef<T>) -> Result<T, E> + Clone + Send + 'static,
    {
        let sharded = Self::nowhere();
        let works: Vec<_> =
            ShardId::all().map(|shard| (shard, arguments(shard), construct.clone())).collect();
        let calls = works.into_iter().map(|(shard, argument, construct)| {
            (shard, sharded.construct_on(shard, argument, construct))
        });
        let outcomes = Calls::of(calls.collect()).outcomes().await;
        let first_error = outcomes.into_iter().find_map(|(shard, outcome)| match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(StartError::Failed { shard, error }),
            Err(error) => Some(StartError::Call { shard, error }),
        });
        match first_error {
            None => Ok(sharded),
            Some(error) => {
                // What goes wrong now is not the cause.
                let _ = sharded.stop().await;
                Err(error)
            }
        }
    }

    fn construct_on<A, E, F>(
        &self,
        shard: ShardId,
        argument: A,
        construct: F,
    ) -> Call<Result<(), E>>
    where
        A: Send + 'static,
        E: Send + 'static,
        F: AsyncFnOnce(A, ShardedRef<T>) -> Result<T, E> + Send + 'static,
    {
        let (service, is_abandoned) = (self.service, self.is_abandoned.clone());
        submit_to(shard, async move || {
            let value = construct(argument, service).await?;
            if !is_abandoned.load(Ordering::Acquire) {
                service.key.put(Instance::new(service.key, value));
            }
            Ok(())
        })
    }

    /// Stops all instances, in this order, each step on all shards before the next one begins:
    ///
    /// 1. Calls that have not begun, and all later ones, are answered with
    ///    [`NotRunning`](CallError::NotRunning).
    /// 2. The calls that have begun are waited for.
    /// 3. [`Service::stop`] runs on each shard.
    /// 4. Each instance is dropped on its shard; if a task there still has it from
    ///    [`local`](ShardedRef::local), together with that.
    ///
    /// Do not await it inside of a call to the same service: the two would wait for each other.
    /// A debug build panics there, unless the call waits by another task or another shard.
    ///
    /// # Errors
    ///
    /// The first of the errors, if a `stop` or a destructor panics, or a shard has ended. The other
    /// steps and shards are not skipped for that.
    ///
    /// # Panics
    ///
    /// Outside of the runtime in which it was started. In a debug build, inside of a call to the
    /// service.
    ///
    /// # Cancellation
    ///
    /// The step that has begun goes on. Then the instances are dropped as by a drop.
    pub async fn stop(mut self) -> Result<(), CallError> {
        let is_ours = with_current(|shard| shard.handle.is_same(&self.handle));
        assert!(is_ours, "a service is stopped in the runtime in which it was started");
        let service = self.service;
        assert_ne!(
            with_current(|shard| shard.service.get()),
            Some(service.key),
            "a service is stopped inside of a call to it, and each would wait for the other; stop \
             it when the call has ended, or in a task that the call spawns and does not await",
        );
        let ended = invoke_on_all(async move || {
            if let Some(instance) = service.instance() {
                instance.end_calls().await;
            }
        });
        let ended = ended.await;
        let stopped = invoke_on_all(async move || {
            if let Some(instance) = service.instance() {
                instance.value.stop().await;
            }
        });
        let stopped = stopped.await;
        let dropped = invoke_on_all(async move || service.key.remove()).await;
        self.is_stopped = true;
        [ended, stopped, dropped].into_iter().try_for_each(|step| step.map(drop))
    }
}

impl<T: 'static> Sharded<T> {
    /// Without any instance yet.
    #[track_caller]
    fn nowhere() -> Self {
        let service = ShardedRef { key: Key::new(), instance: PhantomData };
        let handle = with_current(|shard| shard.handle.clone());
        Self { service, handle, is_abandoned: Arc::default(), is_stopped: false }
    }
}

impl<T> Deref for Sharded<T> {
    type Target = ShardedRef<T>;

    fn deref(&self) -> &ShardedRef<T> {
        &self.service
    }
}

impl<T> Drop for Sharded<T> {
    fn drop(&mut self) {
        if self.is_stopped {
            return;
        }
        // Pairs with the load before an instance is stored.
        self.is_abandoned.store(true, Ordering::Release);
        let key = self.service.key;
        for shard in (0..self.handle.shards()).map(ShardId::new) {
            self.handle.run_later(shard, move || key.remove());
        }
    }
}

impl<T> fmt::Debug for Sharded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").finish_non_exhaustive()
    }
}

/// The service in whose call the task is that this shard polls; only debug builds note it.
pub(crate) type CurrentService = Cell<Option<Key>>;

/// The instance of a shard.
pub(super) struct Instance<T> {
    /// Of which it is.
    key: Key,
    value: Rc<T>,
    /// Those that are in it.
    calls: Gate,
}

impl<T> Instance<T> {
    pub(super) fn new(key: Key, value: T) -> Self {
        Self { key, value: Rc::new(value), calls: Gate::new() }
    }

    pub(super) fn value(&self) -> Rc<T> {
        self.value.clone()
    }

    /// Lets a call in.
    pub(super) async fn run<R>(&self, work: impl AsyncFnOnce(&T) -> R) -> Result<R, CallError> {
        let _inside = self.calls.enter().map_err(|_| not_running())?;
        let work = work(&self.value);
        // Who stops the service wants to know whether it is in such a call.
        Ok(if cfg!(debug_assertions) {
            noting(|shard| &shard.service, Some(self.key), work).await
        } else {
            work.await
        })
    }

    /// Lets no more calls in, and waits for those that are.
    pub(super) async fn end_calls(&self) {
        self.calls.close().await;
    }
}

/// The way to the instances of a [`Sharded`]: a number, to be copied and sent wherever it is
/// wanted. It keeps nothing alive: keep the [`Sharded`], and not only what it dereferences to, for
/// as long as it is called.
///
/// ```
/// use std::cell::Cell;
/// use miniss_linux::sharded::{Sharded, ShardedRef};
/// use miniss_linux::{Runtime, submit_to};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// runtime.block_on(async {
///     let start = Sharded::start(|shard| shard.index(), async |index, _| Cell::new(index));
///     let sharded = start.await.unwrap();
///     let numbers: ShardedRef<Cell<usize>> = *sharded;
///     let there = submit_to(1, async move || numbers.local().get());
///     assert_eq!(there.await.unwrap(), 1);
///     sharded.stop().await.unwrap();
/// });
/// ```
pub struct ShardedRef<T> {
    key: Key,
    instance: PhantomData<fn() -> T>,
}

impl<T: 'static> ShardedRef<T> {
    fn instance(self) -> Option<Rc<Instance<T>>> {
        self.key.get()
    }

    /// The instance of this shard, also while it is being [stopped](Sharded::stop). A task that
    /// keeps it keeps it from being dropped, but not from being stopped.
    ///
    /// # Panics
    ///
    /// If this shard has none: outside of the runtime in which it was started, before it has been
    /// made, and after it was stopped.
    #[track_caller]
    pub fn local(self) -> Rc<T> {
        self.try_local().expect(NOT_HERE)
    }

    /// The instance of this shard, if it has one.
    pub fn try_local(self) -> Option<Rc<T>> {
        self.instance().map(|instance| instance.value())
    }

    /// Runs the async closure `work` with the instance of `shard`, as a task there, and brings back
    /// its output. [`Sharded::stop`] waits for it.
    ///
    /// The [`Call`] ends with [`NotRunning`](CallError::NotRunning) if there is no instance, or it
    /// is being stopped.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or if there is no such shard. A panic in `work` reaches the caller as
    /// [`CallError::Panicked`] and no one else.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work.
    #[track_caller]
    pub fn invoke_on<F, R>(self, shard: impl Into<ShardId>, work: F) -> Call<R>
    where
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: Send + 'static,
    {
        try_submit_to(shard.into(), async move || {
            self.instance().ok_or_else(not_running)?.run(work).await
        })
    }

    /// Runs the plain closure `work` with the instance of `shard`, between the tasks there, and
    /// brings back its output. Cheaper than [`invoke_on`](Self::invoke_on) for what neither waits
    /// nor takes long; on the caller's own shard it runs at once.
    ///
    /// The [`Call`] ends with [`NotRunning`](CallError::NotRunning) if there is no instance, or it
    /// is being stopped.
    ///
    /// # Panics
    ///
    /// As for [`invoke_on`](Self::invoke_on).
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work.
    #[track_caller]
    pub fn run_on<F, R>(self, shard: impl Into<ShardId>, work: F) -> Call<R>
    where
        F: FnOnce(&T) -> R + Send + 'static,
        R: Send + 'static,
    {
        try_run_on(shard.into(), move || {
            let instance = self.instance().filter(|instance| !instance.calls.is_closed());
            Ok(work(&instance.ok_or_else(not_running)?.value))
        })
    }

    /// As [`invoke_on`](Self::invoke_on), on every shard, this one too, with a clone of `work` for
    /// each.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Calls`] does not stop the work.
    #[track_caller]
    pub fn invoke_on_all<F, R>(self, work: F) -> Calls<R>
    where
        F: AsyncFnOnce(&T) -> R + Clone + Send + 'static,
        R: Send + 'static,
    {
        self.invoke_on_each(ShardId::all(), work)
    }

    /// As [`invoke_on_all`](Self::invoke_on_all), but not on this shard: an instance calls its
    /// siblings.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Calls`] does not stop the work.
    #[track_caller]
    pub fn invoke_on_others<F, R>(self, work: F) -> Calls<R>
    where
        F: AsyncFnOnce(&T) -> R + Clone + Send + 'static,
        R: Send + 'static,
    {
        self.invoke_on_each(others(), work)
    }

    /// As [`invoke_on_all`](Self::invoke_on_all), on each of `shards`, as often and in the order as
    /// they are named.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, and if there is no such shard; then no call is made.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Calls`] does not stop the work.
    #[track_caller]
    pub fn invoke_on_each<F, R>(
        self,
        shards: impl IntoIterator<Item = impl Into<ShardId>>,
        work: F,
    ) -> Calls<R>
    where
        F: AsyncFnOnce(&T) -> R + Clone + Send + 'static,
        R: Send + 'static,
    {
        Calls::make(shards, &work, |shard, work| self.invoke_on(shard, work))
    }

    /// As [`run_on`](Self::run_on), on every shard, this one too, with a clone of `work` for each:
    /// brings back the outputs in the order of the shards.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Calls`] does not stop the work.
    #[track_caller]
    pub fn map<F, R>(self, work: F) -> Calls<R>
    where
        F: FnOnce(&T) -> R + Clone + Send + 'static,
        R: Send + 'static,
    {
        Calls::make(ShardId::all(), &work, |shard, work| self.run_on(shard, work))
    }

    /// As [`map`](Self::map), and folds the outputs here with `reduce`, in the order of the shards.
    ///
    /// # Errors
    ///
    /// As for [`Calls`]; then `reduce` is not called.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the work.
    #[track_caller]
    pub fn map_reduce<F, R, A>(
        self,
        map: F,
        initial: A,
        reduce: impl FnMut(A, R) -> A,
    ) -> impl Future<Output = Result<A, CallError>>
    where
        F: FnOnce(&T) -> R + Clone + Send + 'static,
        R: Send + 'static,
    {
        self.map(map).reduce(initial, reduce)
    }
}

const NOT_HERE: &str = "the service is not running on this shard: it has not started, is stopped, \
                        or its `Sharded` was dropped";

/// There is nothing on this shard to be called.
pub(super) fn not_running() -> CallError {
    CallError::NotRunning(ShardId::current())
}

impl<T> Clone for ShardedRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ShardedRef<T> {}

impl<T> fmt::Debug for ShardedRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardedRef").finish_non_exhaustive()
    }
}

/// Why a [`Sharded`] did not start.
///
/// ```
/// use miniss_linux::ShardId;
/// use miniss_linux::sharded::StartError;
///
/// let error = StartError::Failed { shard: ShardId::new(1), error: "no room" };
/// assert_eq!(error.to_string(), "cannot start on shard 1: no room");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError<E> {
    /// The instance could not be made.
    Failed {
        /// On which shard.
        shard: ShardId,
        /// Why.
        error: E,
    },
    /// It panicked while it was made, or the shard has ended.
    Call {
        /// Which shard.
        shard: ShardId,
        /// What became of the call.
        error: CallError,
    },
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { shard, error } => write!(f, "cannot start on {shard}: {error}"),
            Self::Call { shard, error } => write!(f, "cannot start on {shard}: {error}"),
        }
    }
}

impl<E: Error + 'static> Error for StartError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::Call { error, .. } => Some(error),
        }
    }
}
