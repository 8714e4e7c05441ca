//! A call to each of many shards, joined.
//!
//! All calls are made at once, and all of them are waited for, whatever becomes of the others: when
//! the result is there, nothing of the work is under way any more. So there is no hurry to learn of
//! an error, and they are awaited one after the other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::CallError;
use crate::runtime::{Call, ShardId, run_on, submit_to};

/// Calls to many shards: awaits all of them, and gives their outputs in the order of the shards.
///
/// The calls are on their way whether this is polled or not.
///
/// # Errors
///
/// If calls fail, the error of the first of them in the order of the shards, once all have ended.
/// The other errors and the outputs are dropped; [`outcomes`](Self::outcomes) gives each of them.
///
/// # Cancellation
///
/// Dropping it does not stop the work: each call goes on as a dropped [`Call`] does, and its output
/// is dropped on this shard when it comes back.
///
/// # Panics
///
/// When polled again after it has given its result.
#[must_use = "the calls run without being awaited; write `drop(calls)` if that is meant"]
pub struct Calls<T> {
    calls: Vec<(ShardId, Call<T>)>,
    /// Of those calls, from the first on, that have ended.
    outcomes: Vec<(ShardId, Result<T, CallError>)>,
}

/// Nothing in it is ever pinned.
impl<T> Unpin for Calls<T> {}

impl<T> Calls<T> {
    /// Has `call` make a call to each of `shards` with a clone of `work`. All clones are made
    /// first, so that a panic there leaves nothing under way.
    ///
    /// # Panics
    /// If there is no such shard.
    #[track_caller]
    pub(super) fn make<F: Clone>(
        shards: impl IntoIterator<Item = impl Into<ShardId>>,
        work: &F,
        call: impl Fn(ShardId, F) -> Call<T>,
    ) -> Self {
        let count = ShardId::all().len();
        let mut works = Vec::new();
        for shard in shards {
            let shard = shard.into();
            shard.index_among(count);
            works.push((shard, work.clone()));
        }
        let calls: Vec<_> =
            works.into_iter().map(|(shard, work)| (shard, call(shard, work))).collect();
        Self::of(calls)
    }

    pub(super) fn of(calls: Vec<(ShardId, Call<T>)>) -> Self {
        let outcomes = Vec::with_capacity(calls.len());
        Self { calls, outcomes }
    }

    /// Folds the outputs, if all are there.
    pub(super) async fn reduce<A>(
        self,
        initial: A,
        reduce: impl FnMut(A, T) -> A,
    ) -> Result<A, CallError> {
        Ok(self.await?.into_iter().fold(initial, reduce))
    }

    /// Awaits all calls, and tells of each how it ended.
    ///
    /// # Cancellation
    ///
    /// Dropping it does not stop the work.
    ///
    /// ```
    /// use miniss_linux::sharded::invoke_on_all;
    /// use miniss_linux::{CallError, Runtime, ShardId};
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// runtime.block_on(async {
    ///     let calls = invoke_on_all(async || assert_ne!(ShardId::current().index(), 1));
    ///     let outcomes = calls.outcomes().await;
    ///     assert!(matches!(outcomes[0], (_, Ok(()))));
    ///     assert!(matches!(outcomes[1], (_, Err(CallError::Panicked(_)))));
    /// });
    /// ```
    pub async fn outcomes(mut self) -> Vec<(ShardId, Result<T, CallError>)> {
        std::future::poll_fn(|cx| self.poll_all(cx)).await;
        self.outcomes
    }

    /// Ready when all have ended.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some((shard, call)) = self.calls.get_mut(self.outcomes.len()) {
            let outcome = ready!(Pin::new(call).poll(cx));
            self.outcomes.push((*shard, outcome));
        }
        Poll::Ready(())
    }
}

impl<T> Future for Calls<T> {
    type Output = Result<Vec<T>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.poll_all(cx));
        let outcomes = std::mem::take(&mut self.outcomes);
        Poll::Ready(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

impl<T> fmt::Debug for Calls<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.outcomes.len();
        f.debug_struct("Calls").field("calls", &self.calls.len()).field("ended", &ended).finish()
    }
}

