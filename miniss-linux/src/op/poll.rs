//! Waits for an event of what is no socket, and pipes, which are read and written by calls that do
//! not wait.
//!
//! A pipe of our own does not wait (`O_NONBLOCK`). What others have, too, such as the file behind
//! stdin, is left as it is, and each call says that it is not to wait (`RWF_NOWAIT`). Files,
//! terminals and FIFOs know no such call, and neither do the pipes of older kernels. There a poll
//! comes first, and then an operation that may block. It has memory of its own and belongs to the
//! end, not to a future: what it has read when its future is gone is for the next read, and what it
//! has written is counted.
//!
//! Invariant **Pieces are valid**: the pieces that a [`Transfer`] is given are memory that its
//! caller has borrowed until it returns: to write to, for one that reads.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::slice;
use std::task::{Context, Poll, ready};

use miniss_core::op::{Completion, Operation};

use super::fd::Fd;
use super::file::{read_at, write_at};
use crate::buf::{BufResult, IOVECS_MAX, IoBufMut, IoVecBuf, IoVecBufMut};
use crate::driver::buffers::PoolBuf;
use crate::driver::{AT_CURSOR, Op, Prepare, Request, result_of, without_signal};
use crate::runtime::with_current;

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

/// One end of a pipe.
pub(crate) struct End {
    pub(crate) fd: Rc<Fd>,
    /// What a poll tells when a call is worth trying: `POLLIN` of an end that is read, `POLLOUT` of
    /// one that is written to.
    events: i16,
    /// `None`: the description is ours alone.
    shared: Option<Shared>,
    /// Bytes that went out of writes that were dropped, since someone last asked.
    pub(crate) cancelled_bytes: Cell<usize>,
}

/// What there is to a description that others have, too.
struct Shared {
    is_file: bool,
    /// It knows no call that does not wait.
    may_block: Cell<bool>,
    /// The operation in progress.
    blocking: RefCell<Option<Blocking>>,
    /// What such an operation has read, and no one has taken.
    bytes: RefCell<PoolBuf>,
}

type Blocking = Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>>>>;

/// How much an operation that may block moves at a time.
const PIECE_BYTES: usize = 128 << 10;

/// What lies between two polls of a read or write.
#[derive(Default)]
pub(crate) struct Wait {
    until: Option<Op<PollFd>>,
    /// A call is worth trying.
    is_told: bool,
    /// It has begun the operation that is in progress.
    has_begun: bool,
}

/// Moves bytes between the kernel and pieces of memory, and gives how many.
pub(crate) type Transfer<'a> = dyn FnMut(&[libc::iovec]) -> io::Result<usize> + 'a;

impl End {
    pub(crate) fn new(fd: OwnedFd, events: i16) -> Self {
        let fd = Rc::new(Fd::new(fd, with_current(|shard| shard.driver.clone())));
        Self { fd, events, shared: None, cancelled_bytes: Cell::new(0) }
    }

    /// From a descriptor that may wait, whose description no one else has.
    pub(crate) fn from_blocking(fd: OwnedFd, events: i16) -> io::Result<Self> {
        set_nonblocking(fd.as_fd(), true)?;
        Ok(Self::new(fd, events))
    }

    /// From a descriptor whose description others have, too.
    pub(crate) fn from_shared(fd: OwnedFd, events: i16) -> io::Result<Self> {
        let file = File::from(fd);
        let what = file.metadata()?.file_type();
        let is_file = what.is_file() || what.is_block_device();
        let shared = Shared {
            is_file,
            may_block: Cell::new(is_file),
            blocking: RefCell::new(None),
            bytes: RefCell::new(PoolBuf::empty()),
        };
        Ok(Self { shared: Some(shared), ..Self::new(file.into(), events) })
    }

