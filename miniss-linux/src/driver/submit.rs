//! From an operation to an entry in the ring, and the future that waits for it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use io_uring::{IoUring, opcode, squeue};
use miniss_core::op::{Completion, OpId, OpKey, OpTable, Operation, Part};
use miniss_core::time::Instant;

use super::buffers::BufferPool;
use super::ring::{Ring, RingStats};
use super::setup::{DriverConfig, Features, make_ring, probe, report_short};
use super::sys::now;
use super::unpark::Unparker;
use crate::error::DriverUnavailable;
use crate::guard::{defer, quietly};
use crate::runtime::is_local;

/// The four topmost bits of `user_data`: what a completion is about.
pub(super) mod tag {
    use miniss_core::op::OpId;

    /// An operation of the table; the other bits are its id.
    pub(in super::super) const OP: u64 = 0;
    /// The shard was woken by its eventfd.
    pub(in super::super) const UNPARKER: u64 = 1 << OpId::BITS;
    /// The completion means nothing to us.
    pub(in super::super) const IGNORE: u64 = 2 << OpId::BITS;
    pub(in super::super) const MASK: u64 = !((1 << OpId::BITS) - 1);
}

/// How long the kernel is not asked again for provided buffers that it had no memory for.
const POOL_RETRY_EVERY: Duration = Duration::from_secs(1);

/// What becomes of an operation that the kernel never sees.
const REFUSED: Completion = Completion { result: -libc::ECANCELED, flags: 0 };

/// The io_uring driver of one shard.
pub(crate) struct Driver {
    /// `None` once the driver is closed.
    pub(super) ring: RefCell<Option<Ring>>,
    pub(super) ops: OpTable,
    pub(super) features: Features,
    pub(super) config: DriverConfig,
    pool: RefCell<Option<Rc<BufferPool>>>,
    /// There was no memory for the pool, and we ask for it again no sooner than this.
    pool_refused_until: Cell<Instant>,
    /// Buffers that completions have brought, of all that the pool ever gave; it wraps.
    pub(super) buffers_taken: Cell<u16>,
    /// New operations are refused.
    pub(super) closing: Cell<bool>,
    /// The eventfd that other threads write to, and whether the kernel watches it for us.
    pub(super) eventfd: RawFd,
    pub(super) eventfd_is_armed: Cell<bool>,
    /// The unparker of the shard that owns the driver; `None` in tests without a shard.
    owner: Option<&'static Unparker>,
    /// Completions are being settled.
    pub(super) is_reaping: Cell<bool>,
}

impl Driver {
    /// A driver for the calling thread, which must be the one that uses it, in the shard whose
    /// unparker is `owner`. A write to `eventfd` ends its sleep.
    pub(crate) fn new(
        config: DriverConfig,
        owner: &'static Unparker,
        eventfd: RawFd,
    ) -> Result<Rc<Self>, DriverUnavailable> {
        Self::over(make_ring(&config)?, config, Some(owner), eventfd)
    }

    /// A driver over a ring of the calling thread.
    pub(super) fn over(
        ring: IoUring,
        config: DriverConfig,
        owner: Option<&'static Unparker>,
        eventfd: RawFd,
    ) -> Result<Rc<Self>, DriverUnavailable> {
        let features = probe(&ring)?;
        let mut ring = Ring::new(ring, &features);
        try_nop(&mut ring)?;
        Ok(Rc::new(Self {
            ring: RefCell::new(Some(ring)),
            ops: OpTable::new(),
            features,
            config,
            pool: RefCell::new(None),
            pool_refused_until: Cell::new(Instant::ZERO),
            buffers_taken: Cell::new(0),
            closing: Cell::new(false),
            eventfd,
            eventfd_is_armed: Cell::new(false),
            owner,
            is_reaping: Cell::new(false),
        }))
    }

    /// Whether this thread is in the shard that owns the driver.
    #[inline]
    fn is_here(&self) -> bool {
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

    /// Counters of the ring.
    pub(crate) fn stats(&self) -> RingStats {
        self.ring.borrow().as_ref().map_or_else(RingStats::default, |ring| ring.stats)
    }

    /// Operations in flight, orphans included.
    pub(crate) fn in_flight(&self) -> usize {
        self.ops.in_flight()
    }

    /// The provided receive buffers, made when they are first wanted. `None`: there are none, for
    /// the kernel does not know how to use them, or has no memory for them just now; then each
    /// receive is to bring memory of its own.
    pub(crate) fn pool(self: &Rc<Self>) -> io::Result<Option<Rc<BufferPool>>> {
        if let Some(pool) = &*self.pool.borrow() {
            return Ok(Some(pool.clone()));
        }
        if !self.features.multishot_recv || now() < self.pool_refused_until.get() {
            return Ok(None);
        }
        match self.make_pool() {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                self.pool_refused_until.set(now() + POOL_RETRY_EVERY);
                report_short("receives do without provided buffers");
                Ok(None)
            }
            pool => pool.map(Some),
        }
    }

    fn make_pool(&self) -> io::Result<Rc<BufferPool>> {
        let ring = self.ring.borrow();
        let ring = ring.as_ref().ok_or_else(closed)?;
        let (count, bytes) = (self.config.recv_buffers, self.config.recv_buffer_bytes);
        let pool = BufferPool::new(&ring.submitter(), count, bytes)?;
        *self.pool.borrow_mut() = Some(pool.clone());
        Ok(pool)
    }

