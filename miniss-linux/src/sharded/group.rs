//! A bound on the calls in flight to each shard.
//!
//! A shard that many others call can be given more work than it has memory for. A group has a
//! number of units for each shard that is called, split among the shards that call, so that no one
//! has to ask another shard for a unit: each keeps a semaphore for each target in its own storage.
//! A call waits here until it has a unit, and keeps it until its answer is back, also if the caller
//! has dropped it meanwhile: the call is in flight all the same. A [`Permit`] is such a unit, for
//! those who must know beforehand that their call will not wait; [`Permits`] has some for several
//! shards.
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
use miniss_core::unobserved::{self, Source};

use super::service::ShardedRef;
use super::storage::Key;
use crate::error::CallError;
use crate::guard::defer;
use crate::runtime::shard::Shard;
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
    /// How many of them one shard may make.
    per_caller_max: usize,
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
        let (per_caller_max, queue_timeout) = (usize::MAX, None);
        let key = OnceLock::new();
        Self { name, level, in_flight_max, per_caller_max, queue_timeout, key }
    }

    /// How many calls one shard may have in flight to one other at most, however few shards share
    /// in the bound of the group. Default: its equal part of that.
    ///
    /// Between two shards, 128 calls can be under way. With fewer than that in all, a call that the
    /// group lets through does not wait again.
    ///
    /// # Panics
    ///
    /// If `max` is zero.
    ///
    /// ```
    /// use miniss_linux::sharded::ServiceGroup;
    /// static GROUP: ServiceGroup = ServiceGroup::new("storage", 1, 4096).per_caller_max(64);
    /// ```
    pub const fn per_caller_max(mut self, max: usize) -> Self {
        assert!(max > 0, "a group in which no shard may call");
        self.per_caller_max = max;
        self
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
        self.reserve(shard).await?.submit(work).await
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
        self.reserve(shard).await?.invoke(service, work).await
    }

    /// Waits until the group has room for one more call to `shard`, and keeps it for that call.
    ///
    /// Who needs room for calls to several shards at once asks for all of it by [`Permits`]:
    /// otherwise two could wait for each other.
    ///
    /// # Errors
    ///
    /// [`CallError::QueueTimedOut`] if there was no room in time; [`CallError::ShardGone`] if the
    /// calling shard is ending.
    ///
    /// # Panics
    ///
    /// As for [`submit_to`](Self::submit_to).
    ///
    /// # Cancellation
    ///
    /// Dropping it gives up the place in the queue.
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
    ///     let visits = Sharded::start(|_| (), async |(), _| Cell::new(0)).await.unwrap();
    ///     let permit = VISITS.reserve(1).await.unwrap();
    ///     // The call is under way from here on.
    ///     let call = permit.run(*visits, |count| count.replace(1));
    ///     assert_eq!(call.await.unwrap(), 0);
    ///     visits.stop().await.unwrap();
    /// });
    /// ```
    pub async fn reserve(&'static self, shard: impl Into<ShardId>) -> Result<Permit, CallError> {
        let shard = shard.into();
        let Some(semaphore) = self.semaphore(shard)? else { return Ok(self.permit(shard, None)) };
        let unit = semaphore.acquire_owned(1);
        let unit = match self.queue_timeout {
            None => unit.await,
            Some(limit) => {
                timeout(limit, unit).await.map_err(|_| CallError::QueueTimedOut(shard))?
            }
        };
        Ok(self.permit(shard, Some(unit.expect("it is never closed"))))
    }

    /// Room for one more call to `shard`, if the group has some now, no one waits for it, and the
    /// calling shard is not ending.
    ///
    /// # Panics
    ///
    /// As for [`submit_to`](Self::submit_to).
    pub fn try_reserve(&'static self, shard: impl Into<ShardId>) -> Option<Permit> {
        let shard = shard.into();
        match self.semaphore(shard).ok()? {
            None => Some(self.permit(shard, None)),
            Some(semaphore) => Some(self.permit(shard, Some(semaphore.try_acquire_owned(1).ok()?))),
        }
    }

    fn permit(&'static self, shard: ShardId, unit: Option<OwnedUnits>) -> Permit {
        Permit { group: self, shard, unit }
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

    /// What bounds the calls that this shard makes to `shard`; `None` for those to itself. An error
    /// if it is ending.
    fn semaphore(&'static self, shard: ShardId) -> Result<Option<Rc<Semaphore>>, CallError> {
        let here = ShardId::current();
        if shard == here {
            return Ok(None);
        }
        let shards = ShardId::all().len();
        shard.index_among(shards);
        self.assert_above_current();
        let key = *self.key.get_or_init(Key::new);
        let all: Option<Rc<Vec<Rc<Semaphore>>>> = key.get().or_else(|| {
            let part = (self.in_flight_max / (shards - 1)).max(1);
            let units = part.min(self.per_caller_max).min(Semaphore::UNITS_MAX);
            key.put((0..shards).map(|_| Rc::new(Semaphore::new(units))).collect::<Vec<_>>());
            key.get()
        });
        all.map(|all| Some(all[shard.index()].clone())).ok_or(CallError::ShardGone(here))
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

/// Room in a [`ServiceGroup`] for one call to a shard. What is not used is given back when this is
/// dropped.
///
/// A call is on its way whether the future that comes back is polled or not.
#[must_use = "dropping it gives the room back"]
pub struct Permit {
    group: &'static ServiceGroup,
    shard: ShardId,
    /// `None` on the own shard, where a call takes up no room.
    unit: Option<OwnedUnits>,
}

impl Permit {
    /// Where it lets call.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// As [`submit_to`](crate::submit_to).
    ///
    /// # Errors
    ///
    /// What [`Call`](crate::Call) tells.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the work.
    pub fn submit<F, T>(self, work: F) -> impl Future<Output = Result<T, CallError>> + use<F, T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let group = self.group_of_work();
        let call = submit_to(self.shard, async move || within(group, work()).await);
        InFlight { call: Some(call), unit: self.unit }
    }

    /// As [`ShardedRef::invoke_on`].
    ///
    /// # Errors
    ///
    /// What [`invoke_on`](ShardedRef::invoke_on) tells.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the work.
    pub fn invoke<S, F, T>(
        self,
        service: ShardedRef<S>,
        work: F,
    ) -> impl Future<Output = Result<T, CallError>> + use<S, F, T>
    where
        S: 'static,
        F: AsyncFnOnce(&S) -> T + Send + 'static,
        T: Send + 'static,
    {
        let group = self.group_of_work();
        let work = async move |instance: &S| within(group, work(instance)).await;
        InFlight { call: Some(service.invoke_on(self.shard, work)), unit: self.unit }
    }

    /// As [`ShardedRef::run_on`].
    ///
    /// # Errors
    ///
    /// What [`run_on`](ShardedRef::run_on) tells.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does not stop the work.
    pub fn run<S, F, T>(
        self,
        service: ShardedRef<S>,
        work: F,
    ) -> impl Future<Output = Result<T, CallError>> + use<S, F, T>
    where
        S: 'static,
        F: FnOnce(&S) -> T + Send + 'static,
        T: Send + 'static,
    {
        InFlight { call: Some(service.run_on(self.shard, work)), unit: self.unit }
    }

    /// Work on the own shard takes up no room: it remains in the group that it is called from.
    fn group_of_work(&self) -> Option<&'static ServiceGroup> {
        if self.unit.is_none() { current() } else { Some(self.group) }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, shard) = (self.group.name, self.shard);
        f.debug_struct("Permit").field("group", &group).field("shard", &shard).finish()
    }
}

