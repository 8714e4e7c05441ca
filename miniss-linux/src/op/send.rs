//! Sends a buffer of the caller's.

#![forbid(unsafe_code)]

use std::io;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::connection::WriteTurn;
use super::count;
use crate::buf::{IoBuf, op_len};
use crate::driver::Prepare;

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
        (count(completion), self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(self.done + count(completion).unwrap_or(0));
    }
}

impl<B: IoBuf> Prepare for Send<B> {
    fn prepare(&mut self) -> squeue::Entry {
        let bytes = &self.buffer.as_init()[self.done..];
        opcode::Send::new(self.turn.fd.number(), bytes.as_ptr(), op_len(bytes.len()))
            .flags(libc::MSG_NOSIGNAL | self.flags)
            .build()
    }
}
