//! Starting the shards' threads, and getting them to end.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use miniss_core::{ExecutorCell, Future, Promise};

use super::current;
use super::failure::ShardError;
use super::shard::{LeftOver, Shard, ShardConfig, ShardId};
use crate::diagnostics::{self, Event};
use crate::driver::{Unparker, UnparkerPost, WakeBy};
use crate::error::BuildError;
use crate::topology;

/// ExecutorCells of runtimes that have ended. An executor cell is never given back, so the next
/// runtime takes it; there are as many as there were ever shards at one time.
static CELLS: Mutex<Vec<&'static ExecutorCell<Unparker>>> = Mutex::new(Vec::new());

pub(super) fn take_cell() -> &'static ExecutorCell<Unparker> {
    let former = CELLS.lock().unwrap_or_else(PoisonError::into_inner).pop();
    former.unwrap_or_else(|| Box::leak(Box::new(ExecutorCell::new(Unparker::new()))))
}

pub(super) fn put_cell(cell: &'static ExecutorCell<Unparker>) {
    CELLS.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
}

/// How a shard's thread is to run.
pub(super) struct ThreadConfig {
    pub(super) name: String,
    pub(super) stack_bytes: Option<usize>,
    pub(super) cpu: Option<usize>,
    pub(super) pinning_is_strict: bool,
}

/// What a shard that is up hands to the runtime.
pub(super) struct Ready {
    /// A duplicate of its ring's descriptor, for messages from other shards. It stays open until
    /// all shards have ended, so that a late message never reaches a stranger's descriptor.
    _ring: OwnedFd,
}

/// A shard's thread.
pub(super) struct Worker {
    pub(super) id: ShardId,
    pub(super) cell: &'static ExecutorCell<Unparker>,
    thread: Option<thread::JoinHandle<()>>,
    stop: Cell<Option<Promise<()>>>,
    ready: Receiver<Result<Ready, BuildError>>,
    ended: Receiver<LeftOver>,
}

impl Worker {
    /// Starts a thread that builds the shard.
    pub(super) fn start(config: ShardConfig, thread: ThreadConfig) -> Result<Self, BuildError> {
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
    pub(super) fn wait_ready(&self) -> Result<Ready, BuildError> {
        self.ready.recv().unwrap_or_else(|_| {
            let error = std::io::Error::other("its thread panicked");
            Err(BuildError::Start { shard: self.id, operation: "building it", error })
        })
    }

    /// Tells the shard to end; does not wait.
    pub(super) fn tell_to_stop(&self) {
        if let Some(stop) = self.stop.take() {
            // A shard that has ended by itself does not hear it.
            let _ = stop.complete(());
        }
    }

    /// Waits until the shard has ended, or `deadline` if there is one. `None`: it has not; then its
    /// thread goes on alone.
    pub(super) fn wait_ended(&mut self, deadline: Option<Instant>) -> Option<LeftOver> {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        let timeout = deadline.map_or(Duration::MAX, until);
        let left = match self.ended.recv_timeout(timeout) {
            Ok(left) => left,
            // It panicked while it ended: then it left everything where it was.
            Err(mpsc::RecvTimeoutError::Disconnected) => LeftOver { shard: self.id, ops: 0 },
            Err(mpsc::RecvTimeoutError::Timeout) => return None,
        };
        let joined = self.thread.take().is_some_and(|thread| thread.join().is_ok());
        if joined {
            put_cell(self.cell);
        }
        Some(left)
    }
}

/// The life of a shard's thread.
fn run_shard(
    config: ShardConfig,
    thread: &ThreadConfig,
    stopped: Future<()>,
    tell_ready: Sender<Result<Ready, BuildError>>,
    tell_ended: Sender<LeftOver>,
) {
    let failure = config.failure.clone();
    let (shard, mut executor) = match prepare(config, thread) {
        Ok((shard, executor, ready)) => {
            // No one listens if the runtime was given up meanwhile; then it also tells us to stop.
            let _ = tell_ready.send(Ok(ready));
            (shard, executor)
        }
        Err(error) => return drop(tell_ready.send(Err(error))),
    };
    let entered = current::enter(&shard);
    // It ends with a word or, if the runtime is gone without one, with a broken promise. A panic
    // that comes out of it is the end of the shard, but in order.
    let ended = catch_unwind(AssertUnwindSafe(|| _ = executor.block_on(stopped)));
    drop(entered);
    if let Err(payload) = ended {
        // Before those who wait for it hear that it is gone, and ask why.
        failure.note(ShardError::new(shard.id, payload));
    }
    let left = shard.shut_down(executor);
    let _ = tell_ended.send(left);
}

/// A shard that is up, and what it hands to the runtime.
pub(super) type Prepared = (Shard, miniss_core::Executor<crate::driver::UringReactor>, Ready);

fn prepare(config: ShardConfig, thread: &ThreadConfig) -> Result<Prepared, BuildError> {
    if let Some(cpu) = thread.cpu {
        pin(config.id, cpu, thread.pinning_is_strict)?;
    }
    start_posted(config)
}

/// Builds a shard and posts its unparker. One whose unparker cannot be posted is ended again.
pub(super) fn start_posted(config: ShardConfig) -> Result<Prepared, BuildError> {
    let kind = config.unparker;
    let (shard, executor) = Shard::start(config)?;
    match ready_of(&shard, kind) {
        Ok(ready) => Ok((shard, executor, ready)),
        Err(error) => {
            shard.shut_down(executor);
            Err(error)
        }
    }
}

/// Posts the unparker of a shard that is up.
fn ready_of(shard: &Shard, kind: WakeBy) -> Result<Ready, BuildError> {
    use std::os::fd::AsRawFd;

    let fail = |error| BuildError::Start {
        shard: shard.id,
        operation: "duplicating its ring's descriptor",
        error,
    };
    let ring = shard.driver.ring_fd_owned().map_err(fail)?;
    shard.post_unparker(&UnparkerPost { ring_fd: ring.as_raw_fd(), kind });
    Ok(Ready { _ring: ring })
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
