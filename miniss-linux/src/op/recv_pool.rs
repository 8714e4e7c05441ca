//! Receives into provided buffers, again and again, with a single request.

#![forbid(unsafe_code)]

use std::rc::Rc;

use io_uring::{cqueue, opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::connection::Connection;
use crate::driver::buffers::{BufferPool, GROUP, PoolBuf};
use crate::driver::{Prepare, poll_first};

/// Buffers that may wait unread on one stream. With so many, the receive is cancelled until they
/// have been read, so that one slow reader cannot hold all buffers of a shard; the kernel then
/// keeps the data, and TCP tells the sender to wait. Before it hears of that, the kernel may fill
/// more: up to 32, if so much has come at once.
const UNREAD_MAX: u32 = 8;
/// The same for a stream that no one is reading, while less than half of the shard's buffers are
/// free: many of them together cannot hold all buffers either.
const UNREAD_MAX_IF_SHORT: u32 = 1;

/// A multishot receive.
pub(crate) struct RecvPool {
    connection: Rc<Connection>,
    pool: Rc<BufferPool>,
    /// It was we who asked for the end.
    paused: bool,
}

/// How a multishot receive ended.
pub(crate) struct Ended {
    pub(crate) completion: Completion,
    pub(crate) paused: bool,
}

impl RecvPool {
    pub(crate) fn new(connection: Rc<Connection>, pool: Rc<BufferPool>) -> Self {
        Self { connection, pool, paused: false }
    }

    fn unread_max(&self) -> u32 {
        let is_read = self.connection.side.is_read();
        let is_short = || self.connection.fd.driver().is_short_of_buffers();
        if !is_read && is_short() { UNREAD_MAX_IF_SHORT } else { UNREAD_MAX }
    }
}

/// The bytes that a completion brings, if it brings any.
pub(crate) fn received(pool: &Rc<BufferPool>, completion: Completion) -> Option<PoolBuf> {
    let id = cqueue::buffer_select(completion.flags)?;
    Some(pool.claim(id, completion.result.max(0) as usize))
}

impl Operation for RecvPool {
    type Output = Ended;

    fn settle(self, completion: Completion) -> Ended {
        Ended { completion, paused: self.paused }
    }

    fn wants_cancel_after(&mut self, _: Completion, waiting: u32) -> bool {
        let is_full = waiting >= self.unread_max();
        // The cancel stays asked for, however much has been read by the time it takes effect.
        self.paused |= is_full;
        is_full
    }

    fn settle_orphan(mut self, completion: Completion) {
        self.orphan_part(completion);
    }

    fn orphan_part(&mut self, completion: Completion) {
        drop(received(&self.pool, completion));
    }
}

impl Prepare for RecvPool {
    fn prepare(&mut self) -> squeue::Entry {
        // It waits for data before it takes a buffer: so it finds none only when data is here.
        poll_first(opcode::RecvMulti::new(self.connection.fd.number(), GROUP).build())
    }
}
