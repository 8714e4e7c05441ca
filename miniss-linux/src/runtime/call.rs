//! Calls from shard to shard.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::shard::with_current;
use crate::error::{CallError, Payload};
use crate::guard::{Guarded, Quiet};
use crate::{ShardId, spawn};

/// Calls that the lane from one shard to another holds; more of them wait on the side of the
/// sender.
pub(crate) const LANE: usize = 128;

/// A call to another shard: awaits its output.
///
/// The call is on its way whether this is polled or not.
///
/// # Errors
///
/// [`CallError`] if the work panicked or the other shard ended before it was done.
///
/// # Cancellation
///
/// Dropping it does not stop the work. The output is dropped on this shard when it comes back.
///
/// # Panics
///
/// When polled again after it has given its result.
#[must_use = "the call runs without being awaited; write `drop(call)` if that is meant"]
pub struct Call<T> {
    /// The work and its output, on whichever shard they are dropped, are dropped quietly.
    inner: miniss_core::call::Call<Quiet<Result<T, Payload>>>,
    shard: ShardId,
}

impl<T> Future for Call<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shard = self.shard;
        Pin::new(&mut self.inner).poll(cx).map(|outcome| match outcome.map(Quiet::into_inner) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(payload)) => Err(payload.into_call_error()),
            Err(_) => Err(CallError::ShardGone(shard)),
        })
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("shard", &self.shard).finish_non_exhaustive()
    }
}

/// Runs the async closure `work` as a task on `shard` and brings back its output. For a plain
/// closure there is [`run_on`].
///
/// Calls from one shard to another start in the order in which they were made, and all calls of a
/// turn cross together. The closure is dropped where it runs; what it returns is dropped here.
///
/// # Panics
///
/// Outside of a runtime, or if there is no such shard. A panic in `work` reaches the caller as
/// [`CallError::Panicked`] and no one else.
///
/// # Cancellation
///
/// Dropping the [`Call`] does not stop the work.
///
/// ```
/// use miniss_linux::{Runtime, ShardId, submit_to};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let shard = runtime.block_on(async { submit_to(1, async || ShardId::current()).await });
/// assert_eq!(shard.unwrap(), ShardId::new(1));
/// ```
///
/// The work is a closure and not a future, since it is the closure that crosses: the future is made
/// on the other shard, and need not be `Send`. An async block becomes one by `||` before it;
/// without that, the compiler misses an `AsyncFnOnce()` closure:
///
/// ```compile_fail,E0277
/// # use miniss_linux::submit_to;
/// # async fn call() {
/// submit_to(1, async move { 5 }).await; // write: submit_to(1, async move || 5)
/// # }
/// ```
///
/// What belongs to a shard (a socket, a task's handle, an `Rc`) cannot cross. Send what it is made
/// of, and make it there; a connection becomes a [`DetachedStream`](crate::net::DetachedStream).
#[track_caller]
pub fn submit_to<F, T>(shard: impl Into<ShardId>, work: F) -> Call<T>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let shard = shard.into();
    let work = Quiet::new(work);
    let guarded = async move || Guarded::new(async move { work.into_inner()().await }).await;
    let index = shard.index_among(with_current(|here| here.endpoint.cores()));
    let inner = with_current(|here| here.endpoint.submit_to(index, guarded));
    Call { inner, shard }
}

/// Runs the plain closure `work` on `shard`, between its tasks, and brings back its output; a
/// future that it returns is not awaited: that is what [`submit_to`] does. Cheaper than
/// [`submit_to`] for what neither waits nor takes long; on the caller's own shard it runs at once.
///
/// # Panics
///
/// As for [`submit_to`].
///
/// # Cancellation
///
/// Dropping the [`Call`] does not stop the work.
///
/// ```
/// use miniss_linux::{Runtime, run_on};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let answer = runtime.block_on(async { run_on(1, || 6 * 7).await });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[track_caller]
pub fn run_on<F, T>(shard: impl Into<ShardId>, work: F) -> Call<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let shard = shard.into();
    let work = Quiet::new(work);
    let caught = move || catch_unwind(AssertUnwindSafe(work.into_inner()));
    let guarded = move || Quiet::new(caught().map_err(Payload::new));
    let index = shard.index_among(with_current(|here| here.endpoint.cores()));
    let inner = with_current(|here| here.endpoint.run_on(index, guarded));
    Call { inner, shard }
}

/// As [`submit_to`], for work that may tell why the call fails.
#[track_caller]
pub(crate) fn try_submit_to<F, T>(shard: ShardId, work: F) -> Call<T>
where
    F: AsyncFnOnce() -> Result<T, CallError> + Send + 'static,
    T: Send + 'static,
{
    let work = Quiet::new(work);
    let guarded = async move || {
        let outcome = Guarded::new(async move { work.into_inner()().await }).await;
        Quiet::new(outcome.into_inner().and_then(|result| result.map_err(Payload::refusal)))
    };
    let index = shard.index_among(with_current(|here| here.endpoint.cores()));
    let inner = with_current(|here| here.endpoint.submit_to(index, guarded));
    Call { inner, shard }
}

/// As [`run_on`], for work that may tell why the call fails.
#[track_caller]
pub(crate) fn try_run_on<F, T>(shard: ShardId, work: F) -> Call<T>
where
    F: FnOnce() -> Result<T, CallError> + Send + 'static,
    T: Send + 'static,
{
    let work = Quiet::new(work);
    let caught = move || catch_unwind(AssertUnwindSafe(work.into_inner()));
    let guarded = move || {
        let outcome = caught().map_err(Payload::new);
        Quiet::new(outcome.and_then(|result| result.map_err(Payload::refusal)))
    };
    let index = shard.index_among(with_current(|here| here.endpoint.cores()));
    let inner = with_current(|here| here.endpoint.run_on(index, guarded));
    Call { inner, shard }
}

/// Starts the work that a thread has sent that is no shard; see [`Handle`](super::Handle).
pub(super) fn start<F, T>(work: F, promise: miniss_core::Promise<Quiet<Result<T, Payload>>>)
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn(async move {
        let output = Guarded::new(async move { work().await }).await;
        // If this fails, no one waits any more, and the output is dropped here.
        let _ = promise.complete(output);
    })
    .detach();
}
