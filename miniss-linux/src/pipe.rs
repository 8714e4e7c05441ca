//! Pipes: bytes from one process to another, or within one, in one direction.
//!
//! A pipe is read and written by system calls that do not wait; where there is nothing to read, or
//! no room to write, an operation waits until there is. It has no buffer and takes nothing. So a
//! read that is dropped has taken nothing, and a write that is dropped knows what went out, on
//! either driver.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::rc::Rc;

use miniss_core::coop::{consume_budget, cooperative};
use miniss_core::sync::{Semaphore, Units};

use crate::buf::{BufResult, IOVECS_MAX, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut, op_len};
use crate::driver::buffers::PoolBuf;
use crate::guard::defer;
use crate::op::fd::Fd;
use crate::op::poll::PollFd;
use crate::runtime::with_current;

/// A pipe: what is written to the one end is read from the other.
///
/// # Errors
///
/// What the system says: a pipe takes two descriptors.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// use miniss_linux::{Runtime, pipe::pipe, spawn};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let (reader, writer) = pipe()?;
///     spawn(async move { writer.write_all("ping").await.0 }).detach();
///     assert_eq!(reader.recv().await?[..], *b"ping");
///     assert!(reader.recv().await?.is_empty()); // the writer is gone
///     # Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fresh, and no one else's.
    let [reader, writer] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let reader = PipeReader { end: End::new(reader), is_read: Cell::new(false) };
    Ok((reader, PipeWriter::new(End::new(writer))))
}

/// One end of a pipe.
struct End {
    fd: Rc<Fd>,
}

impl End {
    fn new(fd: OwnedFd) -> Self {
        Self { fd: Rc::new(Fd::new(fd, with_current(|shard| shard.driver.clone()))) }
    }

    /// From a descriptor that may wait, whose description no one else has.
    fn from_blocking(fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(fd.as_fd(), true)?;
        Ok(Self::new(fd))
    }

    fn to_blocking(&self) -> io::Result<OwnedFd> {
        let fd = self.fd.lend().try_clone_to_owned()?;
        set_nonblocking(fd.as_fd(), false)?;
        Ok(fd)
    }

    /// Makes a call that does not wait, again and again until it is done.
    async fn until_done(
        &self,
        events: i16,
        mut call: impl FnMut(RawFd) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.fd.driver().assert_here();
        loop {
            match call(self.fd.number()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            PollFd::start(&self.fd, events).await?;
        }
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

/// The end of a pipe that is read. It belongs to its shard; dropping it closes it, and who
/// writes to the pipe then is told so.
pub struct PipeReader {
    end: End,
    is_read: Cell<bool>,
}

/// The end of a pipe that is written to. It belongs to its shard; dropping it closes it, which is
/// the end of the stream for the reader.
pub struct PipeWriter {
    end: End,
    /// One write at a time.
    writing: Semaphore,
    /// Bytes that went out of writes that were dropped, since someone last asked.
    cancelled_bytes: Cell<usize>,
}

impl PipeReader {
    /// The reading end of a pipe, or a FIFO, that comes from elsewhere. From now on its calls do
    /// not wait, also through other descriptors of this end.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { end: End::from_blocking(fd)?, is_read: Cell::new(false) })
    }

    /// Reads into `buffer`, from its beginning up to its capacity, and gives it back with the
    /// number of bytes read; 0 means that no one writes to the pipe any more, or that the buffer
    /// has no room.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another read of this pipe is in progress.
    ///
    /// # Cancellation
    ///
    /// Cancel safe but for the buffer, which is lost.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, pipe::pipe};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (reader, writer) = pipe()?;
    /// writer.write_all("hello").await.0?;
    /// let (result, buffer) = reader.read(vec![0; 64]).await;
    /// assert_eq!(buffer[..result?], *b"hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read<B: IoBufMut>(&self, mut buffer: B) -> BufResult<usize, B> {
        if buffer.bytes_total() == 0 {
            return (Ok(0), buffer);
        }
        let result = self.read_by(|fd| read_into(fd, &mut buffer)).await;
        (result, buffer)
    }

    /// Reads until `buffer` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the pipe ends first; otherwise as for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// Not cancel safe: bytes that were read into the buffer are lost with it.
    pub async fn read_exact<B: IoBufMut>(&self, mut buffer: B) -> BufResult<(), B> {
        let (mut done, total) = (0, buffer.bytes_total());
        while done < total {
            let (result, slice) = self.read(buffer.slice(done..total)).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buffer),
                Ok(len) => done += len,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Reads into several buffers, one after the other; like [`read`](Self::read) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// As for [`read`](Self::read).
    pub async fn read_vectored<V: IoVecBufMut>(&self, mut buffers: V) -> BufResult<usize, V> {
        if !crate::buf::has_room(&mut buffers) {
            return (Ok(0), buffers);
        }
        let result = self.read_by(|fd| read_into_all(fd, &mut buffers)).await;
        (result, buffers)
    }

    /// The next bytes, in memory of their own; none mean that no one writes to the pipe any more.
    /// While it waits, it holds no buffer.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn recv(&self) -> io::Result<PoolBuf> {
        let room = self.end.fd.driver().recv_buffer_bytes();
        let mut bytes = Vec::new();
        self.read_by(|fd| {
            bytes.reserve_exact(room);
            read_into(fd, &mut bytes).inspect_err(|_| bytes = Vec::new())
        })
        .await?;
        Ok(PoolBuf::from_heap(bytes.into_boxed_slice()))
    }

    async fn read_by(&self, call: impl FnMut(RawFd) -> io::Result<usize>) -> io::Result<usize> {
        cooperative(async {
            if self.is_read.replace(true) {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another read of this pipe is in progress; one task reads at a time",
                ));
            }
            let _reading = defer(|| self.is_read.set(false));
            self.end.until_done(libc::POLLIN, call).await
        })
        .await
    }

    /// The descriptor, whose calls wait: for a child process, or for code that blocks.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, pipe::pipe};
    /// use miniss_linux::process::{Command, Stdio};
    ///
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (reader, writer) = pipe()?;
    /// let mut command = Command::new("cat");
    /// command.stdin(Stdio::from(reader.into_blocking_fd()?));
    /// writer.write_all("for the child").await.0?;
    /// drop(writer);
    /// assert_eq!(command.output().await?.stdout, b"for the child");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        self.end.to_blocking()
    }
}

