//! Tasks: spawning, joining, aborting.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use miniss_core::{AbortHandle, Stats};

use super::call::{Call, submit_to};
use super::current;
use super::shard::{Shard, ShardId};
use crate::error::{JoinError, Panic, Payload};
use crate::guard::{Guarded, Quiet};

/// Starts `future` as a task of its own on this shard, behind those that are ready already.
///
/// During the end of a runtime nothing new starts: the handle reads [`JoinError::Cancelled`].
///
/// # Panics
///
/// Outside of a runtime. A panic in the task reaches its [`JoinHandle`] and nothing else.
///
/// ```
/// use miniss_linux::{Runtime, spawn};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let answer = runtime.block_on(async { spawn(async { 6 * 7 }).await });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[inline]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    current::with(|shard| spawn_in(shard, future))
}

/// Starts the async closure `work` as a task on `shard`: [`submit_to`] under the name that users of
/// other runtimes look for. What it gives is a [`Call`]: it cannot be aborted from here.
///
/// # Panics
///
/// Outside of a runtime, or if there is no such shard.
///
/// # Cancellation
///
/// Dropping the [`Call`] does not stop the work.
///
/// ```
/// use miniss_linux::{Runtime, ShardId, spawn_on};
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let shard = runtime.block_on(async { spawn_on(1, async || ShardId::current()).await });
/// assert_eq!(shard.unwrap().index(), 1);
/// ```
#[track_caller]
pub fn spawn_on<F, T>(shard: impl Into<ShardId>, work: F) -> Call<T>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    submit_to(shard, work)
}

/// What this shard's executor has done so far.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// use miniss_linux::{Runtime, stats};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// assert!(runtime.block_on(async { stats().polls }) >= 1);
/// ```
#[track_caller]
pub fn stats() -> Stats {
    current::with(|shard| shard.local.stats())
}

/// What a task leaves behind.
pub(super) type Outcome<T> = Quiet<Result<T, Payload>>;

#[inline]
pub(crate) fn spawn_in<F>(shard: &Shard, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle { inner: shard.local.spawn(Guarded::new(future)).ok() }
}

/// The outcome of a spawned task. It stays on its shard.
///
/// Dropping it detaches the task.
///
/// # Errors
///
/// [`JoinError`] if the task panicked or was cancelled.
///
/// # Cancellation
///
/// Awaiting by `&mut` may be given up and taken up again; nothing is lost.
///
/// # Panics
///
/// When polled again after it has given its result.
///
/// See [`spawn`] for an example.
pub struct JoinHandle<T> {
    /// `None`: it was never started, because the runtime was ending.
    inner: Option<miniss_core::JoinHandle<Outcome<T>>>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(inner: miniss_core::JoinHandle<Outcome<T>>) -> Self {
        Self { inner: Some(inner) }
    }

    /// Whether the task has ended.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async { assert!(!spawn(async {}).is_finished()) });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.inner.as_ref().is_none_or(miniss_core::JoinHandle::is_finished)
    }

    /// Asks for the task's future to be dropped at the shard's next turn. A task that has ended by
    /// then keeps its result.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let error = runtime.block_on(async {
    ///     let task = spawn(std::future::pending::<()>());
    ///     task.abort();
    ///     task.await
    /// });
    /// assert!(error.unwrap_err().is_cancelled());
    /// ```
    pub fn abort(&self) {
        if let Some(inner) = &self.inner {
            inner.abort();
        }
    }

    /// A handle that aborts the task from any thread; `None` if it was never started.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async {
    ///     let task = spawn(std::future::pending::<()>());
    ///     let abort = task.abort_handle().unwrap();
    ///     std::thread::spawn(move || abort.abort()).join().unwrap();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort_handle(&self) -> Option<AbortHandle> {
        self.inner.as_ref().map(miniss_core::JoinHandle::abort_handle)
    }

    /// Lets the task go on without anybody waiting for it. The same as dropping the handle, in so
    /// many words.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async { spawn(async {}).detach() });
    /// ```
    pub fn detach(self) {}
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Err(JoinError::Cancelled));
        };
        Pin::new(inner).poll(cx).map(|outcome| match outcome.map(Quiet::into_inner) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(payload)) => Err(JoinError::Panicked(Panic::new(payload))),
            Err(_) => Err(JoinError::Cancelled),
        })
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("finished", &self.is_finished()).finish()
    }
}