    /// Whether others may have its description, so that a call may wait.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    pub(crate) fn to_blocking(&self) -> io::Result<OwnedFd> {
        let fd = self.fd.lend().try_clone_to_owned()?;
        if self.shared.is_none() {
            set_nonblocking(fd.as_fd(), false)?;
        }
        Ok(fd)
    }

    /// Whether what it writes is written by operations that may block.
    #[cfg(any(feature = "futures-io", feature = "tokio"))]
    pub(crate) fn may_block(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.may_block.get())
    }

    /// Has `call` move bytes, again and again until it is done.
    pub(crate) async fn until_done(
        &self,
        mut call: impl FnMut(&mut Transfer<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.fd.driver().assert_here();
        let mut wait = Wait::default();
        poll_fn(|cx| self.poll_done(&mut wait, cx, &mut call)).await
    }

    /// As [`until_done`](Self::until_done).
    pub(crate) fn poll_done(
        &self,
        wait: &mut Wait,
        cx: &mut Context<'_>,
        call: &mut dyn FnMut(&mut Transfer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(until) = &mut wait.until {
                let told = ready!(Pin::new(until).poll(cx));
                (wait.until, wait.is_told) = (None, true);
                told?;
            }
            if let Some(ended) = ready!(self.poll_blocking(wait, cx)) {
                return Poll::Ready(ended);
            }
            let is_told = mem::take(&mut wait.is_told);
            match call(&mut |pieces| self.transfer(pieces, is_told)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            wait.has_begun = self.is_blocking();
            if !wait.has_begun {
                wait.until = Some(PollFd::start(&self.fd, self.events));
            }
        }
    }

    /// Waits for the operation that may block, if one is in progress. What it has come to is
    /// nothing to its caller if it has read something, or was begun for a write that was dropped.
    fn poll_blocking(
        &self,
        wait: &mut Wait,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<usize>>> {
        let Some(shared) = &self.shared else { return Poll::Ready(None) };
        let mut blocking = shared.blocking.borrow_mut();
        let Some(op) = &mut *blocking else { return Poll::Ready(None) };
        let (result, bytes) = ready!(op.as_mut().poll(cx));
        *blocking = None;
        let is_ours = mem::take(&mut wait.has_begun);
        Poll::Ready(match result {
            // Others were faster.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                None
            }
            Ok(1..) if self.events == libc::POLLIN => {
                shared.bytes.replace(PoolBuf::from_heap(bytes.into_boxed_slice()));
                None
            }
            Ok(len) if self.events == libc::POLLOUT && !is_ours => {
                self.cancelled_bytes.set(self.cancelled_bytes.get() + len);
                None
            }
            result => Some(result),
        })
    }

    /// Waits until nothing of a write that was dropped is in progress.
    pub(crate) async fn settled(&self) {
        // An error is that of the write that was dropped.
        poll_fn(|cx| self.poll_blocking(&mut Wait::default(), cx).map(drop)).await;
    }

    fn is_blocking(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.blocking.borrow().is_some())
    }

    /// Moves bytes by a call that does not wait, or begins an operation that may, once it is told
    /// that this has something to do.
    fn transfer(&self, pieces: &[libc::iovec], is_told: bool) -> io::Result<usize> {
        let Some(shared) = &self.shared else { return self.call(pieces, 0) };
        if !shared.bytes.borrow().is_empty() {
            return Ok(copy_out(&mut shared.bytes.borrow_mut(), pieces));
        }
        if !shared.may_block.get() {
            match self.call(pieces, libc::RWF_NOWAIT) {
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                    shared.may_block.set(true);
                }
                result => return result,
            }
        }
        if is_told {
            shared.blocking.replace(Some(self.start_blocking(shared, pieces)));
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn call(&self, pieces: &[libc::iovec], flags: i32) -> io::Result<usize> {
        let (fd, count) = (self.fd.number(), pieces.len().min(IOVECS_MAX) as i32);
        let pieces = pieces.as_ptr();
        if self.events == libc::POLLIN {
            // SAFETY: *Pieces are valid*.
            return again_if_interrupted(|| unsafe { libc::preadv2(fd, pieces, count, -1, flags) });
        }
        // SAFETY: *Pieces are valid*.
        let write = || unsafe { libc::pwritev2(fd, pieces, count, -1, flags) };
        without_signal(|| again_if_interrupted(write), is_broken)
    }

    fn start_blocking(&self, shared: &Shared, pieces: &[libc::iovec]) -> Blocking {
        let total = pieces.iter().map(|piece| piece.iov_len).sum::<usize>().min(PIECE_BYTES);
        let (fd, driver) = (self.fd.clone(), self.fd.driver());
        // A ring believes a terminal that it does not wait, and the shard would wait with it.
        let on_pool = !shared.is_file;
        if self.events == libc::POLLIN {
            let read = read_at(fd, Vec::with_capacity(total), AT_CURSOR);
            return Box::pin(driver.start_on(read, on_pool));
        }
        // A pipe or a terminal that has room for something may not have room for more than this.
        let total = if shared.is_file { total } else { total.min(libc::PIPE_BUF) };
        Box::pin(driver.start_on(write_at(fd, copy_of(pieces, total), AT_CURSOR), on_pool))
    }
}

fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> io::Result<()> {
    // SAFETY: no pointers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    let flags = match nonblocking {
        _ if flags < 0 => return Err(io::Error::last_os_error()),
        true => flags | libc::O_NONBLOCK,
        false => flags & !libc::O_NONBLOCK,
    };
    // SAFETY: no pointers.
    match unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes bytes into pieces of memory.
fn copy_out(bytes: &mut PoolBuf, pieces: &[libc::iovec]) -> usize {
    let before = bytes.len();
    for piece in pieces {
        let len = bytes.len().min(piece.iov_len);
        // SAFETY: *Pieces are valid*.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), piece.iov_base.cast(), len) };
        bytes.advance(len);
    }
    before - bytes.len()
}

/// The first `total` bytes of what is in pieces of memory.
fn copy_of(pieces: &[libc::iovec], total: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(total);
    for piece in pieces {
        let len = piece.iov_len.min(total - bytes.len());
        // SAFETY: *Pieces are valid*.
        bytes.extend_from_slice(unsafe { slice::from_raw_parts(piece.iov_base.cast(), len) });
    }
    bytes
}

pub(crate) fn read_into<B: IoBufMut>(buffer: &mut B, fill: &mut Transfer<'_>) -> io::Result<usize> {
    // SAFETY: *Initialised stays initialised* (of `buf`): only bytes are written there.
    let room = unsafe { buffer.as_uninit() };
    let len = fill(&[piece(room.as_mut_ptr(), room.len())])?;
    // SAFETY: the first `len` bytes were written.
    unsafe { buffer.set_len(len) };
    Ok(len)
}

pub(crate) fn read_into_all<V: IoVecBufMut>(
    buffers: &mut V,
    fill: &mut Transfer<'_>,
) -> io::Result<usize> {
    let mut pieces = Vec::new();
    let mut add = |room: &mut [MaybeUninit<u8>]| pieces.push(piece(room.as_mut_ptr(), room.len()));
    // SAFETY: *Initialised stays initialised* (of `buf`): only bytes are written there.
    unsafe { buffers.for_each_uninit(&mut add) };
    let len = fill(&pieces)?;
    // SAFETY: the first `len` bytes were written, front to back.
    unsafe { buffers.set_len_all(len) };
    Ok(len)
}

/// Reads into memory of its own, which is there only if something was read.
pub(crate) fn read_into_new(
    bytes: &mut Vec<u8>,
    room: usize,
    fill: &mut Transfer<'_>,
) -> io::Result<usize> {
    bytes.reserve_exact(room);
    read_into(bytes, fill).inspect_err(|_| *bytes = Vec::new())
}

pub(crate) fn write_from(bytes: &[u8], drain: &mut Transfer<'_>) -> io::Result<usize> {
    drain(&[piece(bytes.as_ptr().cast_mut(), bytes.len())])
}

pub(crate) fn write_all_of<V: IoVecBuf>(
    buffers: &V,
    drain: &mut Transfer<'_>,
) -> io::Result<usize> {
    let mut pieces = Vec::new();
    buffers.for_each_init(|bytes| pieces.push(piece(bytes.as_ptr().cast_mut(), bytes.len())));
    if pieces.iter().all(|piece| piece.iov_len == 0) {
        return Ok(0);
    }
    drain(&pieces)
}

pub(crate) fn piece<T>(base: *mut T, len: usize) -> libc::iovec {
    libc::iovec { iov_base: base.cast(), iov_len: len }
}
fn is_broken(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::BrokenPipe)
}

fn again_if_interrupted(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        let result = call();
        if result >= 0 {
            return Ok(result as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
