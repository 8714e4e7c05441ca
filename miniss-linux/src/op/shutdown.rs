//! Shuts down one or both directions of a connection.
//!
//! `user future ─▶ [shutdown] ─▶ kernel`

#![forbid(unsafe_code)]

use std::io;
use std::net;
use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::driver::Prepare;
use crate::net::Connection;

/// A `shutdown(2)`.
pub(crate) struct Shutdown {
    pub(crate) connection: Rc<Connection>,
    pub(crate) how: net::Shutdown,
}

impl Operation for Shutdown {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        count(completion).map(drop)
    }
}

impl Prepare for Shutdown {
    fn prepare(&mut self) -> squeue::Entry {
        let how = match self.how {
            net::Shutdown::Read => libc::SHUT_RD,
            net::Shutdown::Write => libc::SHUT_WR,
            net::Shutdown::Both => libc::SHUT_RDWR,
        };
        opcode::Shutdown::new(self.connection.fd.number(), how).build()
    }
}
