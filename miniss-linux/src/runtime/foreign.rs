//! Calls from threads that are no shard.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use crossbeam_queue::SegQueue;

use super::shard::with_current;
use crate::ShardId;
use crate::error::{CallError, Payload};
use crate::guard::{Quiet, quietly};

type Work = Box<dyn FnOnce() + Send>;

/// How many calls a turn starts. A thread may send calls faster than the shard starts them, and the
/// tasks that were started must still run.
const STARTS_MAX: usize = 64;

/// The calls that other threads have sent to one shard. It has no bound of its own: a thread that
/// waits for its calls has no more of them here than it waits for.
pub(crate) struct Inbound {
    queue: SegQueue<Work>,
    /// Wakes the task of the shard that starts the calls.
    waker: OnceLock<Waker>,
    closed: AtomicBool,
    /// That of the runtime, which is shard 0.
    thread: ThreadId,
}

impl Inbound {
    /// Of a runtime of this thread.
    pub(crate) fn new() -> Self {
        let thread = thread::current().id();
        Self { queue: SegQueue::new(), waker: OnceLock::new(), closed: false.into(), thread }
    }

    /// Sends work; drops it if the shard has ended.
    pub(crate) fn send(&self, work: Work) {
        self.queue.push(work);
        // Pairs with the fences in `serve` and `close`: either those see the work in the queue, or
        // we see the waker or the flag that they have set.
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::Relaxed) {
            self.clear();
        } else if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    fn clear(&self) {
        while let Some(work) = self.queue.pop() {
            quietly(|| drop(work));
        }
    }

    /// The task of the shard: starts the calls as they come. It never ends.
    pub(crate) async fn serve(self: Arc<Self>) {
        std::future::poll_fn(|cx| {
            if self.waker.set(cx.waker().clone()).is_ok() {
                fence(Ordering::SeqCst);
            }
            for _ in 0..STARTS_MAX {
                let Some(work) = self.queue.pop() else { return Poll::Pending };
                work();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// The shard ends: calls that are here or still come are dropped, which tells the thread that
    /// waits for them.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.clear();
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

/// A handle to a runtime for threads that are none of its shards. Cheap to clone; it does not keep
/// the runtime alive.
///
/// ```
/// use miniss_linux::Runtime;
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let handle = runtime.handle();
/// let thread = std::thread::spawn(move || handle.submit_to(1, async || 6 * 7).wait());
/// assert_eq!(thread.join().unwrap().unwrap(), 42);
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    inbound: Arc<[Arc<Inbound>]>,
}

impl Handle {
    pub(crate) fn new(inbound: Arc<[Arc<Inbound>]>) -> Self {
        Self { inbound }
    }

    /// The handle to the runtime of the shard that this thread is, for other threads.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// use miniss_linux::{Handle, Runtime, spawn_blocking};
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// runtime.block_on(async {
    ///     let handle = Handle::current();
    ///     let work = spawn_blocking(move || handle.submit_to(1, async || 6 * 7).wait().unwrap());
    ///     assert_eq!(work.await.unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        with_current(|shard| shard.handle.clone())
    }

    /// How many shards the runtime has.
    ///
    /// ```
    /// # use miniss_linux::Runtime;
    /// assert_eq!(Runtime::builder().shards(1).build().unwrap().handle().shards(), 1);
    /// ```
    pub fn shards(&self) -> usize {
        self.inbound.len()
    }

    /// Whether both are handles to one runtime.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inbound, &other.inbound)
    }

    /// Has `shard` run the plain closure `work`, between its tasks and in its own time; if it has
    /// ended, it is dropped.
    pub(crate) fn run_later(&self, shard: ShardId, work: impl FnOnce() + Send + 'static) {
        self.inbound[shard.index()].send(Box::new(move || quietly(work)));
    }

    /// Runs the async closure `work` as a task on `shard`. Shard 0 works only while someone is in
    /// [`Runtime::block_on`](crate::Runtime::block_on).
    ///
    /// # Panics
    ///
    /// If there is no such shard.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`ForeignCall`] does not stop the work.
    #[track_caller]
    pub fn submit_to<F, T>(&self, shard: impl Into<ShardId>, work: F) -> ForeignCall<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let shard = shard.into();
        let inbound = &self.inbound[shard.index_among(self.inbound.len())];
        let (future, promise) = miniss_core::Future::new();
        inbound.send(Box::new(move || super::call::start(work, promise)));
        let works_in = (shard.index() == 0).then_some(inbound.thread);
        ForeignCall { future, shard, works_in }
    }
}

/// A call from a foreign thread: await it on any executor, or [`wait`](Self::wait) for it.
///
/// # Errors
///
/// [`CallError`] if the work panicked or the runtime ended before it was done.
///
/// # Cancellation
///
/// Dropping it does not stop the work. The output is dropped by the shard, or here if it has come.
///
/// # Panics
///
/// When polled again after it has given its result.
#[must_use = "the call runs without being awaited; write `drop(call)` if that is meant"]
pub struct ForeignCall<T> {
    /// An output that no one takes is dropped quietly, on whichever thread.
    future: miniss_core::Future<Quiet<Result<T, Payload>>>,
    shard: ShardId,
    /// The thread of shard 0, if that is the shard.
    works_in: Option<ThreadId>,
}

impl<T> ForeignCall<T> {
    /// Blocks the calling thread until the output is there.
    ///
    /// # Errors
    ///
    /// As for awaiting it.
    ///
    /// # Panics
    ///
    /// Inside of a runtime: it would stop all tasks of the shard, perhaps the one it waits for. And
    /// if it would wait forever: on the thread that made the runtime, for shard 0, which works only
    /// while that thread is in [`Runtime::block_on`](crate::Runtime::block_on).
    #[track_caller]
    pub fn wait(mut self) -> Result<T, CallError> {
        assert!(
            ShardId::try_current().is_none(),
            "`ForeignCall::wait` would stop this shard; await the call instead"
        );
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match Pin::new(&mut self).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => self.assert_not_here(),
            }
            thread::park();
        }
    }

    #[track_caller]
    fn assert_not_here(&self) {
        assert!(
            self.works_in != Some(thread::current().id()),
            "`ForeignCall::wait` would wait forever: shard 0 is this thread, and works only in \
             `Runtime::block_on`; give the call to that instead"
        );
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl<T> Future for ForeignCall<T> {
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shard = self.shard;
        Pin::new(&mut self.future).poll(cx).map(|outcome| match outcome.map(Quiet::into_inner) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(payload)) => Err(payload.into_call_error()),
            Err(_) => Err(CallError::ShardGone(shard)),
        })
    }
}

impl<T> fmt::Debug for ForeignCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignCall").field("shard", &self.shard).finish_non_exhaustive()
    }
}
