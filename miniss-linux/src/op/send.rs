//! Sends a buffer of the caller's.

use std::io;

use miniss_core::op::{Completion, Operation};

use super::connection::WriteTurn;
use crate::buf::{IoBuf, op_len};
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
