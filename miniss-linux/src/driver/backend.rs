//! The interface of a driver to its shard, and the two that there are.
//!
//! A backend fulfils [requests](super::request) in any order, and reports how each went. It knows
//! no operation and no socket: the one that tests add fulfils requests from memory.

use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use miniss_core::op::{Completion, OpId};

use super::buffers::BufferPool;
use super::epoll::Epoll;
use super::request::Request;
use super::start::Operations;
use super::sys::{self, Wait};
#[cfg(test)]
use super::tests::hostile::Hostile;
use super::uring::Uring;

/// Counters of a backend.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BackendStats {
    /// System calls that submit or wait.
    pub(crate) enters: u64,
    /// Requests handed over.
    pub(crate) submitted: u64,
    /// Times that the kernel had more completions than the queue has room for.
    pub(crate) cq_overflows: u64,
}

/// What fulfils the requests of a shard. All methods are called on the shard's thread.
///
/// A request that was taken in has its terminal completion some time, given to
/// [`Operations::complete`]: whatever happens to it, and also if it is cancelled. Completing runs
/// foreign code, which may call back: so nothing may be borrowed then.
pub(super) trait Backend {
    /// Whether it has a way to fulfil a request that [may block](super::Prepare::MAY_BLOCK).
    fn takes(&self, request: &Request) -> bool;

    /// Takes a request in, and may complete it before it returns.
    ///
    /// # Safety
    /// What the request points at stays valid until its terminal completion (*Owned while in
    /// flight*).
    unsafe fn push(&self, id: OpId, request: Request, ops: &Operations);

    /// Asks for the end of a request; a no-op if it has ended.
    fn cancel(&self, id: OpId, ops: &Operations);

    /// Hands over what was taken in, and looks for completions; no system call if there is nothing
    /// to do.
    ///
    /// # Errors
    /// As for [`enter`](Self::enter).
    fn submit(&self) -> io::Result<()>;

    /// Hands over what was taken in, and waits for a completion or an unpark if told to.
    ///
    /// # Errors
    /// No request will ever end any more.
    fn enter(&self, wait: Wait) -> io::Result<()>;

    /// Completes what is known to have ended; returns how much that was. No system call waits.
    fn reap(&self, ops: &Operations) -> usize;

    /// Whether [`reap`](Self::reap) would complete something. Reads memory only.
    fn has_events(&self) -> bool;

    /// Looks for events while the shard spins; a system call, where it takes one.
    fn look(&self) -> io::Result<bool>;

    /// An unpark from now on ends a wait.
    fn arm_unparker(&self);

    /// Whether something waits for events that no operation in flight tells of.
    fn is_awaited(&self) -> bool {
        false
    }

    /// Whether descriptors are to be non-blocking.
    const NONBLOCKING: bool;

    /// Sends messages as far as there is room now, and tells how many. An error is that of the
    /// first. It does not wait, so it is no request.
    ///
    /// # Safety
    /// What the messages name is valid.
    unsafe fn send_many(&self, fd: RawFd, messages: &mut [libc::mmsghdr]) -> io::Result<usize> {
        // SAFETY: the caller's promise.
        unsafe { sys::send_many(fd, messages) }
    }

    /// The socket was shut down in one direction or both, by us.
    fn shut_down(&self, fd: RawFd, ops: &Operations);

    /// The descriptor is about to be closed, or leaves the runtime. All requests that name it have
    /// ended or are to be cancelled.
    fn forget(&self, fd: RawFd);

    /// Whether it can send without a copy.
    fn has_zero_copy(&self) -> bool;

    /// Buffers to receive into. `None`: the kernel does not know how to use them.
    fn make_pool(&self, count: u16, bytes: u32) -> io::Result<Option<Rc<BufferPool>>>;

    /// Asks for the end of everything in flight.
    fn cancel_all(&self, ops: &Operations);

