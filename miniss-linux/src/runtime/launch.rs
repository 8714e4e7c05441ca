//! Starting the shards' threads, and getting them to end.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use miniss_core::call::Mesh;
use miniss_core::{Executor, ExecutorCell, Future, Promise};

use super::builder::Builder;
use super::failure::{Failure, ShardError};
use super::foreign::{Handle, Inbound};
use super::runtime::Runtime;
use super::shard::{Shard, ShardConfig, ShardId, enter};
use crate::diagnostics::{self, Event, unobserved};
use crate::driver::{
    BlockingConfig, BlockingPool, ChosenDriver, Driver, Hung, Kind, ShardReactor, Unparker,
};
use crate::error::BuildError;
use crate::topology::{self, CpuMask, Pinned};

impl Runtime {
    /// Starts a shard for each element of `cpus`, all on the same driver.
    pub(super) fn launch(builder: &Builder, cpus: &[Option<usize>]) -> Result<Self, BuildError> {
        let start = |kind, refusal| Self::start(builder, cpus, ChosenDriver::new(kind, refusal));
        match builder.wanted_driver()? {
            Driver::Epoll => start(Kind::Epoll, None),
            Driver::IoUring => start(Kind::IoUring, None),
            Driver::Auto => match start(Kind::IoUring, None) {
                Err(BuildError::Driver { error, .. }) if error.may_fall_back() => {
                    let runtime = start(Kind::Epoll, Some(error))?;
                    diagnostics::report(
                        Event::DriverFallback,
                        format_args!("running on {}", runtime.driver()),
                    );
                    Ok(runtime)
                }
                result => result,
            },
        }
    }

    fn start(
        builder: &Builder,
        cpus: &[Option<usize>],
        chosen: ChosenDriver,
    ) -> Result<Self, BuildError> {
        let shards = cpus.len();
        let shuffle = builder.shuffle_seed()?;
        let random_seed = builder.chosen_random_seed()?;
        let driver = builder.driver.on(chosen.kind, builder.wanted_driver()?, shards);
        unobserved::report_by_default();
        let mesh = Arc::new(Mesh::new(shards));
        let inbound: Arc<[Arc<Inbound>]> = (0..shards).map(|_| Arc::new(Inbound::new())).collect();
        let failure = Arc::new(Failure::new(inbound[0].clone(), builder.shutdown_timeout));
        let cpus_of_program = CpuMask::of_this_thread().ok().map(Arc::new);
        let blocking = BlockingConfig {
            threads_max: builder.blocking_threads,
            keep_alive: builder.blocking_keep_alive,
            thread_name: format!("{}-blocking", builder.thread_name),
            stack_bytes: builder.stack_bytes,
            cpus: cpus_of_program.clone(),
        };
        let blocking = Arc::new(BlockingPool::new(blocking, shards));
        let watcher = builder.start_watcher(shards);
        let config = |index: usize| ShardConfig {
            beat: watcher.as_ref().map(|watcher| watcher.beat_of(index)),
            id: ShardId::new(index),
            cell: take_cell(),
            mesh: mesh.clone(),
            inbound: inbound[index].clone(),
            handle: Handle::new(inbound.clone()),
            driver,
            blocking: blocking.clone(),
            budget: builder.budget,
            shuffle,
            random_seed,
            shutdown_timeout: builder.shutdown_timeout,
            start_paused: builder.start_paused,
            failure: failure.clone(),
            cpus_of_program: cpus_of_program.clone(),
        };
        let first = config(0);
        let cell = first.cell;
        let shard_0 = Shard0::start(first, cpus[0], builder).inspect_err(|_| put_cell(cell))?;
        let mut runtime = Self {
            shard_0: Some(shard_0),
            workers: Vec::new(),
            inbound: inbound.clone(),
            failure: failure.clone(),
            blocking: blocking.clone(),
            shutdown_timeout: builder.shutdown_timeout,
            chosen,
            random_seed,
            watcher: None,
        };
        // From here on, an error drops `runtime`, which ends what has started.
        for (index, cpu) in cpus.iter().enumerate().skip(1) {
            let thread = ThreadConfig {
                name: format!("{}-{index}", builder.thread_name),
                stack_bytes: builder.stack_bytes,
                cpu: *cpu,
                pinning_is_strict: builder.pinning_is_strict(),
            };
            runtime.workers.push(Worker::start(config(index), thread)?);
        }
        runtime.workers.iter().try_for_each(Worker::wait_ready)?;
        runtime.watcher = watcher;
        // Where there are none, on epoll, their size is nothing to report.
        driver.report_small_rings(builder.driver.ring_entries);
        Ok(runtime)
    }
}

/// The shard of the thread that made the runtime.
pub(super) struct Shard0 {
    pub(super) shard: Shard,
    pub(super) executor: RefCell<Executor<ShardReactor>>,
    cpu: Option<usize>,
    /// Whether it was reported that pinning was refused.
    pin_refusal_reported: Cell<bool>,
}

impl Shard0 {
    fn start(
        config: ShardConfig,
        cpu: Option<usize>,
        builder: &Builder,
    ) -> Result<Self, BuildError> {
        if let (Some(cpu), true) = (cpu, builder.pinning_is_strict()) {
            let pin = |error| BuildError::Start {
                shard: config.id,
                operation: "pinning it to its CPU",
                error,
            };
            drop(Pinned::to(cpu).map_err(pin)?);
        }
        let (shard, executor) = Shard::start(config)?;
        let executor = RefCell::new(executor);
        Ok(Self { shard, executor, cpu, pin_refusal_reported: Default::default() })
    }

