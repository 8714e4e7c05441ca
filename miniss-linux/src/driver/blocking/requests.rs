//! A shard's requests on the way through the pool: those that its backend does not take.
//!
//! A request goes as a job, and its completion comes back through a queue of the shard, whose task
//! reports it to the table of operations.
//!
//! Invariant **Owned while in flight**: the operation stays in its slot until its completion is
//! reported. So a thread may use what the request points at, and no one else does meanwhile.
//!
//! | what | who touches it | when |
//! |---|---|---|
//! | the operation's memory | the shard | before the job is in its line, after its completion came |
//! | | a thread | between the two, inside of the system call |
//!
//! The locks of the line and of the queue order these.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use miniss_core::op::{Completion, OpId};

use super::perform::perform;
use super::pool::{BlockingPool, Job};
use crate::driver::request::Request;
use crate::driver::start::Operations;
use crate::guard::quietly;

/// A request on its way, with the way back.
pub(crate) struct Performing {
    id: OpId,
    request: Request,
    done: Arc<Done>,
}

// SAFETY: what the request points at is used by one thread at a time: *Owned while in flight*.
unsafe impl Send for Performing {}

impl Performing {
    /// Performs it, or ends it with the error that it is refused with.
    pub(super) fn run(self, start: Result<(), i32>) {
        // The operation waits for its completion, whatever happens here.
        let mut result = -libc::EIO;
        quietly(|| {
            result = match start {
                // SAFETY: *Owned while in flight*: its completion comes below.
                Ok(()) => unsafe { perform(self.request) },
                Err(errno) => -errno,
            };
        });
        self.done.push(self.id, result);
    }

    pub(super) fn id(&self) -> OpId {
        self.id
    }
}

/// Completions on their way back to one shard.
#[derive(Default)]
struct Done(Mutex<Results>);

#[derive(Default)]
struct Results {
    results: Vec<(OpId, i32)>,
    /// The task of the shard, once it has looked.
    waker: Option<Waker>,
}

impl Done {
    fn push(&self, id: OpId, result: i32) {
        let mut state = self.lock();
        state.results.push((id, result));
        // The task takes all there is: so the first wakes it for all that come until it looks.
        let is_first = state.results.len() == 1;
        let waker = if is_first { state.waker.clone() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Results> {
        // No code of the program runs under the lock, so a panic cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requests of one shard that are with the pool.
pub(crate) struct PoolRequests {
    pool: Arc<BlockingPool>,
    shard: usize,
    done: Arc<Done>,
    /// Those whose completion was not reported yet.
    in_flight: Cell<usize>,
    /// Empty; its memory is used again.
    spare: RefCell<Vec<(OpId, i32)>>,
}

impl PoolRequests {
    pub(crate) fn new(pool: Arc<BlockingPool>, shard: usize) -> Self {
        let (in_flight, spare) = (Cell::new(0), RefCell::default());
        Self { pool, shard, done: Arc::default(), in_flight, spare }
    }

    /// Takes a request in.
    ///
    /// # Safety
    /// What the request points at stays valid until its completion is reported (*Owned while in
    /// flight*).
    pub(in crate::driver) unsafe fn push(&self, id: OpId, request: Request) {
        self.in_flight.set(self.in_flight.get() + 1);
        let performing = Performing { id, request, done: self.done.clone() };
        self.pool.submit(self.shard, Job::Request(performing));
    }

    /// Whether threads are at work, for whomever.
    pub(in crate::driver) fn pool_is_busy(&self) -> bool {
        self.pool.is_busy()
    }

    /// Does something that may block, and that is done in any case, also at the end of the runtime.
    pub(in crate::driver) fn do_last(&self, work: impl FnOnce() + Send + 'static) {
        self.pool.submit_last(Job::Work(Box::new(move |_| work()), None));
    }

    /// Ends a request that has not begun; one that has runs to its end. `false`: it is not in the
    /// line, or is no request of the pool.
    pub(in crate::driver) fn cancel(&self, id: OpId, ops: &Operations) -> bool {
        self.in_flight.get() > 0 && self.withdraw(ops, |waiting| waiting == id)
    }

    /// Ends all requests that have not begun.
    pub(in crate::driver) fn cancel_all(&self, ops: &Operations) {
        while self.in_flight.get() > 0 && self.withdraw(ops, |_| true) {}
    }

    fn withdraw(&self, ops: &Operations, is_meant: impl Fn(OpId) -> bool) -> bool {
        let withdrawn = self.pool.withdraw(self.shard, is_meant);
        if let Some(id) = withdrawn {
            self.report(id, -libc::ECANCELED, ops);
        }
        withdrawn.is_some()
    }

    /// Reports what has come back; returns how much that was.
    pub(in crate::driver) fn reap(&self, ops: &Operations) -> usize {
        if self.in_flight.get() == 0 {
            return 0;
        }
        let mut results = self.spare.take();
        mem::swap(&mut results, &mut self.done.lock().results);
        let count = results.len();
        results.drain(..).for_each(|(id, result)| self.report(id, result, ops));
        self.spare.replace(results);
        count
    }

    /// Jobs of the shard that have not begun.
    #[cfg(test)]
    pub(in crate::driver) fn waiting(&self) -> usize {
        self.pool.waiting(self.shard)
    }

    /// Waits for what comes back, as the task of the shard. Never ready.
    pub(in crate::driver) fn poll(&self, ops: &Operations, cx: &Context<'_>) -> Poll<()> {
        let former = {
            let mut state = self.done.lock();
            match &state.waker {
                Some(waker) if waker.will_wake(cx.waker()) => None,
                _ => state.waker.replace(cx.waker().clone()),
            }
        };
        drop(former);
        self.reap(ops);
        Poll::Pending
    }

    /// What panics there must not keep others from their completion.
    fn report(&self, id: OpId, result: i32, ops: &Operations) {
        self.in_flight.set(self.in_flight.get() - 1);
        quietly(|| ops.complete(id, Completion { result, flags: 0 }, false));
    }
}
