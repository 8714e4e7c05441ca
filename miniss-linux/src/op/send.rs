//! Sends a buffer of the caller's.
//!
//! `user future ─▶ [send] ─▶ kernel`

#![forbid(unsafe_code)]

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::buf::{BufResult, IoBuf, op_len};
use crate::driver::Prepare;
use crate::net::Fd;

/// A send. A peer that is gone is an error, never a signal.
pub(crate) struct Send<B> {
    pub(crate) fd: Fd,
    pub(crate) buffer: B,
    /// `MSG_WAITALL`: the kernel goes on until everything is sent.
    pub(crate) flags: i32,
}

impl<B: IoBuf> Operation for Send<B> {
    type Output = BufResult<usize, B>;

    fn settle(self, completion: Completion) -> Self::Output {
        (count(completion), self.buffer)
    }
}

impl<B: IoBuf> Prepare for Send<B> {
    fn prepare(&mut self) -> squeue::Entry {
        let bytes = self.buffer.as_init();
        opcode::Send::new(self.fd.number(), bytes.as_ptr(), op_len(bytes.len()))
            .flags(libc::MSG_NOSIGNAL | self.flags)
            .build()
    }
}