    /// Pins the caller's thread until the guard is dropped.
    pub(super) fn pin(&self) -> Option<Pinned> {
        match Pinned::to(self.cpu?) {
            Ok(pinned) => Some(pinned),
            Err(error) => {
                if !self.pin_refusal_reported.replace(true) {
                    diagnostics::report(
                        Event::Unpinned,
                        format_args!("shard 0 runs unpinned: {error}"),
                    );
                }
                None
            }
        }
    }
}

/// The executor cells of runtimes that have ended. A cell is never freed, so the next runtime takes
/// it; there are as many as there were ever shards at one time.
static CELLS: Mutex<Vec<&'static ExecutorCell<Unparker>>> = Mutex::new(Vec::new());

fn take_cell() -> &'static ExecutorCell<Unparker> {
    let former = CELLS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    former.unwrap_or_else(|| Box::leak(Box::new(ExecutorCell::new(Unparker::new()))))
}

pub(super) fn put_cell(cell: &'static ExecutorCell<Unparker>) {
    CELLS.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
}

/// How a shard's thread is to run.
struct ThreadConfig {
    name: String,
    stack_bytes: Option<usize>,
    cpu: Option<usize>,
    pinning_is_strict: bool,
}

/// A shard's thread.
pub(super) struct Worker {
    pub(super) id: ShardId,
    pub(super) cell: &'static ExecutorCell<Unparker>,
    thread: Option<thread::JoinHandle<()>>,
    stop: Cell<Option<Promise<()>>>,
    ready: Receiver<Result<(), BuildError>>,
    ended: Receiver<Hung>,
}

impl Worker {
    /// Starts a thread that builds the shard.
    fn start(config: ShardConfig, thread: ThreadConfig) -> Result<Self, BuildError> {
        let (id, cell) = (config.id, config.cell);
        let (stopped, stop) = Future::new();
        let (tell_ready, ready) = mpsc::channel();
        let (tell_ended, ended) = mpsc::channel();
        let mut builder = thread::Builder::new().name(thread.name.clone());
        if let Some(bytes) = thread.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        let main = move || run_shard(config, &thread, stopped, tell_ready, tell_ended);
        let operation = "starting its thread";
        let handle = builder.spawn(main).map_err(|error| {
            put_cell(cell);
            BuildError::Start { shard: id, operation, error }
        })?;
        Ok(Self { id, cell, thread: Some(handle), stop: Cell::new(Some(stop)), ready, ended })
    }

    /// Waits until the shard is up.
    fn wait_ready(&self) -> Result<(), BuildError> {
        self.ready.recv().unwrap_or_else(|_| {
            let error = std::io::Error::other("its thread panicked");
            Err(BuildError::Start { shard: self.id, operation: "building it", error })
        })
    }

    /// Tells the shard to end; does not wait.
    pub(super) fn tell_to_stop(&self) {
        if let Some(stop) = self.stop.take() {
            // A shard that has ended by itself no longer waits for it.
            let _ = stop.complete(());
        }
    }

    /// Waits until the shard has ended, or `deadline` if there is one. `None`: it has not; then its
    /// thread goes on alone.
    pub(super) fn wait_ended(&mut self, deadline: Option<Instant>) -> Option<Hung> {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        let timeout = deadline.map_or(Duration::MAX, until);
        let hung = match self.ended.recv_timeout(timeout) {
            Ok(hung) => hung,
            // It panicked while it ended: then it left everything where it was.
            Err(mpsc::RecvTimeoutError::Disconnected) => Hung::default(),
            Err(mpsc::RecvTimeoutError::Timeout) => return None,
        };
        let thread = self.thread.take();
        // The kernel lets no thread end that has operations in flight.
        if hung.count == 0 && thread.is_some_and(|thread| thread.join().is_ok()) {
            put_cell(self.cell);
        }
        Some(hung)
    }
}

/// What a shard's thread runs, from its start to its end.
fn run_shard(
    config: ShardConfig,
    thread: &ThreadConfig,
    stopped: Future<()>,
    tell_ready: Sender<Result<(), BuildError>>,
    tell_ended: Sender<Hung>,
) {
    let failure = config.failure.clone();
    let (shard, mut executor) = match prepare(config, thread) {
        Ok(prepared) => {
            // No one listens if the runtime was given up meanwhile; then it also tells us to stop.
            let _ = tell_ready.send(Ok(()));
            prepared
        }
        Err(error) => return drop(tell_ready.send(Err(error))),
    };
    let entered = enter(&shard);
    // It ends when the promise is kept or, if the runtime is gone, broken. A panic that comes out
    // of it is the end of the shard, but in order.
    let ended = catch_unwind(AssertUnwindSafe(|| _ = executor.block_on(stopped)));
    drop(entered);
    if let Err(payload) = ended {
        // Before its callers are told that it is gone, and ask why.
        failure.note(ShardError::new(shard.id, payload));
    }
    let left = shard.shut_down(executor);
    let _ = tell_ended.send(left);
}

fn prepare(
    config: ShardConfig,
    thread: &ThreadConfig,
) -> Result<(Shard, Executor<ShardReactor>), BuildError> {
    if let Some(cpu) = thread.cpu {
        pin(config.id, cpu, thread.pinning_is_strict)?;
    }
    Shard::start(config)
}

/// Pins the calling thread, or says why not.
fn pin(shard: ShardId, cpu: usize, strict: bool) -> Result<(), BuildError> {
    match topology::pin(cpu) {
        Ok(()) => Ok(()),
        Err(error) if strict => {
            Err(BuildError::Start { shard, operation: "pinning it to its CPU", error })
        }
        Err(error) => {
            diagnostics::report(
                Event::Unpinned,
                format_args!("{shard} runs unpinned: CPU {cpu} was refused: {error}"),
            );
            Ok(())
        }
    }
}
