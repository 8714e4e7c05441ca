//! Closures that block, run on threads of their own kind: those of the blocking pool.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use miniss_core::coop::Leaf;

use super::shard::with_current;
use crate::driver::Job;
use crate::error::{JoinError, Panic, Payload};
use crate::guard::{Quiet, quietly};

/// Runs `work`, which may block, on a thread beside the shards, and gives what it returns.
///
/// It is for what has no other way: a library that blocks, a system call that waits for a disk, a
/// long computation. What is awaited goes on meanwhile. The threads belong to the runtime and serve
/// all its shards; they may run on every CPU that the program may use. There are up to
/// [`Builder::blocking_threads`](crate::Builder::blocking_threads); when all are busy, work waits
/// in the order in which its shard asked for it, and the shards take turns. That line has no bound
/// of its own, no more than tasks have: who asks for much waits for the handles, or takes a
/// [semaphore](crate::sync::Semaphore).
///
/// Work begins whether or not its handle is awaited. When the runtime ends, work that has begun is
/// waited for, up to the [shutdown timeout](crate::Builder::shutdown_timeout); then it goes on by
/// itself, which is [reported](crate::diagnostics). Work that has not begun never does: its handle
/// reads [`JoinError::Cancelled`].
///
/// # Panics
///
/// Outside of a shard, so also inside of `work`. A panic in `work` reaches its handle and nothing
/// else.
///
/// ```
/// use miniss_linux::{Runtime, spawn_blocking};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let names = runtime.block_on(async {
///     spawn_blocking(|| std::fs::read_dir("/").map(|entries| entries.count())).await
/// });
/// assert!(names.unwrap()? > 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(work: F) -> BlockingHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let progress = Arc::new(Progress::<T>::default());
    let handle = BlockingHandle { progress: Some(progress.clone()), leaf: Leaf::new() };
    let job = Job::work(move |start| progress.run(work, start));
    with_current(|shard| shard.blocking.submit(shard.id.index(), job));
    handle
}

/// How far work has come. The thread that runs it and its handle share this.
struct Progress<T>(Mutex<State<T>>);

struct State<T> {
    stage: Stage,
    /// An output that no one takes is dropped quietly, on whichever thread.
    outcome: Option<Quiet<Result<T, Failed>>>,
    waiter: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Begun,
    /// It has run, or never will.
    Ended,
}

enum Failed {
    Panicked(Payload),
    /// It never begins, for this system error.
    Refused(i32),
}

impl<T> Default for Progress<T> {
    fn default() -> Self {
        Self(Mutex::new(State { stage: Stage::Waiting, outcome: None, waiter: None }))
    }
}

impl<T> Progress<T> {
    /// Runs the work, unless it was given up or is refused.
    fn run(&self, work: impl FnOnce() -> T, start: Result<(), i32>) {
        if let Err(errno) = start {
            quietly(|| drop(work));
            self.end(Stage::Waiting, Err(Failed::Refused(errno)));
        } else if self.begin() {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let failed = |payload| Failed::Panicked(Payload::new(payload));
            self.end(Stage::Begun, outcome.map_err(failed));
        }
    }

    /// `false`: it was given up.
    #[must_use]
    fn begin(&self) -> bool {
        let mut state = self.lock();
        let begins = state.stage == Stage::Waiting;
        if begins {
            state.stage = Stage::Begun;
        }
        begins
    }

    /// Has the handle give this outcome, if the work is still at that stage.
    fn end(&self, stage: Stage, outcome: Result<T, Failed>) {
        // Declared before the lock is taken, so dropped when it is free.
        let outcome = Quiet::new(outcome);
        let waiter = {
            let mut state = self.lock();
            if state.stage != stage {
                return;
            }
            state.stage = Stage::Ended;
            state.outcome = Some(outcome);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            quietly(|| waiter.wake());
        }
    }