/// Runs a clone of the async closure `work` as a task on every shard, this one too, and brings back
/// the outputs in the order of the shards.
///
/// # Panics
///
/// Outside of a runtime. A panic in `work` reaches the caller as
/// [`CallError::Panicked`](crate::CallError::Panicked) when all have ended.
///
/// # Cancellation
///
/// Dropping the [`Calls`] does not stop the work.
///
/// ```
/// use miniss_linux::sharded::invoke_on_all;
/// use miniss_linux::{Runtime, ShardId};
///
/// let runtime = Runtime::builder().shards(3).build().unwrap();
/// runtime.block_on(async {
///     let base = 10;
///     let sums = invoke_on_all(async move || base + ShardId::current().index()).await;
///     assert_eq!(sums.unwrap(), [10, 11, 12]);
/// });
/// ```
#[track_caller]
pub fn invoke_on_all<F, T>(work: F) -> Calls<T>
where
    F: AsyncFnOnce() -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    invoke_on_each(ShardId::all(), work)
}

/// As [`invoke_on_all`], but not on this shard.
///
/// # Panics
///
/// As for [`invoke_on_all`].
///
/// # Cancellation
///
/// Dropping the [`Calls`] does not stop the work.
///
/// ```
/// use miniss_linux::sharded::invoke_on_others;
/// use miniss_linux::{Runtime, ShardId};
///
/// let runtime = Runtime::builder().shards(3).build().unwrap();
/// runtime.block_on(async {
///     let others = invoke_on_others(async || ShardId::current().index()).await;
///     assert_eq!(others.unwrap(), [1, 2]);
/// });
/// ```
#[track_caller]
pub fn invoke_on_others<F, T>(work: F) -> Calls<T>
where
    F: AsyncFnOnce() -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    invoke_on_each(others(), work)
}

/// As [`invoke_on_all`], on each of `shards`: a range, a list, or any other iterator. The outputs
/// come back in its order; a shard that it names twice is called twice.
///
/// # Panics
///
/// As for [`invoke_on_all`], and if there is no such shard; then no call is made.
///
/// # Cancellation
///
/// Dropping the [`Calls`] does not stop the work.
///
/// ```
/// use miniss_linux::sharded::invoke_on_each;
/// use miniss_linux::{Runtime, ShardId};
///
/// let runtime = Runtime::builder().shards(4).build().unwrap();
/// runtime.block_on(async {
///     let some = invoke_on_each(1..3_usize, async || ShardId::current().index()).await;
///     assert_eq!(some.unwrap(), [1, 2]);
/// });
/// ```
#[track_caller]
pub fn invoke_on_each<F, T>(
    shards: impl IntoIterator<Item = impl Into<ShardId>>,
    work: F,
) -> Calls<T>
where
    F: AsyncFnOnce() -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    Calls::make(shards, &work, submit_to)
}

/// Runs a clone of the plain closure `map` on each of `shards`, between its tasks, and folds the
/// outputs here with `reduce`, in the order of the shards.
///
/// The calls are made by this function; the future only waits for them.
///
/// # Errors
///
/// As for [`Calls`]: that of the first shard whose call failed, once all have ended. Then `reduce`
/// is not called.
///
/// # Panics
///
/// As for [`invoke_on_each`].
///
/// # Cancellation
///
/// Dropping the future does not stop the work.
///
/// ```
/// use miniss_linux::sharded::map_reduce;
/// use miniss_linux::{Runtime, ShardId};
///
/// let runtime = Runtime::builder().shards(4).build().unwrap();
/// runtime.block_on(async {
///     let index = || ShardId::current().index();
///     let sum = map_reduce(ShardId::all(), index, 0, |sum, index| sum + index).await;
///     assert_eq!(sum.unwrap(), 6);
/// });
/// ```
#[track_caller]
pub fn map_reduce<F, T, A>(
    shards: impl IntoIterator<Item = impl Into<ShardId>>,
    map: F,
    initial: A,
    reduce: impl FnMut(A, T) -> A,
) -> impl Future<Output = Result<A, CallError>>
where
    F: FnOnce() -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    Calls::make(shards, &map, run_on).reduce(initial, reduce)
}

/// All shards but this one.
#[track_caller]
pub(super) fn others() -> impl Iterator<Item = ShardId> {
    let here = ShardId::current();
    ShardId::all().filter(move |shard| *shard != here)
}
