//! The runtime, as its user holds it: it runs futures on shard 0, and ends all shards.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::builder::Builder;
use super::call::submit_to;
use super::failure::{Failure, ShardError};
use super::foreign::{Handle, Inbound};
use super::launch::{Shard0, Worker, put_cell};
use super::shard::{ShardId, enter};
use super::spawn::{JoinHandle, spawn_in};
use crate::diagnostics::{self, Event};
use crate::driver::{BlockingPool, Busy, ChosenDriver, Hung};
use crate::error::{BuildError, CallError, Panic};
use crate::guard::defer;
use crate::stall::Watcher;

/// Some shards, each a thread with an executor and a driver of its own.
///
/// Shard 0 is the thread that made the runtime; it works while that thread is in
/// [`block_on`](Self::block_on) or [`run`](Self::run). The others work all the time, and sleep when
/// there is nothing to do. So a runtime stays on its thread; other threads use a [`Handle`].
///
/// Dropping it ends all shards: tasks are dropped on their own shard, operations in flight are
/// cancelled and waited for, and so is [what blocks](crate::spawn_blocking). What does not end
/// within the shutdown timeout is [reported](diagnostics) and leaked.
///
/// Where shards are [pinned](super::Pinning), a thread that is started on one inherits its CPU:
/// start it by [`topology::unpinned`](crate::topology::unpinned). Child processes that are started
/// by [`process::Command`](crate::process::Command) do not.
///
/// A child made by `fork` has neither the threads nor the rings: let it `exec`, which closes all
/// descriptors of the runtime, or `_exit`, and touch nothing of the runtime before.
///
/// ```
/// use miniss_linux::Runtime;
///
/// let runtime = Runtime::new();
/// runtime.block_on(async {
///     println!("Hello from rust-miniss!");
/// });
/// ```
///
/// It cannot be sent to another thread, nor stand in a `static`:
///
/// ```compile_fail,E0277
/// let runtime = miniss_linux::Runtime::new();
/// std::thread::spawn(move || runtime.block_on(async {}));
/// ```
///
/// ```compile_fail,E0277
/// use std::sync::LazyLock;
/// static RUNTIME: LazyLock<miniss_linux::Runtime> = LazyLock::new(miniss_linux::Runtime::new);
/// ```
///
/// Make it in `main`, and let a `static` have a [`Handle`], which any thread may use while the
/// runtime is there:
///
/// ```
/// use std::sync::OnceLock;
/// use miniss_linux::{Handle, Runtime};
///
/// static SHARDS: OnceLock<Handle> = OnceLock::new();
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// SHARDS.set(runtime.handle()).unwrap();
/// let thread = std::thread::spawn(|| SHARDS.get().unwrap().submit_to(1, async || 5).wait());
/// assert_eq!(thread.join().unwrap().unwrap(), 5);
/// ```
pub struct Runtime {
    /// `None` only while it is being dropped.
    pub(super) shard_0: Option<Shard0>,
    pub(super) workers: Vec<Worker>,
    pub(super) inbound: Arc<[Arc<Inbound>]>,
    pub(super) failure: Arc<Failure>,
    pub(super) blocking: Arc<BlockingPool>,
    pub(super) shutdown_timeout: Duration,
    pub(super) chosen: ChosenDriver,
    pub(super) random_seed: u64,
    /// Ends after the shards.
    pub(super) watcher: Option<Watcher>,
}

impl Runtime {
    /// A runtime with a shard for each CPU that this process may use.
    ///
    /// # Panics
    ///
    /// If the kernel refuses; [`try_new`](Self::try_new) returns the error instead.
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::new();
    /// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
    /// ```
    #[allow(clippy::new_without_default, reason = "starting threads is not a default value")]
    pub fn new() -> Self {
        Self::try_new().unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`new`](Self::new), with the error as a value.
    ///
    /// # Errors
    ///
    /// See [`Builder::build`].
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::try_new()?;
    /// runtime.block_on(async {});
    /// # Ok::<(), miniss_linux::BuildError>(())
    /// ```
    pub fn try_new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Settings for a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// How many shards there are.
    ///
    /// ```
    /// assert_eq!(miniss_linux::Runtime::builder().shards(2).build().unwrap().shards(), 2);
    /// ```
    pub fn shards(&self) -> usize {
        self.inbound.len()
    }

    /// Which driver all shards stand on, and why it is not io_uring if that was refused.
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::new();
    /// println!("running on {}", runtime.driver());
    /// ```
    pub fn driver(&self) -> &ChosenDriver {
        &self.chosen
    }

    /// The seed of the shards' [random numbers](crate::sharded::random()). A program that logs it
    /// can be given the same numbers [again](Builder::random_seed).
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::builder().shards(1).random_seed(7).build().unwrap();
    /// assert_eq!(runtime.random_seed(), 7);
    /// ```
    pub fn random_seed(&self) -> u64 {
        self.random_seed
    }

