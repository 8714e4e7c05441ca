//! Sends several buffers of the caller's as one.
//!
//! `user future ─▶ [sendmsg] ─▶ kernel`

use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::buf::{BufResult, IoVecBuf, IoVecs};
use crate::driver::Prepare;
use crate::net::Connection;

/// A gathering send.
pub(crate) struct SendMsg<V> {
    connection: Rc<Connection>,
    buffers: V,
    iovecs: IoVecs,
    header: libc::msghdr,
    /// Bytes at the front that have been sent before.
    skip: usize,
}

impl<V: IoVecBuf> SendMsg<V> {
    pub(crate) fn new(connection: Rc<Connection>, buffers: V, skip: usize) -> Self {
        Self { connection, buffers, iovecs: IoVecs::new(), header: empty_header(), skip }
    }
}

/// A message header that names nothing.
pub(super) fn empty_header() -> libc::msghdr {
    // SAFETY: a plain C struct of numbers and nullable pointers.
    unsafe { std::mem::zeroed() }
}

impl<V: IoVecBuf> Operation for SendMsg<V> {
    type Output = BufResult<usize, V>;

    fn settle(self, completion: Completion) -> Self::Output {
        (count(completion), self.buffers)
    }
}

impl<V: IoVecBuf> Prepare for SendMsg<V> {
    fn prepare(&mut self) -> squeue::Entry {
        self.iovecs.gather(&self.buffers);
        self.iovecs.advance(self.skip);
        let iovecs = self.iovecs.as_slice();
        self.header.msg_iov = iovecs.as_ptr().cast_mut();
        self.header.msg_iovlen = iovecs.len();
        opcode::SendMsg::new(self.connection.fd.number(), &raw const self.header)
            .flags(libc::MSG_NOSIGNAL as u32)
            .build()
    }
}
