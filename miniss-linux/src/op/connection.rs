//! What a stream, its halves and the operations in flight on it share: one piece of memory.
//!
//! An idle connection should cost little, so there is one allocation for all of it, and the stream
//! itself is a pointer.
//!
//! A read that is dropped loses no bytes. The kernel may have taken some off the connection by the
//! time it hears of the cancel. So the orphaned receive brings them here, and the next read first
//! waits for it to end, then takes these.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use miniss_core::coop::consume_budget;
use miniss_core::op::{Completion, OpId, Operation};
use miniss_core::sync::{Acquire, Closed, Semaphore, Units};

use super::fd::{Fd, closed};
use super::recv::RecvPool;
use crate::driver::buffers::PoolBuf;
use crate::driver::{InFlight, Op, Prepare, Request, ShardDriver};

/// The shared part of a connection.
pub(crate) struct Connection {
    pub(crate) fd: Fd,
    pub(crate) side: ReadSide,
    /// The multishot receive, once `recv` has been used. It shares the connection, so the stream
    /// takes it out when it goes.
    pub(crate) receiving: RefCell<Option<Op<RecvPool>>>,
    /// The write that holds its one unit is in flight: with two sends, the kernel may let the later
    /// one go first when there is room again.
    writing: Semaphore,
    /// The send in flight, its future awaited or dropped.
    sending: InFlight,
    rare: Cell<Option<Box<Rare>>>,
}

/// What few connections have. The others have one word for all of it.
#[derive(Default)]
pub(super) struct Rare {
    /// Bytes that went out of writes whose futures were dropped, since someone last asked.
    cancelled_bytes: usize,
    /// Watches in flight, each by its name.
    pub(super) watches: Vec<OpId>,
    /// Descriptors that came with what is kept.
    fds: Vec<OwnedFd>,
}

