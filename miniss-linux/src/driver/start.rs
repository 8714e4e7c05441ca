//! From an operation to a request that is handed over, and the future that waits for it.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use miniss_core::op::{Completion, OpId, OpKey, OpTable, Operation, Part};
use miniss_core::time::Instant;

use super::aligned::AlignedPool;
use super::backend::{AnyBackend, BackendStats, REFUSED};
use super::blocking::PoolRequests;
use super::buffers::BufferPool;
use super::choice::{DriverConfig, Kind};
use super::clock::ShardClock;
use super::epoll::Epoll;
use super::request::{Prepare, buffer_of};
use super::sys::now;
use super::unpark::Unparker;
use super::uring::{Uring, report_short};
use crate::error::DriverUnavailable;
use crate::guard::{defer, quietly};
use crate::runtime::is_local;

/// How long the kernel is not asked again for provided buffers that it had no memory for.
const POOL_RETRY_EVERY: Duration = Duration::from_secs(1);

/// The operations in flight of a shard, as a backend sees them.
pub(super) struct Operations {
    pub(super) table: OpTable,
    /// Buffers that completions have brought, of all that the pool ever gave; it wraps.
    pub(super) buffers_taken: Cell<u16>,
    /// Those whose request the backend did not take.
    pub(super) on_pool: PoolRequests,
}

impl Operations {
    fn new(on_pool: PoolRequests) -> Self {
        Self { table: OpTable::new(), buffers_taken: Cell::new(0), on_pool }
    }

    /// Reports a completion; `more` means that others will follow. Wakes the task that waits, and
    /// may run code of operations and of the program.
    #[inline(always)]
    pub(super) fn complete(&self, id: OpId, completion: Completion, more: bool) {
        if buffer_of(completion).is_some() {
            self.buffers_taken.set(self.buffers_taken.get().wrapping_add(1));
        }
        self.table.complete(id, completion, more);
    }

    /// The next operation that the backend is to cancel.
    pub(super) fn next_cancel(&self) -> Option<OpId> {
        loop {
            let id = self.table.next_cancel()?;
            if !self.on_pool.cancel(id, self) {
                return Some(id);
            }
        }
    }

    /// Ends an operation that no backend has heard of.
    #[cold]
    fn refuse(&self, id: OpId) {
        self.table.complete(id, REFUSED, false);
    }
}

/// The driver of one shard: the operations in flight, and the backend that fulfils them.
pub(crate) struct ShardDriver {
    pub(super) backend: AnyBackend,
    pub(super) ops: Operations,
    pub(super) config: DriverConfig,
    pool: OnceCell<Rc<BufferPool>>,
    pub(super) aligned: AlignedPool,
    /// There was no memory for the pool, and we ask for it again no sooner than this.
    pool_refused_until: Cell<Instant>,
    /// New operations are refused.
    pub(super) closing: Cell<bool>,
    /// The unparker of the shard that owns the driver; `None` in tests without a shard.
    owner: Option<&'static Unparker>,
    /// Completions are being settled.
    pub(super) is_reaping: Cell<bool>,
}

impl ShardDriver {
    /// A driver for the calling thread, which must be the one that uses it, in the shard whose
    /// unparker is `owner`. A write to `eventfd` ends its sleep.
    pub(crate) fn new(
        config: DriverConfig,
        owner: &'static Unparker,
        eventfd: RawFd,
        on_pool: PoolRequests,
    ) -> Result<Rc<Self>, DriverUnavailable> {
        let backend = match config.kind {
            Kind::IoUring => AnyBackend::Uring(Uring::new(&config, eventfd)?),
            Kind::Epoll => AnyBackend::Epoll(Epoll::new(eventfd)?),
        };
        Ok(Self::over(backend, config, Some(owner), on_pool))
    }

    pub(super) fn over(
        backend: AnyBackend,
        config: DriverConfig,
        owner: Option<&'static Unparker>,
        on_pool: PoolRequests,
    ) -> Rc<Self> {
        Rc::new(Self {
            backend,
            ops: Operations::new(on_pool),
            config,
            pool: OnceCell::new(),
            aligned: AlignedPool::default(),
            pool_refused_until: Cell::new(Instant::ZERO),
            closing: Cell::new(false),
            owner,
            is_reaping: Cell::new(false),
        })
    }

