//! What a stream, its halves and the operations in flight on it share: one piece of memory.
//!
//! An idle connection should cost little, so there is one allocation for all of it, and the stream
//! itself is a pointer.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use miniss_core::coop::consume_budget;
use miniss_core::op::{OpId, Operation};
use miniss_core::sync::{Acquire, Closed, Semaphore, Units};

use super::cancel::Cancel;
use super::fd::{Fd, closed};
use super::read_side::ReadSide;
use super::recv_pool::RecvPool;
use crate::driver::{Driver, InFlight, Op};

/// The shared part of a connection.
pub(crate) struct Connection {
    pub(crate) fd: Fd,
    pub(crate) side: ReadSide,
    /// The multishot receive, once `recv` has been used. It shares the connection, so the stream
    /// takes it out when it goes.
    pub(crate) receiving: RefCell<Option<Op<RecvPool>>>,
    /// Whoever holds its one unit writes: with two sends in flight, the kernel may let the later
    /// one go first when there is room again.
    writing: Semaphore,
    /// The send in flight, its future awaited or dropped.
    sending: InFlight,
    /// Bytes that went out of writes whose futures were dropped, since someone last asked.
    cancelled_bytes: Cell<usize>,
}

impl Connection {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<Driver>) -> Rc<Self> {
        Rc::new(Self {
            fd: Fd::new(fd, driver),
            side: ReadSide::default(),
            receiving: RefCell::new(None),
            writing: Semaphore::new(1),
            sending: InFlight::default(),
            cancelled_bytes: Cell::new(0),
        })
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

    /// What a wait has come to.
    pub(crate) fn turn(self: &Rc<Self>, unit: Result<Units<'_>, Closed>) -> WriteTurn {
        unit.expect("the right to write is never closed").forget();
        WriteTurn(self.clone())
    }

    /// The send that has just been started is what is in flight.
    pub(crate) fn set_sending<O: Operation>(&self, send: &Op<O>) {
        self.sending.set(send.id());
    }

    /// What went out of dropped writes, from now on zero.
    pub(crate) fn take_cancelled_bytes(&self) -> usize {
        self.cancelled_bytes.take()
    }

    /// Cancels what is in flight on it, then closes it, whoever else shares it.
    ///
    /// What is in flight is named by its id. By descriptor, the kernel would also cancel what
    /// others do who share the socket by a descriptor of their own.
    pub(crate) async fn close(self: &Rc<Self>) -> io::Result<()> {
        // Before the number is taken from entries that are not handed over yet.
        self.fd.driver().assert_here();
        if !self.fd.start_close() {
            consume_budget().await;
            return Ok(());
        }
        let closing = Rc::new(Closing(self.clone()));
        let cancel = |id| self.fd.driver().start(Cancel { closing: closing.clone(), id });
        // Both are on their way before we wait, and go it to the end if we are dropped.
        let (reading, sending) = (cancel(self.reading()), cancel(self.sending.get()));
        self.discard_if_no_one_reads();
        reading.await;
        sending.await;
        self.fd.finish_close()
    }

    /// Gives back what was received and is not going to be read.
    pub(crate) fn discard(&self) {
        drop((self.receiving.take(), self.side.take_kept()));
    }

    /// There will be no further read.
    pub(crate) fn stop_reading(&self) {
        self.side.stop();
        self.discard();
    }

    /// Who reads a closed connection is told so; what a read left that the close found in progress
    /// goes back then.
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
        // There is no one left to give an error to.
        let _ = self.0.fd.finish_close();
    }
}

/// The right to write. An operation that writes owns it, and has it until the terminal completion:
/// so a write that was given up holds back later ones for as long as the kernel may go on with it.
pub(crate) struct WriteTurn(Rc<Connection>);

impl WriteTurn {
    /// One that does not wait until the others have ended.
    #[cfg(test)]
    pub(crate) fn beside_others(connection: &Rc<Connection>) -> Self {
        Self(connection.clone())
    }

    /// The write was given up, and so much of it went out.
    pub(crate) fn cancelled_after(&self, bytes: usize) {
        let before = self.0.cancelled_bytes.get();
        self.0.cancelled_bytes.set(before.saturating_add(bytes));
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
