//! Receives: into a buffer of the caller's, or into provided buffers again and again with a single
//! request; and the waits until there is something to receive, or no more.

use std::io;
use std::rc::Rc;

use miniss_core::op::{Completion, OpId, Operation};

use super::connection::{Connection, OrphanEnd};
use crate::buf::{BufResult, IoBufMut, op_len};
use crate::driver::buffers::{BufferPool, PoolBuf};
use crate::driver::{Op, Prepare, Request, buffer_of, result_of};

/// A receive. Bytes that come when no one waits any more are kept for the next read of the stream.
pub(crate) struct Recv<B> {
    pub(crate) connection: Rc<Connection>,
    pub(crate) buffer: B,
    /// Whether the bytes stay where they are, for the next read.
    pub(crate) peeks: bool,
}

impl<B: IoBufMut> Operation for Recv<B> {
    type Output = BufResult<usize, B>;

    fn settle(mut self, completion: Completion) -> Self::Output {
        let result = result_of(completion);
        if let Ok(len) = result {
            // SAFETY: the kernel has written the first `len` bytes.
            unsafe { self.buffer.set_len(len) };
        }
        (result, self.buffer)
    }

    fn settle_orphan(self, completion: Completion) {
        let ended = OrphanEnd::new(&self.connection);
        if self.peeks {
            return ended.keep(Ok(Vec::new()));
        }
        let (result, buffer) = self.settle(completion);
        ended.keep(result.map(|len| buffer.as_init()[..len].to_vec()));
    }
}

impl<B: IoBufMut> Prepare for Recv<B> {
    fn prepare(&mut self) -> Request {
        let fd = self.connection.fd.number();
        // SAFETY: *Initialised stays initialised*: only the kernel writes there, and only bytes.
        let memory = unsafe { self.buffer.as_uninit() };
        let flags = if self.peeks { libc::MSG_PEEK } else { 0 };
        let (buffer, len) = (memory.as_mut_ptr().cast(), op_len(memory.len()));
        Request::Recv { fd, buffer, len, flags }
    }
}

/// Buffers that may wait unread on one stream. At so many, the receive is cancelled until they have
/// been read, so that one slow reader cannot hold all buffers of a shard. The kernel then keeps the
/// data, and TCP tells the sender to wait. Until the cancel reaches the kernel it may fill more: up
/// to 32, if so much has come at once.
const UNREAD_MAX: u32 = 8;
/// The same for a stream that no one is reading, while less than half of the shard's buffers are
/// free: many of them together cannot hold all buffers either.
const UNREAD_MAX_IF_SHORT: u32 = 1;

/// A receive into buffers of the pool, again and again or once.
pub(crate) struct RecvPool {
    connection: Rc<Connection>,
    pool: Rc<BufferPool>,
    /// Looks for a buffer only when there are bytes, and ends with the first that it receives.
    once: bool,
    /// Receives messages.
    messages: bool,
    /// We asked for its end.
    paused: bool,
}

/// How a receive into the pool ended.
pub(crate) struct Ended {
    pub(crate) completion: Completion,
    /// There is no other way to ask for a buffer of the pool.
    pub(crate) once: bool,
    pub(crate) paused: bool,
}

impl RecvPool {
    pub(crate) fn new(connection: Rc<Connection>, pool: Rc<BufferPool>) -> Self {
        Self { connection, pool, once: false, messages: false, paused: false }
    }

    /// That looks for a buffer only when there are bytes, and ends with the first that it receives.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Of messages.
    pub(crate) fn of_messages(self) -> Self {
        Self { messages: true, ..self }
    }

    fn unread_max(&self) -> u32 {
        let is_read = self.connection.side.is_read();
        let is_short = || self.connection.fd.driver().is_short_of_buffers();
        if !is_read && is_short() { UNREAD_MAX_IF_SHORT } else { UNREAD_MAX }
    }
}

/// The bytes that a completion brings, if it brings any.
pub(crate) fn received(pool: &Rc<BufferPool>, completion: Completion) -> Option<PoolBuf> {
    let id = buffer_of(completion)?;
    Some(pool.claim(id, completion.result.max(0) as usize))
}

impl Operation for RecvPool {
    type Output = Ended;

    fn settle(self, completion: Completion) -> Ended {
        Ended { completion, once: self.once || self.messages, paused: self.paused }
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
    fn prepare(&mut self) -> Request {
        let fd = self.connection.fd.number();
        match (self.messages, self.once) {
            (true, _) => Request::RecvMsgPool { fd },
            (false, true) => Request::RecvPoolOnce { fd },
            (false, false) => Request::RecvPool { fd },
        }
    }
}

/// A wait for bytes, the end of the stream or an error. It takes nothing, and needs no buffer.
pub(crate) struct Readable {
    pub(crate) connection: Rc<Connection>,
}

impl Operation for Readable {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        result_of(completion).map(drop)
    }

    fn settle_orphan(self, _: Completion) {
        drop(OrphanEnd::new(&self.connection));
    }
}

impl Prepare for Readable {
    fn prepare(&mut self) -> Request {
        Request::Poll { fd: self.connection.fd.number(), events: libc::POLLIN }
    }
}

/// A wait for events beside reads and writes: that the peer will send no more, or that there is
/// room to send. It takes nothing, and needs no buffer. There may be several on a connection, so
/// that has a list of them: a close cancels each.
pub(crate) struct Watch {
    connection: Rc<Connection>,
    /// As for `poll(2)`.
    events: i16,
    id: Option<OpId>,
}

impl Watch {
    pub(crate) fn start(connection: &Rc<Connection>, events: i16) -> Op<Self> {
        let op = connection.start(Self { connection: connection.clone(), events, id: None });
        let id = op.id();
        op.with(|watch| watch.id = id);
        connection.with_rare(|rare| rare.watches.extend(id));
        op
    }
}

impl Operation for Watch {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        self.connection.with_rare(|rare| rare.watches.retain(|&id| Some(id) != self.id));
        result_of(completion).map(drop)
    }
}

impl Prepare for Watch {
    fn prepare(&mut self) -> Request {
        Request::Poll { fd: self.connection.fd.number(), events: self.events }
    }
}