    /// Whether receive buffers are running short: fewer than half are free.
    pub(crate) fn is_short_of_buffers(&self) -> bool {
        let pool = self.pool.borrow();
        pool.as_ref().is_some_and(|pool| pool.is_short(self.buffers_taken.get()))
    }

    pub(super) fn take_pool(&self) -> Option<Rc<BufferPool>> {
        self.pool.borrow_mut().take()
    }

    /// The size of each of them.
    pub(crate) fn recv_buffer_bytes(&self) -> usize {
        self.config.recv_buffer_bytes as usize
    }

    /// Starts an operation. It is handed to the kernel with the next enter of this turn.
    ///
    /// # Panics
    /// As [`assert_here`](Self::assert_here).
    pub(crate) fn start<O: Prepare>(self: &Rc<Self>, op: O) -> Op<O> {
        self.assert_here();
        let key = self.ops.insert(op);
        let id = key.id();
        let op = Op { driver: self.clone(), key: Some(key) };
        // It ends here if the driver refuses it, or if a buffer of the user's panics when it is
        // asked for its memory: no completion would ever come.
        let unsent = defer(|| self.ops.complete(id, REFUSED, false));
        if !self.closing.get()
            && let Some(entry) = op.with(O::prepare)
        {
            let entry = entry.user_data(tag::OP | id.to_bits());
            // SAFETY: *Owned while in flight*: the entry points into the operation, which stays in
            // its slot until the terminal completion.
            unsafe { self.push(entry) };
            unsent.disarm();
        }
        op
    }

    /// # Safety
    /// As for [`Ring::push`].
    pub(super) unsafe fn push(&self, entry: squeue::Entry) {
        if let Some(ring) = &mut *self.ring.borrow_mut() {
            // SAFETY: the caller's promise.
            unsafe { ring.push(entry) };
        }
    }

    /// Queues the cancels that are wanted. They need no room of their own: the ring makes some, or
    /// keeps them until there is.
    pub(super) fn push_cancels(&self, ring: &mut Ring) {
        while let Some(id) = self.ops.next_cancel() {
            let entry = cancel_entry(id).user_data(tag::IGNORE);
            let skip = self.features.cqe_skip;
            let entry = if skip { entry.flags(squeue::Flags::SKIP_SUCCESS) } else { entry };
            // SAFETY: the entry points at nothing.
            unsafe { ring.push(entry) };
        }
    }
}

/// Asks the kernel to cancel one operation.
pub(crate) fn cancel_entry(id: OpId) -> squeue::Entry {
    opcode::AsyncCancel::new(tag::OP | id.to_bits()).build()
}

#[cold]
fn refuse_elsewhere() -> ! {
    panic!(
        "a socket was used where its runtime does not run: await it inside `Runtime::block_on` of \
         the runtime that it was made in, or make it in this one (`TcpStream::from_std`)"
    );
}

/// Runs one operation to its end, to learn whether the filters in force let us enter at all.
fn try_nop(ring: &mut Ring) -> Result<(), DriverUnavailable> {
    let entry = opcode::Nop::new().build().user_data(tag::IGNORE);
    // SAFETY: the entry points at nothing.
    unsafe { ring.push(entry) };
    let mut batch = [const { std::mem::MaybeUninit::uninit() }; 1];
    while ring.take(&mut batch).is_empty() {
        ring.enter(super::sys::Wait::Forever)
            .map_err(|error| DriverUnavailable::new("io_uring_enter", error))?;
    }
    Ok(())
}

/// The error of a request to a closed driver.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the runtime of this shard has ended")
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("in_flight", &self.ops.in_flight())
            .field("features", &self.features)
            .finish_non_exhaustive()
    }
}

/// An operation that can be made an entry of the ring.
pub(crate) trait Prepare: Operation {
    /// The entry; pointers in it may point into `self`, which stays where it is from here on.
    fn prepare(&mut self) -> squeue::Entry;
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
    driver: Rc<Driver>,
    /// `None` once the result has been given.
    key: Option<OpKey<O>>,
}

impl<O: Operation> Op<O> {
    /// Asks for its end; its outcome is still wanted.
    pub(crate) fn cancel(&self) {
        if let Some(key) = &self.key {
            self.driver.ops.cancel(key);
        }
    }

    /// Its name; `None` once the result has been given.
    pub(crate) fn id(&self) -> Option<OpId> {
        self.key.as_ref().map(OpKey::id)
    }

    /// The next step of a multishot operation.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Part<O::Output>> {
        let key = self.key.as_ref().expect("an operation was polled after its end");
        let part = self.driver.ops.poll_part(key, cx);
        match part {
            Poll::Ready(Part::End(_)) => self.key = None,
            Poll::Ready(Part::More(_)) => {}
            Poll::Pending => self.driver.assert_here(),
        }
        part
    }

    /// Looks at the operation itself, which the kernel may be using: touch only what it does not.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut O) -> T) -> Option<T> {
        self.key.as_ref().map(|key| self.driver.ops.with_op(key, f))
    }
}

impl<O: Operation> Unpin for Op<O> {}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let key = self.key.as_ref().expect("an operation was polled after its end");
        let result = self.driver.ops.poll(key, cx);
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
            quietly(|| self.driver.ops.orphan(key));
            // Outside of its shard no turn follows that would submit the cancel, so this does.
            if !self.driver.is_here() {
                self.driver.settle();
            }
        }
    }
}
