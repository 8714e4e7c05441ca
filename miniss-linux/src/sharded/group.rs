//! A bound on the calls in flight to each shard.
//!
//! A shard that many others call can be given more work than it has memory for. A group has a
//! number of units for each shard that is called, split among the shards that call, so that no one
//! has to ask another shard for a unit: each keeps a semaphore for each target in its own storage.
//! A call waits here until it has a unit, and keeps it until its answer is back, also if the caller
//! has dropped it meanwhile: the call is in flight all the same.
//!
//! Work that waits for a unit while it has one can be part of a circle, in which all wait for each
//! other. So groups have levels, and work may only call up: then the one that waits highest is
//! waited for by others, and waits for no one. Each task of a group notes the group for as long as
//! it is polled, and a debug build panics where it calls down.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use miniss_core::sync::{OwnedUnits, Semaphore};

use super::service::ShardedRef;
use super::storage::Key;
use crate::error::CallError;
use crate::guard::defer;
use crate::runtime::{Call, ShardId, spawn, submit_to, try_with_current};
use crate::time::timeout;

/// A bound on the calls in flight to each shard, of those that are made in this group, and an order
/// in which groups may call each other.
///
/// Calls beyond the bound wait on the shard that makes them, first come, first served. What is
/// called on the caller's own shard is not bounded and never waits.
///
/// Declare groups as statics, so that all levels stand in one place. Work in a group may make calls
/// in groups of higher levels only. Where it calls down, or in its own group, shards could wait for
/// each other in a circle: a debug build panics there, and the panic names both groups. What work
/// asks for outside of groups, or by tasks that it spawns, is not followed.
///
/// ```
/// use std::time::Duration;
///
/// use miniss_linux::Runtime;
/// use miniss_linux::sharded::ServiceGroup;
///
/// static REQUESTS: ServiceGroup = ServiceGroup::new("requests", 1, 128);
/// static STORAGE: ServiceGroup =
///     ServiceGroup::new("storage", 2, 64).queue_timeout(Duration::from_secs(1));
///
/// let runtime = Runtime::builder().shards(3).build().unwrap();
/// runtime.block_on(async {
///     let answer = REQUESTS.submit_to(1, async || {
///         // Up: from requests to storage.
///         STORAGE.submit_to(2, async || 6 * 7).await.unwrap()
///     });
///     assert_eq!(answer.await.unwrap(), 42);
/// });
/// ```
pub struct ServiceGroup {
    name: &'static str,
    level: u32,
    in_flight_max: usize,
    /// `None`: a call waits for as long as it takes.
    queue_timeout: Option<Duration>,
    /// Of the semaphores in the storage of each shard that calls.
    key: OnceLock<Key>,
}

impl ServiceGroup {
    /// A group of this level, with at most `in_flight_max` calls in flight to each shard. The
    /// shards that may call have equal parts of that, rounded down; but each may have one call in
    /// flight to each other shard, whatever the bound.
    ///
    /// # Panics
    ///
    /// If `in_flight_max` is zero.
    ///
    /// ```
    /// use miniss_linux::sharded::ServiceGroup;
    /// static GROUP: ServiceGroup = ServiceGroup::new("storage", 1, 64);
    /// assert_eq!(format!("{GROUP:?}"), r#"ServiceGroup { name: "storage", level: 1, .. }"#);
    /// ```
    pub const fn new(name: &'static str, level: u32, in_flight_max: usize) -> Self {
        assert!(in_flight_max > 0, "a group in which no call may be in flight");
        Self { name, level, in_flight_max, queue_timeout: None, key: OnceLock::new() }
    }

