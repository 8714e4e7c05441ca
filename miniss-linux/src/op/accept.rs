//! Accepts connections, one after the other, with a single request.
//!
//! `listener ─▶ [accept] ─▶ kernel ─▶ connection, connection, …`

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::driver::Prepare;
use crate::net::Fd;

/// Connections that may wait for our `accept`. Beyond that they wait in the kernel's backlog, where
/// they hold no descriptor and a peer that floods us is the kernel's to deal with.
const WAITING_MAX: u32 = 256;

/// A multishot accept on a listening socket.
pub(crate) struct Accept {
    listener: Rc<Fd>,
    /// It was we who asked for the end.
    paused: bool,
}

impl Accept {
    pub(crate) fn new(listener: Rc<Fd>) -> Self {
        Self { listener, paused: false }
    }
}

/// The connection that a completion brings.
pub(crate) fn connection(completion: Completion) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just opened it for us, and each completion is looked at once.
    count(completion).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

impl Operation for Accept {
    /// `None`: it paused, and is to be started anew.
    type Output = Option<io::Result<OwnedFd>>;

    fn settle(self, completion: Completion) -> Self::Output {
        let is_pause = self.paused && completion.result == -libc::ECANCELED;
        (!is_pause).then(|| connection(completion))
    }

    fn wants_cancel_after(&mut self, _: Completion, waiting: u32) -> bool {
        let is_full = waiting >= WAITING_MAX;
        self.paused |= is_full;
        is_full
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
