//! How connections begin: an accept takes the next one of a listener, a connect makes one.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::rc::Rc;

use miniss_core::op::{Completion, Operation};
use socket2::SockAddr;

use super::connection::Connection;
use super::fd::Fd;
use crate::driver::{Prepare, Request, result_of};

/// An accept on a listening socket.
pub(crate) struct Accept {
    listener: Rc<Fd>,
    /// How many connections may wait here to be taken; none: it accepts one, and ends.
    ahead_max: u32,
    /// We asked for its end.
    paused: bool,
}

impl Accept {
    pub(crate) fn new(listener: Rc<Fd>, ahead_max: u32) -> Self {
        Self { listener, ahead_max, paused: false }
    }
}

/// The connection that a completion brings.
pub(crate) fn connection(completion: Completion) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just opened it for us, and each completion is looked at once.
    result_of(completion).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

impl Operation for Accept {
    /// `None`: it paused; the caller starts it again.
    type Output = Option<io::Result<OwnedFd>>;

    fn settle(self, completion: Completion) -> Self::Output {
        let is_pause = self.paused && completion.result == -libc::ECANCELED;
        (!is_pause).then(|| connection(completion))
    }

    fn wants_cancel_after(&mut self, _: Completion, waiting: u32) -> bool {
        let is_full = waiting >= self.ahead_max;
        self.paused |= is_full;
        is_full
    }

    fn orphan_part(&mut self, completion: Completion) {
        drop(connection(completion));
    }
}

impl Prepare for Accept {
    fn prepare(&mut self) -> Request {
        let (fd, flags) = (self.listener.number(), libc::SOCK_CLOEXEC);
        match self.ahead_max {
            0 => Request::Accept { fd, flags },
            _ => Request::AcceptMany { fd, flags },
        }
    }
}

/// A connect to an address, which the kernel reads while it is in flight.
pub(crate) struct Connect {
    pub(crate) connection: Rc<Connection>,
    pub(crate) address: SockAddr,
}

impl Operation for Connect {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        result_of(completion).map(drop)
    }
}

impl Prepare for Connect {
    fn prepare(&mut self) -> Request {
        let address = self.address.as_ptr().cast();
        let fd = self.connection.fd.number();
        Request::Connect { fd, address, len: self.address.len() }
    }
}
