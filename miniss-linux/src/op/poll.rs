//! Waits for an event of a descriptor that is no socket: a counter, a process, a pipe.

use std::io;
use std::rc::Rc;

use miniss_core::op::{Completion, Operation};

use super::fd::Fd;
use crate::driver::{Op, Prepare, Request, result_of};

/// A wait. It takes nothing, so there is nothing to lose when it is dropped.
pub(crate) struct PollFd {
    fd: Rc<Fd>,
    /// As for `poll(2)`.
    events: i16,
}

impl PollFd {
    /// Waits until one of `events` is there, or an error or an end.
    pub(crate) fn start(fd: &Rc<Fd>, events: i16) -> Op<Self> {
        fd.driver().start(Self { fd: fd.clone(), events })
    }
}

impl Operation for PollFd {
    type Output = io::Result<()>;

    fn settle(self, completion: Completion) -> Self::Output {
        result_of(completion).map(drop)
    }
}

impl Prepare for PollFd {
    fn prepare(&mut self) -> Request {
        Request::Poll { fd: self.fd.number(), events: self.events }
    }
}
