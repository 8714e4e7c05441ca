//! Waits until there is something to receive.

#![forbid(unsafe_code)]

use std::io;
use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::connection::Connection;
use super::count;
use super::read_side::OrphanEnd;
use crate::driver::Prepare;

/// A wait for bytes, the end of the stream or an error. It takes nothing, and needs no buffer.
pub(crate) struct Readable {
    pub(crate) connection: Rc<Connection>,
}

impl Operation for Readable {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        count(completion).map(drop)
    }

    fn settle_orphan(self, _: Completion) {
        drop(OrphanEnd::new(&self.connection));
    }
}

impl Prepare for Readable {
    fn prepare(&mut self) -> squeue::Entry {
        opcode::PollAdd::new(self.connection.fd.number(), libc::POLLIN as u32).build()
    }
}