    /// Gives back what it has, and the pool if the kernel has it. Sockets may outlive it: only
    /// [`forget`](Self::forget) and [`stats`](Self::stats) are called after that.
    fn close(&self, pool: Option<&BufferPool>);

    /// What it has done so far.
    fn stats(&self) -> BackendStats;
}

/// What becomes of a request that no kernel sees.
pub(super) const REFUSED: Completion = Completion { result: -libc::ECANCELED, flags: 0 };

/// The backend of a shard, chosen when it starts.
pub(super) enum AnyBackend {
    Uring(Uring),
    Epoll(Epoll),
    #[cfg(test)]
    Hostile(Hostile),
}

/// Calls a method of the backend that is there.
macro_rules! with {
    ($any:expr, $backend:ident => $call:expr) => {
        match $any {
            AnyBackend::Uring($backend) => $call,
            AnyBackend::Epoll($backend) => $call,
            #[cfg(test)]
            AnyBackend::Hostile($backend) => $call,
        }
    };
}

impl AnyBackend {
    pub(super) fn takes(&self, request: &Request) -> bool {
        with!(self, backend => backend.takes(request))
    }

    /// # Safety
    /// As for [`Backend::push`].
    #[inline]
    pub(super) unsafe fn push(&self, id: OpId, request: Request, ops: &Operations) {
        // SAFETY: the caller's promise.
        with!(self, backend => unsafe { backend.push(id, request, ops) })
    }

    #[inline]
    pub(super) fn cancel(&self, id: OpId, ops: &Operations) {
        with!(self, backend => backend.cancel(id, ops))
    }

    #[inline]
    pub(super) fn submit(&self) -> io::Result<()> {
        with!(self, backend => backend.submit())
    }

    #[inline]
    pub(super) fn enter(&self, wait: Wait) -> io::Result<()> {
        with!(self, backend => backend.enter(wait))
    }

    #[inline]
    pub(super) fn reap(&self, ops: &Operations) -> usize {
        with!(self, backend => backend.reap(ops))
    }

    #[inline]
    pub(super) fn has_events(&self) -> bool {
        with!(self, backend => backend.has_events())
    }

    pub(super) fn look(&self) -> io::Result<bool> {
        with!(self, backend => backend.look())
    }

    pub(super) fn is_awaited(&self) -> bool {
        with!(self, backend => backend.is_awaited())
    }

    #[inline]
    pub(super) fn arm_unparker(&self) {
        with!(self, backend => backend.arm_unparker())
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        match self {
            Self::Uring(_) => Uring::NONBLOCKING,
            Self::Epoll(_) => Epoll::NONBLOCKING,
            #[cfg(test)]
            Self::Hostile(_) => Hostile::NONBLOCKING,
        }
    }

    /// # Safety
    /// As for [`Backend::send_many`].
    pub(super) unsafe fn send_many(
        &self,
        fd: RawFd,
        messages: &mut [libc::mmsghdr],
    ) -> io::Result<usize> {
        // SAFETY: the caller's promise.
        with!(self, backend => unsafe { backend.send_many(fd, messages) })
    }

    pub(super) fn shut_down(&self, fd: RawFd, ops: &Operations) {
        with!(self, backend => backend.shut_down(fd, ops))
    }

    #[inline]
    pub(super) fn forget(&self, fd: RawFd) {
        with!(self, backend => backend.forget(fd))
    }

    pub(super) fn has_zero_copy(&self) -> bool {
        with!(self, backend => backend.has_zero_copy())
    }

    pub(super) fn make_pool(&self, count: u16, bytes: u32) -> io::Result<Option<Rc<BufferPool>>> {
        with!(self, backend => backend.make_pool(count, bytes))
    }

    pub(super) fn cancel_all(&self, ops: &Operations) {
        with!(self, backend => backend.cancel_all(ops))
    }

    pub(super) fn close(&self, pool: Option<&BufferPool>) {
        with!(self, backend => backend.close(pool))
    }

    pub(super) fn stats(&self) -> BackendStats {
        with!(self, backend => backend.stats())
    }
}