impl Connection {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<ShardDriver>) -> Rc<Self> {
        Rc::new(Self {
            fd: Fd::new(fd, driver),
            side: ReadSide::default(),
            receiving: RefCell::new(None),
            writing: Semaphore::new(1),
            sending: InFlight::default(),
            rare: Cell::new(None),
        })
    }

    /// Starts an operation on it.
    pub(crate) fn start<O: Prepare>(&self, op: O) -> Op<O> {
        self.fd.driver().start(op)
    }

    /// The right to write, if no one has it or waits for it, and the connection is open.
    pub(crate) fn try_turn_to_write(self: &Rc<Self>) -> Option<WriteTurn> {
        if self.fd.is_closed() {
            return None;
        }
        self.writing.try_acquire(1).ok().map(|unit| self.turn(Ok(unit)))
    }

    /// Waits for the right to write.
    pub(crate) fn wait_to_write(&self) -> Acquire<'_> {
        self.fd.driver().assert_here();
        self.writing.acquire(1)
    }

    /// The right to write, in a future of any size.
    pub(crate) async fn turn_to_write(self: &Rc<Self>) -> WriteTurn {
        self.turn(self.wait_to_write().await)
    }

    /// The right to write, from the unit that a wait has brought.
    pub(crate) fn turn(self: &Rc<Self>, unit: Result<Units<'_>, Closed>) -> WriteTurn {
        unit.expect("the right to write is never closed").forget();
        WriteTurn(self.clone())
    }

    /// The send that has just been started is what is in flight.
    pub(crate) fn set_sending<O: Operation>(&self, send: &Op<O>) {
        self.sending.set(send.id());
    }

    /// The future of a write was dropped, and so much of it went out.
    pub(crate) fn cancelled_after(&self, bytes: usize) {
        if bytes > 0 {
            let add = |before: usize| before.saturating_add(bytes);
            self.with_rare(|rare| rare.cancelled_bytes = add(rare.cancelled_bytes));
        }
    }

    /// How many bytes of dropped writes went out; it begins again at zero.
    pub(crate) fn take_cancelled_bytes(&self) -> usize {
        self.take_rare(|rare| &mut rare.cancelled_bytes)
    }

    fn take_rare<T: Default>(&self, part: fn(&mut Rare) -> &mut T) -> T {
        let Some(mut rare) = self.rare.take() else { return T::default() };
        let taken = mem::take(part(&mut rare));
        self.rare.set(Some(rare));
        taken
    }

    pub(super) fn with_rare(&self, change: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.take().unwrap_or_default();
        change(&mut rare);
        self.rare.set(Some(rare));
    }

    /// Descriptors that came with a message that is kept.
    pub(super) fn keep_fds(&self, fds: Vec<OwnedFd>) {
        if !fds.is_empty() {
            self.with_rare(|rare| rare.fds = fds);
        }
    }

    /// The descriptors of the message that was kept.
    pub(crate) fn take_fds(&self) -> Vec<OwnedFd> {
        self.take_rare(|rare| &mut rare.fds)
    }

    fn take_watches(&self) -> impl Iterator<Item = OpId> {
        self.take_rare(|rare| &mut rare.watches).into_iter()
    }

    /// Cancels what is in flight on it, then closes it, for all that share it.
    ///
    /// What is in flight is named by its id. By descriptor, the kernel would also cancel what is
    /// done through other descriptors of the socket.
    pub(crate) async fn close(self: &Rc<Self>) -> io::Result<()> {
        // First of all, so that a panic leaves the connection open.
        self.fd.driver().assert_here();
        if !self.fd.start_close() {
            consume_budget().await;
            return Ok(());
        }
        let closing = Rc::new(Closing(self.clone()));
        let cancel = |id| self.start(Cancel { shared: closing.clone(), id });
        // All begin before we wait, and end also if we are dropped.
        let (reading, sending) = (cancel(self.reading()), cancel(self.sending.get()));
        let watches: Vec<_> = self.take_watches().map(|id| cancel(Some(id))).collect();
        self.discard_if_no_one_reads();
        reading.await;
        sending.await;
        for watch in watches {
            watch.await;
        }
        self.fd.finish_close()
    }

    /// Takes the descriptor away, to be used elsewhere. No read or write may be in flight.
    pub(crate) async fn take_descriptor(self: &Rc<Self>) -> io::Result<OwnedFd> {
        for id in self.take_watches() {
            self.start(Cancel { shared: self.clone(), id: Some(id) }).await;
        }
        self.fd.take().ok_or_else(closed)
    }

    /// Drops what was received and will not be read.
    pub(crate) fn discard(&self) {
        drop((self.receiving.take(), self.side.take_kept(), self.take_fds()));
    }

    /// There will be no further read.
    pub(crate) fn stop_reading(&self) {
        self.side.stop();
        self.discard();
    }

    /// The error of a read of a closed connection. If the close found a read in progress, what that
    /// one left is dropped here.
    #[cold]
    pub(crate) fn nothing_more(&self) -> io::Error {
        self.discard_if_no_one_reads();
        closed()
    }

    fn discard_if_no_one_reads(&self) {
        if !self.side.is_read() {
            self.discard();
        }
    }

    /// The receive in flight, of either kind: there is never more than one.
    fn reading(&self) -> Option<OpId> {
        let ahead = self.receiving.borrow().as_ref().and_then(Op::id);
        ahead.or_else(|| self.side.in_flight())
    }
}

/// A close of a connection. The cancels that it waits for share it, and the last one to end closes
/// the descriptor if no one waits any more.
pub(crate) struct Closing(Rc<Connection>);

impl Drop for Closing {
    fn drop(&mut self) {
        // There is no caller that could take the error.
        let _ = self.0.fd.finish_close();
    }
}

/// The right to write. The operation that writes owns it until its terminal completion: so a write
/// whose future was dropped holds back later ones for as long as the kernel may go on with it.
pub(crate) struct WriteTurn(Rc<Connection>);

impl WriteTurn {
    /// One that does not wait until the others have ended.
    #[cfg(test)]
    pub(crate) fn beside_others(connection: &Rc<Connection>) -> Self {
        Self(connection.clone())
    }
}

impl Deref for WriteTurn {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for WriteTurn {
    fn drop(&mut self) {
        self.0.sending.set(None);
        self.0.writing.release(1);
    }
}

/// A cancel of what is in flight on a descriptor, so that this can be closed or given away; a no-op
/// if nothing is. It shares the close, or the connection: the number stays open until the kernel
/// has seen this entry, and so every earlier one that names it.
struct Cancel<S> {
    shared: S,
    id: Option<OpId>,
}

impl<S: 'static> Operation for Cancel<S> {
    /// The operation is not in flight now, whether it was or not.
    type Output = ();

    fn settle(self, _: Completion) {
        drop(self.shared);
    }
}

impl<S: 'static> Prepare for Cancel<S> {
    fn prepare(&mut self) -> Request {
        self.id.map_or(Request::Nop, |id| Request::Cancel { id })
    }
}

