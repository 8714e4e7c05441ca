//! Tasks: spawning, joining, aborting; and what combinators start tasks with.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use miniss_core::AbortHandle;
use miniss_core::combine::{self, MaybeYield, Spawn, TurnBudget};
use miniss_core::error::SpawnError;

use super::call::{Call, submit_to};
use super::shard::{Shard, ShardId, try_with_current, with_current};
use crate::error::{JoinError, Panic, Payload};
use crate::guard::{Guarded, Quiet};

/// Starts `future` as a task of its own on this shard, behind those that are ready already.
///
/// During the end of a runtime nothing new starts, nor where there is no memory for the task: the
/// handle reads [`JoinError::Cancelled`].
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
    let guarded = Guarded::new(future);
    with_current(|shard| spawn_guarded(shard, guarded))
}

/// Starts the async closure `work` as a task on `shard`: the same as [`submit_to`], under the name
/// that other runtimes use. What it gives is a [`Call`]: it cannot be aborted from here.
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

/// The output of a task, or the panic that ended it.
pub(super) type Outcome<T> = Quiet<Result<T, Payload>>;

#[inline]
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn spawn_in<F>(shard: &Shard, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_guarded(shard, Guarded::new(future))
}

#[inline]
pub(crate) fn spawn_guarded<F>(shard: &Shard, guarded: Guarded<F>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle { inner: shard.local.spawn(guarded).ok() }
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

    /// Lets the task go on although no one waits for it. The same as dropping the handle, but
    /// visible in the code.
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

/// Stands for the shard that this thread is in, looked up at each use.
///
/// It is what [`combine`] asks for where it needs an executor: a [`Spawn`] for
/// [`finally_on`](combine::FutureExt::finally_on), a [`TurnBudget`] for [`combine::repeat`] and
/// [`combine::do_until`]. Outside of a runtime nothing can be spawned and no budget is ever spent.
///
/// ```
/// use std::{cell::Cell, future::pending, rc::Rc};
/// use miniss_linux::combine::FutureExt;
/// use miniss_linux::time::{Duration, sleep, timeout};
/// use miniss_linux::{CurrentShard, Runtime};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let closed = Rc::new(Cell::new(false));
///     let flag = closed.clone();
///     let work = pending::<Result<(), ()>>().finally_on(CurrentShard, async move || {
///         sleep(Duration::from_millis(1)).await; // a cleanup that waits
///         flag.set(true);
///     });
///     assert!(timeout(Duration::from_millis(1), work).await.is_err());
///     while !closed.get() {
///         sleep(Duration::from_millis(1)).await;
///     }
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct CurrentShard;

impl Spawn for CurrentShard {
    type Ended = JoinError;
    type Task<T: 'static> = JoinHandle<T>;

    fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static,
    {
        let mut future = Some(Guarded::new(future));
        let task = try_with_current(|shard| try_spawn_in(shard, &mut future)).flatten();
        task.ok_or_else(|| future.expect("it was not spawned").into_inner())
    }

    fn abort<T: 'static>(task: &JoinHandle<T>) {
        task.abort();
    }

    fn refused() -> JoinError {
        JoinError::Cancelled
    }
}

/// Takes the future only if there is room for it.
fn try_spawn_in<F>(shard: &Shard, future: &mut Option<Guarded<F>>) -> Option<JoinHandle<F::Output>>
where
    F: Future<Output: 'static> + 'static,
{
    let inner = match shard.local.reserve() {
        Ok(room) => room.spawn(future.take()?),
        Err(SpawnError::TooLarge) => {
            let room = shard.local.reserve::<Guarded<Pin<Box<F>>>>().ok()?;
            room.spawn(future.take()?.map(Box::pin))
        }
        Err(_) => return None,
    };
    Some(JoinHandle::new(inner))
}

impl TurnBudget for CurrentShard {
    #[inline]
    fn need_preempt(&self) -> bool {
        try_with_current(|shard| shard.local.need_preempt() || shard.has_no_time()).unwrap_or(false)
    }
}

/// Whether the task that runs has used up the time of a turn
/// ([`Budget::time_max`](crate::Budget::time_max)), counted from its first call of this since it
/// last waited or gave way. Then it should give way. Outside of a runtime it is `false`; where the
/// [clock stands still](crate::Builder::start_paused), each call is `true`.
///
/// It costs a few loads: the clock is looked at by the first calls, and then by one in 32, or by
/// more of them if they come so seldom that it would be too late otherwise. For code that is to
/// stop in time but cannot await. What can awaits [`maybe_yield`].
///
/// ```
/// use miniss_linux::{Runtime, need_preempt, yield_now};
///
/// /// Sums up from the front until the time is over; how many there were.
/// fn sum(numbers: &[u64], total: &mut u64) -> usize {
///     for (index, number) in numbers.iter().enumerate() {
///         *total += number;
///         if need_preempt() {
///             return index + 1;
///         }
///     }
///     numbers.len()
/// }
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let numbers = vec![1; 1_000_000];
/// let total = runtime.block_on(async {
///     let (mut done, mut total) = (0, 0);
///     while done < numbers.len() {
///         done += sum(&numbers[done..], &mut total);
///         yield_now().await;
///     }
///     total
/// });
/// assert_eq!(total, 1_000_000);
/// ```
#[inline]
pub fn need_preempt() -> bool {
    CurrentShard.need_preempt()
}

/// Gives way to the other tasks of this shard, but only if the time of the turn is used up
/// ([`Budget::time_max`](crate::Budget::time_max)). If not, it goes on at once: [`need_preempt`]
/// costs a few loads.
///
/// Call it in long loops, so that timers, sockets and the other tasks have their turn in between.
/// [`yield_now`](crate::yield_now) gives way in any case.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_linux::{Runtime, maybe_yield};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let sum = runtime.block_on(async {
///     let mut sum = 0_u64;
///     for chunk in (0..1_000_000_u64).collect::<Vec<_>>().chunks(1_000) {
///         sum += chunk.iter().sum::<u64>();
///         maybe_yield().await;
///     }
///     sum
/// });
/// assert_eq!(sum, 499_999_500_000);
/// ```
pub const fn maybe_yield() -> MaybeYield<CurrentShard> {
    combine::maybe_yield(CurrentShard)
}