    /// A handle for threads that are no shard of this runtime.
    pub fn handle(&self) -> Handle {
        Handle::new(self.inbound.clone())
    }

    /// Runs `future` on shard 0, with every other task there, until it is done. Tasks that are not
    /// done by then go on with the next call. Calls to other shards that were made meanwhile are on
    /// their way when this returns; if there are more than a lane holds, it waits up to five
    /// seconds for room.
    ///
    /// # Panics
    ///
    /// If called from inside a runtime: a shard cannot wait for itself. A panic in `future` goes on
    /// from here.
    ///
    /// If a shard has died, and the program has not asked for the [`failure`](Self::failure) within
    /// the [shutdown timeout](Builder::shutdown_timeout): then it would go on half dead. The text
    /// names the shard and the cause. Each caller of that shard is told by
    /// [`ShardGone`](CallError::ShardGone).
    ///
    /// ```
    /// use std::time::Duration;
    /// use miniss_linux::{Runtime, time::sleep};
    ///
    /// let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let name = String::from("borrowed");
    /// let length = runtime.block_on(async {
    ///     sleep(Duration::from_millis(1)).await;
    ///     name.len()
    /// });
    /// assert_eq!(length, 8);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert_outside();
        let shard_0 = self.shard_0.as_ref().expect("there until dropped");
        let _pinned = shard_0.pin();
        let _entered = enter(&shard_0.shard);
        // No turn follows: wakes of other shards and the close of dropped sockets do not wait for
        // the next `block_on`, also if a panic leaves this one.
        let _last = defer(|| shard_0.shard.driver.settle());
        let output = shard_0.executor.borrow_mut().block_on(future);
        shard_0.shard.send_rest();
        output
    }

    /// Runs `main` on every shard at the same time, and gives the outputs in the order of the
    /// shards.
    ///
    /// # Panics
    ///
    /// As for [`block_on`](Self::block_on). A panic in any of them goes on from here when all are
    /// done. If a shard dies, at once, with a text that names it and the cause;
    /// [`try_run`](Self::try_run) returns that as an error.
    ///
    /// ```
    /// use miniss_linux::{Runtime, ShardId};
    ///
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// let shards = runtime.run(|| async { ShardId::current().index() });
    /// assert_eq!(shards, [0, 1]);
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, main: F) -> Vec<T>
    where
        F: AsyncFnOnce() -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.try_run(main).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`run`](Self::run), with the death of a shard as an error. What runs on the other shards
    /// is of no use without it: they are told to end, in order, and run nothing any more.
    ///
    /// # Errors
    ///
    /// [`ShardError`] if a shard has died.
    ///
    /// # Panics
    ///
    /// If called from inside a runtime. A panic in any of them goes on from here when all are done.
    ///
    /// ```
    /// use std::{io, process::ExitCode};
    /// use miniss_linux::Runtime;
    ///
    /// fn main() -> ExitCode {
    ///     let runtime = Runtime::builder().shards(2).build().unwrap();
    ///     match runtime.try_run(|| async { /* serve */ }) {
    ///         Ok(_) => ExitCode::SUCCESS,
    ///         Err(error) => {
    ///             eprintln!("{error}"); // shard 1 died: …
    ///             ExitCode::FAILURE
    ///         }
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn try_run<F, T>(&self, main: F) -> Result<Vec<T>, ShardError>
    where
        F: AsyncFnOnce() -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        assert_outside();
        let mains: Vec<_> = (0..self.shards()).map(|_| main.clone()).collect();
        let all = AssertUnwindSafe(|| self.block_on(run_all(mains, &self.failure)));
        let outcomes = catch_unwind(all).unwrap_or_else(|payload| {
            self.failure.note(ShardError::new(ShardId::new(0), payload));
            Err(self.failure.look().expect("just noted"))
        });
        let outcomes = outcomes.inspect_err(|_| self.tell_to_stop())?;
        let resume = |panic: Panic| resume_unwind(panic.into_payload());
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(resume)).collect())
    }

    /// As [`run`](Self::run), for a program that ends with it: gives the exit code, as `main` makes
    /// one of what it returns. What each shard returns is reported, an error as `Error: …` on
    /// standard error; the code is that of the first shard that did not succeed. A shard that has
    /// died is such an error.
    ///
    /// # Panics
    ///
    /// If called from inside a runtime. A panic in `main` goes on from here when all are done; it
    /// ends the program with the code 101.
    ///
    /// ```
    /// use std::process::ExitCode;
    /// use miniss_linux::{Runtime, ShardId};
    ///
    /// fn main() -> ExitCode {
    ///     let runtime = Runtime::builder().shards(2).build().unwrap();
    ///     # let code =
    ///     runtime.run_to_exit(async || match ShardId::current().index() {
    ///         0 => Ok(()),
    ///         _ => Err("no disk for this shard"),
    ///     })
    ///     # ; assert_eq!(code, ExitCode::FAILURE); ExitCode::SUCCESS
    /// }
    /// ```
    #[track_caller]
    pub fn run_to_exit<F, T>(&self, main: F) -> ExitCode
    where
        F: AsyncFnOnce() -> T + Clone + Send + 'static,
        T: Termination + Send + 'static,
    {
        let outputs = match self.try_run(main) {
            Ok(outputs) => outputs,
            Err(error) => {
                // Where no one reads, there is no one to tell.
                let _ = writeln!(stderr(), "Error: {error}");
                return ExitCode::FAILURE;
            }
        };
        let codes: Vec<_> = outputs.into_iter().map(Termination::report).collect();
        codes.into_iter().find(|&code| code != ExitCode::SUCCESS).unwrap_or_default()
    }

    /// The first shard that died, if one has: its ring broke, or a panic came out of code that no
    /// task ran, such as a waker. A program that asks is expected to act on it, so
    /// [`block_on`](Self::block_on) then goes on without that shard.
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::builder().shards(2).build().unwrap();
    /// assert_eq!(runtime.failure(), None);
    /// ```
    pub fn failure(&self) -> Option<ShardError> {
        self.failure.look()
    }

    /// Tells all shards but ours to end; does not wait.
    fn tell_to_stop(&self) {
        self.workers.iter().for_each(Worker::tell_to_stop);
    }

    /// Starts `future` as a task on shard 0; it runs while someone is in
    /// [`block_on`](Self::block_on).
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::builder().shards(1).build().unwrap();
    /// let task = runtime.spawn(async { 5 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 5);
    /// ```
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_in(&self.shard_0.as_ref().expect("there until dropped").shard, future)
    }

    /// Reports what did not end in time. `drop` can give no error to its caller.
    fn report(&self, left: Option<Hung>, shard: ShardId) {
        let timeout = self.shutdown_timeout;
        match left {
            None => {
                let polled = self.watcher.as_ref().map(|watcher| watcher.polled(shard));
                diagnostics::report(
                    Event::ShardLeft,
                    format_args!(
                        "{shard} is still busy {timeout:?} after it was told to end; its thread is \
                         left behind{}",
                        polled.unwrap_or_default()
                    ),
                );
            }
            Some(Hung { count: 0, .. }) => {}
            Some(Hung { count, what }) => diagnostics::report(
                Event::OperationsLeaked,
                format_args!(
                    "{count} operations of {shard} did not end with it: {what}; the kernel may \
                     still use their memory, so it is leaked"
                ),
            ),
        }
    }

    fn report_blocking(&self, mut left: Busy) {
        let (timeout, threads) = (self.shutdown_timeout, left.threads);
        if threads > 0 {
            left.places.sort();
            left.places.dedup();
            let places = left.places.iter().map(|place| format!(", with work from {place}"));
            diagnostics::report(
                Event::BlockingLeft,
                format_args!(
                    "{threads} threads are still busy with what blocks {timeout:?} after the end \
                     began; they are left behind{}",
                    places.collect::<String>()
                ),
            );
        }
    }
}

