//! Receives into several buffers of the caller's.

use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::connection::Connection;
use super::count;
use super::read_side::OrphanEnd;
use super::sendmsg::empty_header;
use crate::buf::{BufResult, IoVecBufMut, IoVecs};
use crate::driver::Prepare;

/// A scattering receive. Bytes that come when no one waits any more are kept for the next read of
/// the stream.
pub(crate) struct RecvMsg<V> {
    connection: Rc<Connection>,
    buffers: V,
    iovecs: IoVecs,
    header: libc::msghdr,
}

impl<V: IoVecBufMut> RecvMsg<V> {
    pub(crate) fn new(connection: Rc<Connection>, buffers: V) -> Self {
        Self { connection, buffers, iovecs: IoVecs::new(), header: empty_header() }
    }
}

impl<V: IoVecBufMut> Operation for RecvMsg<V> {
    type Output = BufResult<usize, V>;

    fn settle(mut self, completion: Completion) -> Self::Output {
        let result = count(completion);
        if let Ok(len) = result {
            // SAFETY: the kernel has filled the buffers front to back, with `len` bytes.
            unsafe { self.buffers.set_len_all(len) };
        }
        (result, self.buffers)
    }

    fn settle_orphan(self, completion: Completion) {
        let ended = OrphanEnd::new(&self.connection);
        let (result, buffers) = self.settle(completion);
        ended.keep(result.map(|len| {
            let mut bytes = Vec::with_capacity(len);
            buffers.for_each_init(|part| {
                let rest = len - bytes.len();
                bytes.extend_from_slice(&part[..part.len().min(rest)]);
            });
            bytes
        }));
    }
}

impl<V: IoVecBufMut> Prepare for RecvMsg<V> {
    fn prepare(&mut self) -> squeue::Entry {
        self.iovecs.scatter(&mut self.buffers);
        let iovecs = self.iovecs.as_slice();
        self.header.msg_iov = iovecs.as_ptr().cast_mut();
        self.header.msg_iovlen = iovecs.len();
        let fd = self.connection.fd.number();
        opcode::RecvMsg::new(fd, &raw mut self.header).build()
    }
}