    /// For how long a call may wait to be made; then it ends with
    /// [`QueueTimedOut`](CallError::QueueTimedOut). How long it takes once it is made is not
    /// limited. Default: for as long as it takes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use miniss_linux::sharded::ServiceGroup;
    /// static GROUP: ServiceGroup =
    ///     ServiceGroup::new("storage", 1, 64).queue_timeout(Duration::from_millis(100));
    /// ```
    pub const fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = Some(timeout);
        self
    }

    /// As [`submit_to`](crate::submit_to), when the group has room for one more call to `shard`.
    ///
    /// # Errors
    ///
    /// [`CallError::QueueTimedOut`] if there was no room in time; what
    /// [`Call`](crate::Call) tells otherwise.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or if there is no such shard. In a debug build, if it is awaited by
    /// work in a group whose level is not lower.
    ///
    /// # Cancellation
    ///
    /// While it waits for room, the call is not made. From then on, dropping it does not stop the
    /// work, which takes up room in the group until it has ended.
    pub async fn submit_to<F, T>(
        &'static self,
        shard: impl Into<ShardId>,
        work: F,
    ) -> Result<T, CallError>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let shard = shard.into();
        let group = self.group_of_work_on(shard);
        let call = || submit_to(shard, async move || within(group, work()).await);
        self.call(shard, call).await
    }

    /// As [`ShardedRef::invoke_on`], when the group has room for one more call to `shard`.
    ///
    /// # Errors
    ///
    /// [`CallError::QueueTimedOut`] if there was no room in time; what
    /// [`invoke_on`](ShardedRef::invoke_on) tells otherwise.
    ///
    /// # Panics
    ///
    /// As for [`submit_to`](Self::submit_to).
    ///
    /// # Cancellation
    ///
    /// As for [`submit_to`](Self::submit_to).
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// use miniss_linux::Runtime;
    /// use miniss_linux::sharded::{ServiceGroup, Sharded};
    ///
    /// static VISITS: ServiceGroup = ServiceGroup::new("visits", 1, 64);
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// runtime.block_on(async {
    ///     let visits = Sharded::start(|_| (), async |(), _| Cell::new(7)).await.unwrap();
    ///     let count = VISITS.invoke_on(*visits, 1, async |visits| visits.replace(8)).await;
    ///     assert_eq!(count.unwrap(), 7);
    ///     visits.stop().await.unwrap();
    /// });
    /// ```
    pub async fn invoke_on<S, F, T>(
        &'static self,
        service: ShardedRef<S>,
        shard: impl Into<ShardId>,
        work: F,
    ) -> Result<T, CallError>
    where
        S: 'static,
        F: AsyncFnOnce(&S) -> T + Send + 'static,
        T: Send + 'static,
    {
        let shard = shard.into();
        let group = self.group_of_work_on(shard);
        let work = async move |instance: &S| within(group, work(instance)).await;
        self.call(shard, || service.invoke_on(shard, work)).await
    }

    /// Work on this shard takes up no room of ours: it remains in the group that it is called from.
    fn group_of_work_on(&'static self, shard: ShardId) -> Option<&'static Self> {
        if shard == ShardId::current() { current() } else { Some(self) }
    }

    async fn call<T: 'static>(
        &'static self,
        shard: ShardId,
        make: impl FnOnce() -> Call<T>,
    ) -> Result<T, CallError> {
        if shard == ShardId::current() {
            return make().await;
        }
        shard.index_among(ShardId::all().len());
        self.assert_above_current();
        let unit = self.unit(shard).await?;
        InFlight { call: Some((make(), unit)) }.await
    }

    fn assert_above_current(&self) {
        if cfg!(debug_assertions)
            && let Some(current) = current()
        {
            assert!(
                current.level < self.level,
                "work in the group {} of level {} calls in the group {} of level {}: shards could \
                 wait for each other in a circle; call in groups of higher levels only",
                current.name,
                current.level,
                self.name,
                self.level,
            );
        }
    }

    /// Waits for room for a call.
    async fn unit(&'static self, shard: ShardId) -> Result<OwnedUnits, CallError> {
        let gone = || CallError::ShardGone(ShardId::current());
        let unit = self.semaphores().ok_or_else(gone)?[shard.index()].acquire_owned(1);
        let unit = match self.queue_timeout {
            None => unit.await,
            Some(limit) => {
                timeout(limit, unit).await.map_err(|_| CallError::QueueTimedOut(shard))?
            }
        };
        Ok(unit.expect("it is never closed"))
    }

    /// What this shard may have in flight to each other; `None` if it is ending.
    fn semaphores(&'static self) -> Option<Rc<Vec<Rc<Semaphore>>>> {
        let key = *self.key.get_or_init(Key::new);
        key.get().or_else(|| {
            let shards = ShardId::all().len();
            let part = (self.in_flight_max / (shards - 1).max(1)).max(1);
            let units = part.min(Semaphore::UNITS_MAX);
            key.put((0..shards).map(|_| Rc::new(Semaphore::new(units))).collect::<Vec<_>>());
            key.get()
        })
    }
}

impl fmt::Debug for ServiceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceGroup")
            .field("name", &self.name)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// The group of the task that this shard polls.
pub(crate) type CurrentGroup = Cell<Option<&'static ServiceGroup>>;

fn current() -> Option<&'static ServiceGroup> {
    try_with_current(|shard| shard.group.get()).flatten()
}

fn replace_current(group: Option<&'static ServiceGroup>) -> Option<&'static ServiceGroup> {
    try_with_current(|shard| shard.group.replace(group)).flatten()
}

/// Polls `work` as a part of `group`.
async fn within<F: Future>(group: Option<&'static ServiceGroup>, work: F) -> F::Output {
    let mut work = pin!(work);
    let poll = std::future::poll_fn(|cx| {
        let before = replace_current(group);
        let _last = defer(|| _ = replace_current(before));
        work.as_mut().poll(cx)
    });
    poll.await
}

/// A call that takes up room in a group. If it is dropped, a task waits for the answer instead.
struct InFlight<T: 'static> {
    /// `None` when it has ended.
    call: Option<(Call<T>, OwnedUnits)>,
}

impl<T> Future for InFlight<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (call, _) = self.call.as_mut().expect("polled again after it has given its result");
        let outcome = std::task::ready!(Pin::new(call).poll(cx));
        self.call = None;
        Poll::Ready(outcome)
    }
}

impl<T> Drop for InFlight<T> {
    fn drop(&mut self) {
        let is_in_runtime = ShardId::try_current().is_some();
        if let Some((call, unit)) = self.call.take().filter(|_| is_in_runtime) {
            let wait = async move {
                // No one wants to know.
                let _ = call.await;
                drop(unit);
            };
            spawn(wait).detach();
        }
    }
}
