//! Accepts connections, one after the other, with a single request.
//!
//! `listener ─▶ [accept] ─▶ kernel ─▶ connection, connection, …`

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::driver::Prepare;
use crate::net::Fd;

/// A multishot accept on a listening socket.
pub(crate) struct Accept {
    pub(crate) listener: Fd,
}

/// The connection that a completion brings.
pub(crate) fn connection(completion: Completion) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just opened it for us, and each completion is looked at once.
    count(completion).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

impl Operation for Accept {
    type Output = io::Result<OwnedFd>;

    fn settle(self, completion: Completion) -> Self::Output {
        connection(completion)
    }

    fn orphan_part(&mut self, completion: Completion) {
        drop(connection(completion));
    }
}

impl Prepare for Accept {
    fn prepare(&mut self) -> squeue::Entry {
        opcode::AcceptMulti::new(self.listener.number()).flags(libc::SOCK_CLOEXEC).build()
    }
}
