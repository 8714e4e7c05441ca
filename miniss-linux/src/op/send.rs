//! Sends a buffer of the caller's, or several as one.

use std::io;

use miniss_core::op::{Completion, Operation};

use super::connection::WriteTurn;
use crate::buf::{IoBuf, IoVecBuf, IoVecs, op_len};
use crate::driver::{Prepare, Request, result_of};

/// A send of what is left of a buffer. A peer that is gone is an error, never a signal.
pub(crate) struct Send<B> {
    pub(crate) turn: WriteTurn,
    pub(crate) buffer: B,
    /// Bytes at the front that have been sent before.
    pub(crate) done: usize,
    /// `MSG_WAITALL`: the kernel goes on until everything is sent.
    pub(crate) flags: i32,
}

impl<B: IoBuf> Operation for Send<B> {
    /// The send itself comes back, so that it can go on.
    type Output = (io::Result<usize>, Self);

    fn settle(self, completion: Completion) -> Self::Output {
        (result_of(completion), self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(self.done + result_of(completion).unwrap_or(0));
    }
}

impl<B: IoBuf> Prepare for Send<B> {
    fn prepare(&mut self) -> Request {
        let bytes = &self.buffer.as_init()[self.done..];
        let (fd, flags) = (self.turn.fd.number(), libc::MSG_NOSIGNAL | self.flags);
        Request::Send { fd, bytes: bytes.as_ptr(), len: op_len(bytes.len()), flags }
    }
}

/// A gathering send of what is left of the buffers.
pub(crate) struct SendMsg<V> {
    turn: WriteTurn,
    buffers: V,
    iovecs: IoVecs,
    header: libc::msghdr,
    /// Bytes at the front that have been sent before.
    done: usize,
}

impl<V: IoVecBuf> SendMsg<V> {
    pub(crate) fn new(turn: WriteTurn, buffers: V, done: usize) -> Self {
        Self { turn, buffers, iovecs: IoVecs::new(), header: empty_header(), done }
    }
}

/// A message header that names nothing.
pub(crate) fn empty_header() -> libc::msghdr {
    // SAFETY: a plain C struct of numbers and nullable pointers.
    unsafe { std::mem::zeroed() }
}

impl<V: IoVecBuf> Operation for SendMsg<V> {
    /// The turn and the buffers come back, so that the write can go on.
    type Output = (io::Result<usize>, WriteTurn, V);

    fn settle(self, completion: Completion) -> Self::Output {
        (result_of(completion), self.turn, self.buffers)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(self.done + result_of(completion).unwrap_or(0));
    }
}

impl<V: IoVecBuf> Prepare for SendMsg<V> {
    fn prepare(&mut self) -> Request {
        self.iovecs.gather(&self.buffers);
        self.iovecs.advance(self.done);
        let iovecs = self.iovecs.as_slice();
        self.header.msg_iov = iovecs.as_ptr().cast_mut();
        self.header.msg_iovlen = iovecs.len();
        let (fd, header) = (self.turn.fd.number(), &raw const self.header);
        Request::SendMsg { fd, header, flags: libc::MSG_NOSIGNAL }
    }
}