/// Room in a [`ServiceGroup`] for one call to each of several shards.
///
/// Those who wait here never wait for each other: while one waits for a shard, it holds room for
/// lower shards only.
///
/// ```
/// use std::cell::Cell;
///
/// use miniss_linux::Runtime;
/// use miniss_linux::sharded::{Permits, ServiceGroup, Sharded};
///
/// static VISITS: ServiceGroup = ServiceGroup::new("visits", 1, 64);
///
/// let runtime = Runtime::builder().shards(3).build().unwrap();
/// runtime.block_on(async {
///     let visits = Sharded::start(|_| (), async |(), _| Cell::new(0)).await.unwrap();
///     let mut permits = Permits::new(&VISITS);
///     permits.reserve(1..3_usize).await.unwrap();
///     // Both calls are made, and neither waits.
///     let visit = |count: &Cell<u32>| count.set(count.get() + 1);
///     let calls: Vec<_> = permits.drain().map(|permit| permit.run(*visits, visit)).collect();
///     for call in calls {
///         call.await.unwrap();
///     }
///     visits.stop().await.unwrap();
/// });
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the room back"]
pub struct Permits {
    group: &'static ServiceGroup,
    held: Vec<Permit>,
}

impl Permits {
    /// None yet, of `group`.
    pub const fn new(group: &'static ServiceGroup) -> Self {
        Self { group, held: Vec::new() }
    }

