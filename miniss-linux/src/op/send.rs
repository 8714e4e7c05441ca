//! Sends a buffer of the caller's, or pages out of a pipe.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use miniss_core::op::{Completion, Operation};

use super::connection::WriteTurn;
use super::fd::Fd;
use crate::buf::{IoBuf, op_len};
use crate::driver::{AT_CURSOR, FileRequest, Prepare, Request, result_of};

/// A send of what is left of a buffer. A peer that is gone is an error, never a signal.
pub(crate) struct Send<B> {
    pub(crate) turn: WriteTurn,
    pub(crate) buffer: B,
    /// Bytes at the front that have been sent before.
    pub(crate) done: usize,
    /// `MSG_WAITALL`: the kernel goes on until everything is sent.
    pub(crate) flags: i32,
}

impl<B: IoBuf> Operation for Send<B> {
    /// The send itself comes back, so that it can go on.
    type Output = (io::Result<usize>, Self);

    fn settle(self, completion: Completion) -> Self::Output {
        (result_of(completion), self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(self.done + result_of(completion).unwrap_or(0));
    }
}

impl<B: IoBuf> Prepare for Send<B> {
    fn prepare(&mut self) -> Request {
        let bytes = &self.buffer.as_init()[self.done..];
        let (fd, flags) = (self.turn.fd.number(), libc::MSG_NOSIGNAL | self.flags);
        Request::Send { fd, bytes: bytes.as_ptr(), len: op_len(bytes.len()), flags }
    }
}

/// A pipe that pages of a file go through.
pub(crate) struct PagePipe {
    reader: OwnedFd,
    pub(super) writer: OwnedFd,
}

/// How much it holds: what a user may ask for without a privilege.
pub(crate) const PAGE_PIPE_BYTES: u32 = 1 << 20;

/// How many a shard has: with io_uring each may hold a thread of the kernel's for as long as a peer
/// does not read.
const PAGE_PIPES_MAX: usize = 16;

thread_local! {
    static PAGE_PIPES: Cell<usize> = const { Cell::new(0) };
}

impl PagePipe {
    /// `None`: the system has none of this size for us, or the shard has enough.
    pub(crate) fn new() -> Option<Rc<Self>> {
        let others = PAGE_PIPES.get();
        if others == PAGE_PIPES_MAX {
            return None;
        }
        let (reader, writer) = io::pipe().ok()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        // SAFETY: no pointers.
        let bytes = unsafe {
            libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, PAGE_PIPE_BYTES as libc::c_int)
        };
        if bytes < 0 {
            return None;
        }
        PAGE_PIPES.set(others + 1);
        Some(Rc::new(Self { reader, writer }))
    }
}

impl Drop for PagePipe {
    fn drop(&mut self) {
        PAGE_PIPES.set(PAGE_PIPES.get() - 1);
    }
}

/// The end of a pipe that pages come out of. Its descriptor stays open with it.
pub(crate) trait Pages: Clone + 'static {
    fn number(&self) -> RawFd;
}

impl Pages for Rc<PagePipe> {
    fn number(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}

impl Pages for Rc<Fd> {
    fn number(&self) -> RawFd {
        (**self).number()
    }
}

/// A send of pages that are in a pipe. Where it may wait for the peer, a thread of the kernel's
/// does.
pub(crate) struct SendPages<P> {
    turn: WriteTurn,
    _pages: P,
    request: FileRequest,
}

impl<P: Pages> SendPages<P> {
    pub(crate) fn new(turn: WriteTurn, pages: P, len: u32) -> Self {
        let (from, to) = (pages.number(), turn.fd.number());
        let request = FileRequest::Splice { from, offset: AT_CURSOR, to, len };
        Self { turn, _pages: pages, request }
    }
}

impl<P: Pages> Operation for SendPages<P> {
    type Output = io::Result<usize>;

    fn settle(self, completion: Completion) -> Self::Output {
        result_of(completion)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(result_of(completion).unwrap_or(0));
    }
}

impl<P: Pages> Prepare for SendPages<P> {
    const MAY_BLOCK: bool = true;

    fn prepare(&mut self) -> Request {
        Request::File(&self.request)
    }
}