/// The reading half's state, shared by a stream and the receives in flight on it.
#[derive(Default)]
pub(crate) struct ReadSide {
    reader: Cell<Reader>,
    /// The receive into a reader's buffer, its future awaited or dropped.
    in_flight: InFlight,
    waiter: Cell<Option<Waker>>,
    /// What an orphan brought, or what did not fit the last reader's buffer.
    kept: Cell<Option<io::Result<PoolBuf>>>,
}

/// Whether a read is in progress.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Reader {
    #[default]
    NotNow,
    Reading,
    /// The stream, or its half that reads, was dropped.
    Gone,
}

impl ReadSide {
    /// A read begins, unless another is in progress.
    pub(crate) fn begin(&self) -> io::Result<()> {
        if self.is_read() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another read of this socket is in progress; one task reads at a time",
            ));
        }
        self.reader.set(Reader::Reading);
        Ok(())
    }

    /// The read has ended, or is given up.
    #[inline]
    pub(crate) fn end(&self) {
        self.reader.set(Reader::NotNow);
    }

    /// Whether a read is in progress.
    pub(crate) fn is_read(&self) -> bool {
        self.reader.get() == Reader::Reading
    }

    /// There will be no further read.
    pub(crate) fn stop(&self) {
        self.reader.set(Reader::Gone);
    }

    /// Waits for a receive whose future was dropped to end.
    #[inline]
    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.in_flight.get().is_none() {
            return Poll::Ready(());
        }
        self.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// A receive into a reader's buffer has begun. It ends in one of two ways, whatever becomes of
    /// its future meanwhile: with [`end_receive`](Self::end_receive) or with [`keep`](Self::keep).
    pub(crate) fn start_receive(&self, id: Option<OpId>) {
        self.in_flight.set(id);
    }

    /// The receive has ended, and its reader has the outcome.
    pub(crate) fn end_receive(&self) {
        self.in_flight.set(None);
    }

    /// The receive that has not ended.
    pub(crate) fn in_flight(&self) -> Option<OpId> {
        self.in_flight.get()
    }

    /// The orphaned receive has ended: `outcome` is for the next reader.
    pub(crate) fn keep(&self, outcome: io::Result<Vec<u8>>) {
        self.in_flight.set(None);
        let kept = match outcome {
            _ if self.reader.get() == Reader::Gone => None,
            // The end of the stream comes again; the cancel was ours.
            Ok(bytes) if bytes.is_empty() => None,
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => None,
            Ok(bytes) => Some(Ok(PoolBuf::from_heap(bytes.into_boxed_slice()))),
            Err(error) => Some(Err(error)),
        };
        if kept.is_some() {
            self.kept.set(kept);
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Bytes that were received and not read.
    pub(crate) fn put_back(&self, rest: PoolBuf) {
        if !rest.is_empty() {
            self.kept.set(Some(Ok(rest)));
        }
    }

    /// What the next read is to fail with.
    pub(crate) fn put_back_error(&self, error: io::Error) {
        self.kept.set(Some(Err(error)));
    }

    /// What waits to be read.
    pub(crate) fn take_kept(&self) -> Option<io::Result<PoolBuf>> {
        self.kept.take()
    }
}

/// The orphaned receive of a connection ends with this guard, also if its buffer unwinds before
/// what it brought is kept.
pub(crate) struct OrphanEnd(Option<Rc<Connection>>);

impl OrphanEnd {
    pub(crate) fn new(connection: &Rc<Connection>) -> Self {
        Self(Some(connection.clone()))
    }

    /// What it brought is for the next reader.
    pub(crate) fn keep(mut self, outcome: io::Result<Vec<u8>>) {
        if let Some(connection) = self.0.take() {
            connection.side.keep(outcome);
        }
    }
}

impl Drop for OrphanEnd {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.side.keep(Ok(Vec::new()));
        }
    }
}

/// The right to read.
pub(crate) struct Reading<'a>(&'a Connection);

impl<'a> Reading<'a> {
    /// Begins a read, unless the connection was closed or is being read.
    pub(crate) fn begin(connection: &'a Connection) -> io::Result<Self> {
        if connection.fd.is_closed() {
            return Err(connection.nothing_more());
        }
        connection.side.begin()?;
        Ok(Self(connection))
    }
}

impl Drop for Reading<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.side.end();
    }
}