    /// Takes room for a call to each of `shards` for which none is held; false, and none is taken,
    /// if there is not enough [now](ServiceGroup::try_reserve).
    ///
    /// # Panics
    ///
    /// As for [`ServiceGroup::submit_to`].
    #[must_use]
    pub fn try_reserve(&mut self, shards: impl IntoIterator<Item = impl Into<ShardId>>) -> bool {
        let held = self.held.len();
        for shard in shards {
            let shard = shard.into();
            if self.held.iter().any(|permit| permit.shard == shard) {
                continue;
            }
            let Some(permit) = self.group.try_reserve(shard) else {
                self.held.truncate(held);
                return false;
            };
            self.held.push(permit);
        }
        true
    }

    /// Waits for room for a call to each of `shards`, beside what is held. If it has to wait, it
    /// gives back what is held, and takes all of it in the order of the shards.
    ///
    /// # Errors
    ///
    /// As for [`ServiceGroup::reserve`]. The room that was there is held.
    ///
    /// # Panics
    ///
    /// As for [`ServiceGroup::submit_to`].
    ///
    /// # Cancellation
    ///
    /// Dropping it gives up the place in the queue. The room that was there is held.
    pub async fn reserve(
        &mut self,
        shards: impl IntoIterator<Item = impl Into<ShardId>> + Clone,
    ) -> Result<(), CallError> {
        if self.try_reserve(shards.clone()) {
            return Ok(());
        }
        let held = self.held.drain(..).map(|permit| permit.shard);
        let mut wanted: Vec<ShardId> = shards.into_iter().map(Into::into).chain(held).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // On the heap: it is seldom, and the futures of those who ask are to stay small.
        let all_in_order = async {
            for shard in wanted {
                self.held.push(self.group.reserve(shard).await?);
            }
            Ok(())
        };
        Box::pin(all_in_order).await
    }

    /// All that are held, to be used. Those that are not are given back.
    pub fn drain(&mut self) -> impl Iterator<Item = Permit> {
        self.held.drain(..)
    }
}

/// The group of the task that this shard polls.
pub(crate) type CurrentGroup = Cell<Option<&'static ServiceGroup>>;

fn current() -> Option<&'static ServiceGroup> {
    try_with_current(|shard| shard.group.get()).flatten()
}

/// Polls `work` as a part of `group`.
fn within<F: Future>(
    group: Option<&'static ServiceGroup>,
    work: F,
) -> impl Future<Output = F::Output> {
    noting(|shard| &shard.group, group, work)
}

/// Polls `work`, and meanwhile what `place` is on this shard has this `value`.
pub(super) async fn noting<T: Copy, F: Future>(
    place: fn(&Shard) -> &Cell<T>,
    value: T,
    work: F,
) -> F::Output {
    let mut work = pin!(work);
    let poll = std::future::poll_fn(|cx| {
        let replace = |value| try_with_current(|shard| place(shard).replace(value));
        let before = replace(value);
        let _last = defer(|| _ = before.map(replace));
        work.as_mut().poll(cx)
    });
    poll.await
}

/// A call, and the room that it takes up. If it is dropped, a task waits for the answer instead.
struct InFlight<T: 'static> {
    /// `None` when it has ended.
    call: Option<Call<T>>,
    unit: Option<OwnedUnits>,
}

impl<T> Future for InFlight<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.call.as_mut().expect("polled again after it has given its result");
        let outcome = std::task::ready!(Pin::new(call).poll(cx));
        (self.call, self.unit) = (None, None);
        Poll::Ready(outcome)
    }
}

impl<T> Drop for InFlight<T> {
    fn drop(&mut self) {
        if let (Some(call), Some(unit)) = (self.call.take(), self.unit.take())
            && ShardId::try_current().is_some()
        {
            let wait = async move {
                // No one wants to know, so no one sees a panic.
                if let Err(CallError::Panicked(_)) = call.await {
                    unobserved::report(Source::Task, "panic");
                }
                drop(unit);
            };
            spawn(wait).detach();
        }
    }
}