impl PipeWriter {
    fn new(end: End) -> Self {
        Self { end, writing: Semaphore::new(1), cancelled_bytes: Cell::new(0) }
    }

    /// The writing end of a pipe, or a FIFO, that comes from elsewhere. From now on its calls do
    /// not wait, also through other descriptors of this end.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(End::from_blocking(fd)?))
    }

    /// Writes from `buffer`, and gives it back with the number of bytes written, which may be fewer
    /// than there are. An empty buffer is written at once.
    ///
    /// # Errors
    ///
    /// What the system says; a pipe that no one reads is `BrokenPipe`, never a signal.
    ///
    /// # Cancellation
    ///
    /// A write that is dropped has written nothing.
    pub async fn write<B: IoBuf>(&self, buffer: B) -> BufResult<usize, B> {
        let result = cooperative(async {
            let _turn = self.turn().await;
            self.write_piece(buffer.as_init()).await
        });
        (result.await, buffer)
    }

    /// Writes all of `buffer`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// Part of it may have been written; [`cancelled_write_bytes`](Self::cancelled_write_bytes)
    /// then says how much. Nothing of it goes out afterwards.
    pub async fn write_all<B: IoBuf>(&self, buffer: B) -> BufResult<(), B> {
        let result = cooperative(async {
            let _turn = self.turn().await;
            self.write_pieces(&[buffer.as_init()]).await
        });
        (result.await, buffer)
    }

    /// Writes from several buffers, one after the other; like [`write`](Self::write) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write).
    pub async fn write_vectored<V: IoVecBuf>(&self, buffers: V) -> BufResult<usize, V> {
        let result = cooperative(async {
            let _turn = self.turn().await;
            self.end.until_done(libc::POLLOUT, |fd| write_all_of(fd, &buffers)).await
        });
        (result.await, buffers)
    }

    /// Writes all of several buffers.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of them may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write_all`](Self::write_all).
    pub async fn write_vectored_all<V: IoVecBuf>(&self, buffers: V) -> BufResult<(), V> {
        let result = cooperative(async {
            let _turn = self.turn().await;
            let mut pieces = Vec::new();
            buffers.for_each_init(|piece| pieces.push(piece));
            self.write_pieces(&pieces).await
        });
        (result.await, buffers)
    }

    /// How many bytes of writes that were given up went out all the same, since this was last
    /// asked. It waits its turn as a write does.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what was not told is told next time.
    pub async fn cancelled_write_bytes(&self) -> usize {
        let _turn = self.turn().await;
        self.cancelled_bytes.take()
    }

    /// The descriptor, whose calls wait: for a child process, or for code that blocks.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        self.end.to_blocking()
    }

    async fn turn(&self) -> Units<'_> {
        self.writing.acquire(1).await.expect("the right to write is never closed")
    }

    async fn write_piece(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.end.until_done(libc::POLLOUT, |fd| write_from(fd, bytes)).await
    }

    async fn write_pieces(&self, pieces: &[&[u8]]) -> io::Result<()> {
        let done = Cell::new(0);
        let given_up = defer(|| self.cancelled_bytes.set(self.cancelled_bytes.get() + done.get()));
        let result = self.write_each(pieces, &done).await;
        given_up.disarm();
        result
    }

    async fn write_each(&self, pieces: &[&[u8]], done: &Cell<usize>) -> io::Result<()> {
        for &piece in pieces {
            let mut rest = piece;
            while !rest.is_empty() {
                let len = self.write_piece(rest).await?;
                done.set(done.get() + len);
                rest = &rest[len..];
                consume_budget().await;
            }
        }
        Ok(())
    }
}