    /// Whether this thread is in the shard that owns the driver.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        self.owner.is_none_or(is_local)
    }

    /// # Panics
    /// If this thread is not in the shard that owns the driver. A task that waits here needs that
    /// shard to run, and on this thread it does not. A driver that has ended refuses instead.
    #[inline]
    pub(crate) fn assert_here(&self) {
        if !self.is_here() && !self.closing.get() {
            refuse_elsewhere();
        }
    }

    /// Counters of the backend.
    pub(crate) fn stats(&self) -> BackendStats {
        self.backend.stats()
    }

    /// The shard's clock, if it stands still.
    #[inline]
    pub(super) fn standing_clock(&self) -> Option<&'static ShardClock> {
        let clock = &self.owner?.clock;
        clock.stands_at().map(|_| clock)
    }

    /// Operations in flight, orphans included.
    pub(crate) fn in_flight(&self) -> usize {
        self.ops.table.in_flight()
    }

    /// The provided receive buffers, made when they are first wanted. `None`: there are none, for
    /// the kernel does not know how to use them, or has no memory for them just now; then each
    /// receive is to bring memory of its own.
    #[inline]
    pub(crate) fn pool(&self) -> io::Result<Option<&Rc<BufferPool>>> {
        if self.closing.get() {
            return Err(closed());
        }
        match self.pool.get() {
            None => self.make_pool(),
            pool => Ok(pool),
        }
    }

    #[cold]
    fn make_pool(&self) -> io::Result<Option<&Rc<BufferPool>>> {
        if now() < self.pool_refused_until.get() {
            return Ok(None);
        }
        let (count, bytes) = (self.config.recv_buffers, self.config.recv_buffer_bytes);
        match self.backend.make_pool(count, bytes) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                self.pool_refused_until.set(now() + POOL_RETRY_EVERY);
                report_short("receives do without provided buffers");
                Ok(None)
            }
            pool => Ok(pool?.map(|pool| self.pool.get_or_init(|| pool))),
        }
    }

    /// Whether receive buffers are running short: fewer than half are free.
    pub(crate) fn is_short_of_buffers(&self) -> bool {
        self.pool.get().is_some_and(|pool| pool.is_short(self.ops.buffers_taken.get()))
    }

    /// The pool that is there.
    pub(super) fn made_pool(&self) -> Option<&BufferPool> {
        self.pool.get().map(Rc::as_ref)
    }

    /// The size of each of them.
    pub(crate) fn recv_buffer_bytes(&self) -> usize {
        self.config.recv_buffer_bytes as usize
    }

    /// Whether it can send without a copy.
    pub(crate) fn has_zero_copy(&self) -> bool {
        self.backend.has_zero_copy()
    }

    /// Whether descriptors are to be non-blocking (`O_NONBLOCK`).
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.backend.is_nonblocking()
    }

    /// Sends messages as far as there is room now, and tells how many. An error is that of the
    /// first.
    ///
    /// # Safety
    /// What the messages name is valid.
    pub(crate) unsafe fn send_many(
        &self,
        fd: RawFd,
        messages: &mut [libc::mmsghdr],
    ) -> io::Result<usize> {
        // SAFETY: the caller's promise.
        unsafe { self.backend.send_many(fd, messages) }
    }

    /// The socket was shut down in one direction or both, by us.
    pub(crate) fn shut_down(&self, fd: RawFd) {
        self.backend.shut_down(fd, &self.ops);
    }

    /// The descriptor is about to be closed, or leaves the runtime. All requests that name it have
    /// ended or are to be cancelled.
    #[inline]
    pub(crate) fn forget(&self, fd: RawFd) {
        self.backend.forget(fd);
    }

    /// Starts an operation. It is handed to the kernel in this turn.
    ///
    /// # Panics
    /// As [`assert_here`](Self::assert_here).
    pub(crate) fn start<O: Prepare>(self: &Rc<Self>, op: O) -> Op<O> {
        self.start_on(op, false)
    }

    /// As [`start`](Self::start); an operation that may block is performed on the pool if it says
    /// so here, whatever the backend takes.
    ///
    /// # Panics
    /// As there.
    pub(crate) fn start_on<O: Prepare>(self: &Rc<Self>, op: O, pool: bool) -> Op<O> {
        self.assert_here();
        let key = self.ops.table.insert(op);
        let id = key.id();
        let op = Op { driver: self.clone(), key: Some(key) };
        // It ends here if the driver refuses it, or if a buffer of the user's panics when it is
        // asked for its memory: no completion would ever come.
        let unsent = defer(|| self.ops.refuse(id));
        if !self.closing.get()
            && let Some(request) = op.with(O::prepare)
        {
            unsent.disarm();
            // SAFETY: *Owned while in flight*: the request points into the operation, which stays
            // in its slot until the terminal completion.
            unsafe {
                if O::MAY_BLOCK && (pool || !self.backend.takes(&request)) {
                    self.ops.on_pool.push(id, request);
                } else {
                    self.backend.push(id, request, &self.ops);
                }
            }
        }
        op
    }

    /// Has a thread of the pool do something that may block, and that is done in any case.
    pub(crate) fn do_last(&self, work: impl FnOnce() + Send + 'static) {
        self.ops.on_pool.do_last(work);
    }

    /// Whether the backend itself would wait for reads of the file.
    pub(crate) fn is_held_up_by(&self, fd: BorrowedFd<'_>) -> bool {
        let AnyBackend::Uring(uring) = &self.backend else { return false };
        uring.is_held_up_by(fd)
    }

    /// The task of the shard that reports what the pool has performed. It never ends.
    pub(crate) async fn serve_pool(self: Rc<Self>) {
        poll_fn(|cx| self.ops.on_pool.poll(&self.ops, cx)).await;
    }

    /// Performs what an operation asks for at once, where that takes a system call that does not
    /// wait and nothing else. `None`: start it instead.
    ///
    /// # Panics
    /// As [`assert_here`](Self::assert_here).
    #[inline]
    pub(crate) fn perform<O: Prepare>(&self, op: &mut O) -> Option<Completion> {
        let AnyBackend::Epoll(epoll) = &self.backend else { return None };
        self.assert_here();
        if self.closing.get() {
            return None;
        }
        // SAFETY: *Owned while in flight*: the request points into the operation, which is borrowed
        // until the call has returned.
        unsafe { epoll.perform(op.prepare()) }
    }

    /// Receives from a byte stream into a buffer of the pool, where that takes a system call that
    /// does not wait and nothing else. Pending: there is nothing yet. `None`: start an operation
    /// instead.
    ///
    /// # Panics
    /// As [`assert_here`](Self::assert_here).
    #[inline]
    pub(crate) fn poll_receive(
        &self,
        fd: RawFd,
        pool: &BufferPool,
        cx: &Context<'_>,
    ) -> Option<Poll<Completion>> {
        let AnyBackend::Epoll(epoll) = &self.backend else { return None };
        self.assert_here();
        Some(epoll.poll_receive(fd, pool, cx))
    }

    /// Takes the cancels that are wanted to the backend.
    #[inline]
    pub(super) fn push_cancels(&self) {
        if self.ops.table.wants_cancel() {
            self.push_cancels_now();
        }
    }

    #[cold]
    fn push_cancels_now(&self) {
        while let Some(id) = self.ops.next_cancel() {
            self.backend.cancel(id, &self.ops);
        }
    }
}