    fn poll(&self, leaf: &Leaf, cx: &Context<'_>) -> Poll<Quiet<Result<T, Failed>>> {
        // To drop a waker may run code of the program, so it is dropped when the lock is free.
        let _former;
        let mut state = self.lock();
        if state.outcome.is_none() {
            _former = state.waiter.replace(cx.waker().clone());
            drop(state);
            return Poll::Pending;
        }
        ready!(leaf.poll_proceed(cx));
        Poll::Ready(state.outcome.take().expect("it is there"))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that may panic changes the state, so a panic cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outcome of [`spawn_blocking`]. It may be awaited on any shard, and by any executor.
///
/// Dropping it detaches the work: it runs, and its output is dropped on its thread.
///
/// # Errors
///
/// [`JoinError`] if the work panicked, was [aborted](Self::abort) before it began, or has not begun
/// when its runtime ends; [`JoinError::NoThread`] if the system has refused each thread.
///
/// # Cancellation
///
/// Awaiting by `&mut` may be given up and taken up again; nothing is lost.
///
/// # Panics
///
/// When polled again after it has given its result.
///
/// ```
/// use std::time::Duration;
/// use miniss_linux::{Runtime, spawn_blocking, time::timeout};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let (answer, question) = std::sync::mpsc::channel();
///     let mut work = spawn_blocking(move || question.recv());
///     assert!(timeout(Duration::from_millis(1), &mut work).await.is_err(), "it waits");
///     answer.send(42).unwrap();
///     assert_eq!(work.await.unwrap(), Ok(42));
/// });
/// ```
pub struct BlockingHandle<T> {
    /// `None` once the outcome has been given.
    progress: Option<Arc<Progress<T>>>,
    leaf: Leaf,
}

impl<T> BlockingHandle<T> {
    /// Whether the outcome is there.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn_blocking};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async {
    ///     let (done, wait) = std::sync::mpsc::channel::<()>();
    ///     let work = spawn_blocking(move || wait.recv());
    ///     assert!(!work.is_finished());
    ///     drop(done);
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        let has_ended = |progress: &Arc<Progress<T>>| progress.lock().stage == Stage::Ended;
        self.progress.as_ref().is_none_or(has_ended)
    }

    /// Gives work up that has not begun: it never will. Work that has begun goes on, and keeps its
    /// result.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn_blocking};
    /// let runtime = Runtime::builder().shards(1).blocking_threads(1).build().unwrap();
    /// runtime.block_on(async {
    ///     let (done, wait) = std::sync::mpsc::channel::<()>();
    ///     let first = spawn_blocking(move || wait.recv());
    ///     let second = spawn_blocking(|| unreachable!());
    ///     second.abort();
    ///     assert!(second.await.unwrap_err().is_cancelled());
    ///     drop(done);
    ///     first.await.unwrap().unwrap_err();
    /// });
    /// ```
    pub fn abort(&self) {
        if let Some(progress) = &self.progress {
            progress.end(Stage::Waiting, Err(Failed::Refused(libc::ECANCELED)));
        }
    }

    /// Lets the work go on although no one waits for it. The same as dropping the handle, but
    /// visible in the code.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, spawn_blocking};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// runtime.block_on(async { spawn_blocking(|| ()).detach() });
    /// ```
    pub fn detach(self) {}
}

impl<T> Future for BlockingHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let progress = self.progress.as_ref().expect("a handle was polled after its end");
        let outcome = ready!(progress.poll(&self.leaf, cx)).into_inner();
        self.progress = None;
        Poll::Ready(outcome.map_err(|failed| match failed {
            Failed::Panicked(payload) => JoinError::Panicked(Panic::new(payload)),
            Failed::Refused(libc::ECANCELED) => JoinError::Cancelled,
            Failed::Refused(errno) => JoinError::NoThread(io::Error::from_raw_os_error(errno)),
        }))
    }
}

impl<T> fmt::Debug for BlockingHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingHandle").field("finished", &self.is_finished()).finish()
    }
}