impl AsFd for PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.fd.lend()
    }
}

impl AsFd for PipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.fd.lend()
    }
}

impl fmt::Debug for PipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeReader").field("fd", &self.end.fd.number()).finish()
    }
}

impl fmt::Debug for PipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeWriter").field("fd", &self.end.fd.number()).finish()
    }
}

fn read_into<B: IoBufMut>(fd: RawFd, buffer: &mut B) -> io::Result<usize> {
    // SAFETY: *Initialised stays initialised* (of `buf`): only the kernel writes there, and only
    // bytes.
    let room = unsafe { buffer.as_uninit() };
    // SAFETY: so many writable bytes.
    let read = || unsafe { libc::read(fd, room.as_mut_ptr().cast(), op_len(room.len()) as usize) };
    let len = again_if_interrupted(read)?;
    // SAFETY: the kernel has written the first `len` bytes.
    unsafe { buffer.set_len(len) };
    Ok(len)
}

fn read_into_all<V: IoVecBufMut>(fd: RawFd, buffers: &mut V) -> io::Result<usize> {
    let mut iovecs = Vec::new();
    let mut add = |room: &mut [MaybeUninit<u8>]| iovecs.push(iovec(room.as_mut_ptr(), room.len()));
    // SAFETY: *Initialised stays initialised* (of `buf`): only the kernel writes there.
    unsafe { buffers.for_each_uninit(&mut add) };
    let count = iovecs.len().min(IOVECS_MAX) as i32;
    // SAFETY: each names writable memory of the buffers, which are borrowed.
    let len = again_if_interrupted(|| unsafe { libc::readv(fd, iovecs.as_ptr(), count) })?;
    // SAFETY: the kernel has written the first `len` bytes, front to back.
    unsafe { buffers.set_len_all(len) };
    Ok(len)
}

fn write_from(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: so many readable bytes.
    let write = || unsafe { libc::write(fd, bytes.as_ptr().cast(), op_len(bytes.len()) as usize) };
    without_signal(|| again_if_interrupted(write))
}

fn write_all_of<V: IoVecBuf>(fd: RawFd, buffers: &V) -> io::Result<usize> {
    let mut iovecs = Vec::new();
    buffers.for_each_init(|piece| iovecs.push(iovec(piece.as_ptr().cast_mut(), piece.len())));
    if iovecs.iter().all(|iovec| iovec.iov_len == 0) {
        return Ok(0);
    }
    let count = iovecs.len().min(IOVECS_MAX) as i32;
    // SAFETY: each names readable memory of the buffers, which are borrowed.
    let write = || unsafe { libc::writev(fd, iovecs.as_ptr(), count) };
    without_signal(|| again_if_interrupted(write))
}

fn iovec<T>(base: *mut T, len: usize) -> libc::iovec {
    libc::iovec { iov_base: base.cast(), iov_len: len }
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

/// Makes a write whose `SIGPIPE` comes to no one. A program of Rust ignores it from its start, but
/// its main function may be that of another language.
fn without_signal(write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    if is_ignored(libc::SIGPIPE) {
        return write();
    }
    let broken_pipe = mask_of(libc::SIGPIPE);
    let (mut former, mut pending) = (broken_pipe, broken_pipe);
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: all places are locals, and all masks valid ones. The mask of the thread is put back.
    unsafe {
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const broken_pipe, &raw mut former);
        let result = write();
        let is_ours = libc::sigismember(&raw const pending, libc::SIGPIPE) == 0;
        if is_ours && matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            libc::sigtimedwait(&raw const broken_pipe, ptr::null_mut(), &raw const no_time);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const former, ptr::null_mut());
        result
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: a plain C struct of numbers and a nullable function.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place for the answer, and nothing to set.
    let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn mask_of(signal: i32) -> libc::sigset_t {
    // SAFETY: a bit set; all zero is the empty one.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid set and a valid signal.
    unsafe { libc::sigaddset(&raw mut mask, signal) };
    mask
}
