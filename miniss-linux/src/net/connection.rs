//! What a stream, its halves and the operations in flight on it share: one piece of memory.
//!
//! `socket ─▶ [connection] ─▶ op ─▶ kernel`
//!
//! An idle connection should cost little, so there is one allocation for all of it, and the stream
//! itself is a pointer.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use miniss_core::sync::{Acquire, Closed, Semaphore, Units};

use super::fd::Fd;
use super::read_side::ReadSide;
use crate::driver::{Driver, Op};
use crate::op::recv_pool::RecvPool;

/// The shared part of a connection.
pub(crate) struct Connection {
    pub(crate) fd: Fd,
    pub(crate) side: ReadSide,
    /// The multishot receive, once `recv` has been used. It shares the connection, so the stream
    /// takes it out when it goes.
    pub(super) receiving: RefCell<Option<Op<RecvPool>>>,
    /// Whoever holds its one unit writes: with two sends in flight, the kernel may let the later
    /// one go first when there is room again.
    writing: Semaphore,
}

impl Connection {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<Driver>) -> Rc<Self> {
        Rc::new(Self {
            fd: Fd::new(fd, driver),
            side: ReadSide::default(),
            receiving: RefCell::new(None),
            writing: Semaphore::new(1),
        })
    }

    /// The right to write, if nobody has it or waits for it.
    pub(super) fn try_turn_to_write(&self) -> Option<WriteTurn<'_>> {
        self.writing.try_acquire(1).ok().map(|unit| self.turn(Ok(unit)))
    }

    /// Waits for the right to write.
    pub(super) fn wait_to_write(&self) -> Acquire<'_> {
        self.writing.acquire(1)
    }

    /// The right to write, in a future of any size.
    pub(super) async fn turn_to_write(&self) -> WriteTurn<'_> {
        self.turn(self.wait_to_write().await)
    }

    /// What a wait has come to.
    pub(super) fn turn(&self, unit: Result<Units<'_>, Closed>) -> WriteTurn<'_> {
        unit.expect("the right to write is never closed").forget();
        WriteTurn(&self.writing)
    }
}

/// The right to write: the unit of the semaphore, in one word.
pub(super) struct WriteTurn<'a>(&'a Semaphore);

impl Drop for WriteTurn<'_> {
    fn drop(&mut self) {
        self.0.release(1);
    }
}
