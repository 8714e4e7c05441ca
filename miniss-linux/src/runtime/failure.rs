//! The death of a shard, and who is told.
//!
//! A panic of a task does not end its shard. What does is a ring that the kernel no longer accepts,
//! or a panic in code that no task runs, such as a waker of the user's. The tasks and sockets of
//! the shard are gone then, and a program that goes on without them is half dead. So each caller of
//! the shard is told, as is [`Runtime::try_run`](super::Runtime::try_run). If the program has not
//! looked within the shutdown timeout, [`block_on`](super::Runtime::block_on) panics.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::foreign::Inbound;
use super::shard::{ShardId, with_current};
use crate::diagnostics::{self, Event};
use crate::error::text_of;
use crate::guard::quietly;
use crate::time::sleep;

/// A shard died: it ended although it was not told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardError {
    shard: ShardId,
    cause: String,
}

impl ShardError {
    /// The error of a shard that ended with this panic.
    pub(crate) fn new(shard: ShardId, payload: Box<dyn Any + Send>) -> Self {
        let cause = text_of(&*payload).to_owned();
        quietly(|| drop(payload));
        Self { shard, cause }
    }

    /// Which shard.
    ///
    /// ```
    /// # use miniss_linux::{ShardError, ShardId};
    /// fn is_main(error: &ShardError) -> bool {
    ///     error.shard() == ShardId::new(0)
    /// }
    /// ```
    pub fn shard(&self) -> ShardId {
        self.shard
    }
}

impl fmt::Display for ShardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} died: {}", self.shard, self.cause)
    }
}

impl std::error::Error for ShardError {}

/// The first shard of a runtime that died. All its shards share this.
pub(crate) struct Failure {
    state: Mutex<State>,
    /// The way to the thread that is in `block_on`.
    shard_0: Arc<Inbound>,
    grace: Duration,
}

#[derive(Default)]
struct State {
    first: Option<ShardError>,
    /// Whether the program knows.
    is_seen: bool,
    /// The task that waits for a death.
    waiter: Option<Waker>,
}

impl Failure {
    /// No shard has died yet. When one does, the program has `grace` to look at it.
    pub(crate) fn new(shard_0: Arc<Inbound>, grace: Duration) -> Self {
        Self { state: Mutex::default(), shard_0, grace }
    }

    /// Records that a shard dies, and tells the program.
    pub(crate) fn note(self: &Arc<Self>, error: ShardError) {
        diagnostics::report(Event::ShardDied, format_args!("{error}"));
        let waiter = {
            let mut state = self.lock();
            state.first.get_or_insert(error);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        let this = self.clone();
        self.shard_0.send(Box::new(move || this.end_block_on()));
    }

    /// The death that was recorded; the program knows of it from now on.
    pub(crate) fn look(&self) -> Option<ShardError> {
        let mut state = self.lock();
        state.is_seen |= state.first.is_some();
        state.first.clone()
    }

    /// Why `shard` is gone, or another that died before it.
    pub(crate) fn of(&self, shard: ShardId) -> ShardError {
        self.look().unwrap_or_else(|| ShardError { shard, cause: "its thread has ended".into() })
    }

    /// Waits for a death. One task at a time.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<ShardError> {
        if let Some(error) = self.look() {
            return Poll::Ready(error);
        }
        self.lock().waiter = Some(cx.waker().clone());
        // A shard may have died between the two.
        self.look().map_or(Poll::Pending, Poll::Ready)
    }

    /// On shard 0: makes `block_on` panic, unless the program looks in time. The task is not
    /// guarded, so its panic leaves the executor. Its handle is never dropped, so that the panic
    /// does not count as one that no one saw.
    fn end_block_on(self: Arc<Self>) {
        let end = async move {
            sleep(self.grace).await;
            if !self.is_seen()
                && let Some(error) = self.look()
            {
                panic!("{error}");
            }
        };
        with_current(|shard| mem::forget(shard.local.spawn(end)));
    }

    fn is_seen(&self) -> bool {
        self.lock().is_seen
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the user's runs under the lock, so a panic cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
