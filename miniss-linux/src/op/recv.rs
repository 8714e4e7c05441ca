//! Receives into a buffer of the caller's.

use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::connection::Connection;
use super::count;
use super::read_side::OrphanEnd;
use crate::buf::{BufResult, IoBufMut, op_len};
use crate::driver::Prepare;

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
        let result = count(completion);
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
    fn prepare(&mut self) -> squeue::Entry {
        let fd = self.connection.fd.number();
        // SAFETY: *Initialised stays initialised*: only the kernel writes there, and only bytes.
        let memory = unsafe { self.buffer.as_uninit() };
        let flags = if self.peeks { libc::MSG_PEEK } else { 0 };
        opcode::Recv::new(fd, memory.as_mut_ptr().cast(), op_len(memory.len())).flags(flags).build()
    }
}