#[cold]
fn refuse_elsewhere() -> ! {
    panic!(
        "a socket or a file was used where its runtime does not run: await it inside \
         `Runtime::block_on` of the runtime that it was made in, or make it in this one \
         (`from_std`)"
    );
}

/// The error of a request to a closed driver.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the runtime of this shard has ended")
}

impl fmt::Debug for ShardDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardDriver")
            .field("in_flight", &self.ops.table.in_flight())
            .field("kind", &self.config.kind)
            .finish_non_exhaustive()
    }
}

/// The name of an operation in flight, or of none, in one word.
pub(crate) struct InFlight(Cell<u64>);

impl InFlight {
    /// No id has these bits.
    const NONE: u64 = u64::MAX;

    pub(crate) fn set(&self, id: Option<OpId>) {
        self.0.set(id.map_or(Self::NONE, OpId::to_bits));
    }

    pub(crate) fn get(&self) -> Option<OpId> {
        let bits = self.0.get();
        (bits != Self::NONE).then(|| OpId::from_bits(bits))
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self(Cell::new(Self::NONE))
    }
}

/// An operation in flight. Dropping it orphans the operation and has it cancelled.
#[must_use = "dropping an operation cancels it"]
pub(crate) struct Op<O: Operation> {
    driver: Rc<ShardDriver>,
    /// `None` once the result has been given.
    key: Option<OpKey<O>>,
}

impl<O: Operation> Op<O> {
    /// Asks for its end; its outcome is still wanted.
    pub(crate) fn cancel(&self) {
        if let Some(key) = &self.key {
            self.driver.ops.table.cancel(key);
        }
    }

    /// No one waits for it any more, and it goes on to its end.
    pub(crate) fn detach(mut self) {
        if let Some(key) = self.key.take() {
            quietly(|| self.driver.ops.table.detach(key));
        }
    }

    /// Its name; `None` once the result has been given.
    pub(crate) fn id(&self) -> Option<OpId> {
        self.key.as_ref().map(OpKey::id)
    }

    /// The next step of a multishot operation.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Part<O::Output>> {
        let key = self.key.as_ref().expect("an operation was polled after its end");
        let part = self.driver.ops.table.poll_part(key, cx);
        match part {
            Poll::Ready(Part::End(_)) => self.key = None,
            Poll::Ready(Part::More(_)) => {}
            Poll::Pending => self.driver.assert_here(),
        }
        part
    }

    /// Looks at the operation itself, which the kernel may be using: touch only what it does not.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut O) -> T) -> Option<T> {
        self.key.as_ref().map(|key| self.driver.ops.table.with_op(key, f))
    }
}

impl<O: Operation> Unpin for Op<O> {}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let key = self.key.as_ref().expect("an operation was polled after its end");
        let result = self.driver.ops.table.poll(key, cx);
        match result {
            Poll::Ready(_) => self.key = None,
            Poll::Pending => self.driver.assert_here(),
        }
        result
    }
}

impl<O: Operation> Drop for Op<O> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // This may drop what the user gave, such as a buffer.
            quietly(|| self.driver.ops.table.orphan(key));
            // Outside of its shard no turn follows that would submit the cancel, so this does.
            if !self.driver.is_here() {
                self.driver.settle();
            }
        }
    }
}