#[track_caller]
fn assert_outside() {
    assert!(
        ShardId::try_current().is_none(),
        "block_on was called inside of a runtime, which would stop this shard; await the future, \
         or `spawn` it"
    );
}

/// Runs each of `mains` on its shard, until all have ended or a shard dies.
async fn run_all<F, T>(
    mains: Vec<F>,
    failure: &Failure,
) -> Result<Vec<Result<T, Panic>>, ShardError>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if let Some(error) = failure.look() {
        return Err(error);
    }
    let start = |(shard, main)| submit_to(ShardId::new(shard), main);
    let calls: Vec<_> = mains.into_iter().enumerate().map(start).collect();
    let mut outcomes = Vec::with_capacity(calls.len());
    for (index, mut call) in calls.into_iter().enumerate() {
        let outcome = poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => failure.poll(cx).map(Err),
        });
        outcomes.push(match outcome.await? {
            Ok(output) => Ok(output),
            Err(CallError::Panicked(panic)) => Err(panic),
            Err(_) => return Err(failure.of(ShardId::new(index))),
        });
    }
    Ok(outcomes)
}

/// So much longer than its own timeout a shard has to report what it left.
const REPORT_GRACE: Duration = Duration::from_millis(200);

impl Drop for Runtime {
    fn drop(&mut self) {
        // `None`: as long as it takes.
        let patience = self.shutdown_timeout.saturating_add(REPORT_GRACE);
        let deadline = Instant::now().checked_add(patience);
        self.tell_to_stop();
        self.blocking.close();
        if let Some(Shard0 { shard, executor, .. }) = self.shard_0.take() {
            let cell = shard.local.cell();
            let left = shard.shut_down(executor.into_inner());
            put_cell(cell);
            self.report(Some(left), ShardId::new(0));
        }
        for mut worker in std::mem::take(&mut self.workers) {
            let left = worker.wait_ended(deadline);
            self.report(left, worker.id);
        }
        self.report_blocking(self.blocking.wait_ended(deadline));
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("shards", &self.shards()).finish_non_exhaustive()
    }
}
