//! Connects a socket.

#![forbid(unsafe_code)]

use std::io;
use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};
use socket2::SockAddr;

use super::connection::Connection;
use super::count;
use crate::driver::Prepare;

/// A connect to an address, which the kernel reads while it is in flight.
pub(crate) struct Connect {
    pub(crate) connection: Rc<Connection>,
    pub(crate) address: SockAddr,
}

impl Operation for Connect {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        count(completion).map(drop)
    }
}

impl Prepare for Connect {
    fn prepare(&mut self) -> squeue::Entry {
        let address = self.address.as_ptr().cast();
        let fd = self.connection.fd.number();
        opcode::Connect::new(fd, address, self.address.len()).build()
    }
}
