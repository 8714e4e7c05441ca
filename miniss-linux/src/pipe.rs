//! Pipes: bytes from one process to another, or within one, in one direction; and what the program
//! was started with, [`stdin`], [`stdout`] and [`stderr`].
//!
//! A pipe is read and written by system calls that do not wait; where there is nothing to read, or
//! no room to write, an operation waits until there is. It has no buffer and takes nothing. So a
//! read that is dropped has taken nothing, and a write that is dropped knows what went out, on
//! either driver.
//!
//! What is in a pipe goes on into a stream or another pipe without a copy, by
//! [`splice_to_stream`](PipeReader::splice_to_stream) and
//! [`splice_to_pipe`](PipeReader::splice_to_pipe).
//!
//! For code that polls with borrowed buffers, with the traits of `futures-io` or of tokio, an end
//! becomes a `PollReader` or a `PollWriter` by `from`, with the features of those names.

#[cfg(any(feature = "futures-io", feature = "tokio"))]
mod poll_stream;
mod splice;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use miniss_core::coop::{consume_budget, cooperative};
use miniss_core::sync::{Semaphore, Units};

use crate::buf::{BufResult, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut};
use crate::driver::buffers::PoolBuf;
use crate::guard::{Defer, defer};
use crate::op::poll::{
    End, Transfer, read_into, read_into_all, read_into_new, write_all_of, write_from,
};
use crate::op::steps;

#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub use poll_stream::{PollReader, PollWriter};

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
    let writer = PipeWriter::new(End::new(writer, libc::POLLOUT));
    Ok((PipeReader::new(End::new(reader, libc::POLLIN)), writer))
}

/// What the program reads, whatever that is: a terminal, a pipe, a file, a socket. It is used as
/// one end of a pipe, and left as it is for those who share it, such as the shell that has started
/// the program: nothing is read ahead, and nothing is set.
///
/// Use one of these for all reads: a read of a terminal, a file or a FIFO that is dropped may have
/// begun, and then it leaves its bytes to the next one of the same reader. Bytes that
/// [`std::io::stdin`] has read ahead come only from there.
///
/// What there is to read of a terminal or a FIFO may be read by a thread of the pool. If another
/// program takes it first, that thread waits for more, and so does the end of the runtime, for as
/// long as [its timeout](crate::Builder::shutdown_timeout) says.
///
/// # Errors
///
/// What the system says: `EBADF` if it is closed.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```no_run
/// use miniss_linux::pipe::{stdin, stdout};
///
/// miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
///     let (input, output) = (stdin()?, stdout()?);
///     loop {
///         let bytes = input.recv().await?;
///         if bytes.is_empty() {
///             return Ok::<(), std::io::Error>(());
///         }
///         output.write_all(bytes).await.0?;
///     }
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stdin() -> io::Result<PipeReader> {
    PipeReader::from_shared(io::stdin().as_fd().try_clone_to_owned()?)
}

/// Where the program writes, whatever that is; like [`stdin`] otherwise. There is no buffer, so
/// nothing is to be flushed. What `print!` has kept back goes out when std thinks fit.
///
/// # Errors
///
/// As for [`stdin`].
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
/// miniss_linux::pipe::stdout()?.write_all("done\n").await.0?;
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub fn stdout() -> io::Result<PipeWriter> {
    PipeWriter::from_shared(io::stdout().as_fd().try_clone_to_owned()?)
}

/// Where the program complains; like [`stdout`] otherwise.
///
/// # Errors
///
/// As for [`stdin`].
///
/// # Panics
///
/// Outside of a runtime.
pub fn stderr() -> io::Result<PipeWriter> {
    PipeWriter::from_shared(io::stderr().as_fd().try_clone_to_owned()?)
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
}

impl PipeReader {
    fn new(end: End) -> Self {
        Self { end, is_read: Cell::new(false) }
    }

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
        Ok(Self::new(End::from_blocking(fd, libc::POLLIN)?))
    }

    /// What can be read and has a descriptor, whatever it is, used as the end of a pipe. It is left
    /// as it is for others who have the same file, terminal or socket open by descriptors of this
    /// one; see [`stdin`]. A file is read from the cursor on that they share.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use miniss_linux::pipe::PipeReader;
    ///
    /// let zeroes = PipeReader::from_shared(std::fs::File::open("/dev/zero")?.into())?;
    /// assert_eq!(zeroes.read_exact([1; 64]).await.1, [0; 64]);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn from_shared(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(End::from_shared(fd, libc::POLLIN)?))
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
        let result = self.read_by(|fill| read_into(&mut buffer, fill)).await;
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
    pub fn read_exact<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<(), B>> {
        steps::read_exact(buffer, |rest, _| self.read(rest))
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
        let result = self.read_by(|fill| read_into_all(&mut buffers, fill)).await;
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
        self.read_by(|fill| read_into_new(&mut bytes, room, fill)).await?;
        Ok(PoolBuf::from_heap(bytes.into_boxed_slice()))
    }

    async fn read_by(
        &self,
        read: impl FnMut(&mut Transfer<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        cooperative(async {
            let _reading = self.turn_to_read()?;
            self.end.until_done(read).await
        })
        .await
    }

    fn turn_to_read(&self) -> io::Result<Defer<impl FnMut()>> {
        if self.is_read.replace(true) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another read of this pipe is in progress; one task reads at a time",
            ));
        }
        Ok(defer(|| self.is_read.set(false)))
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
        Self { end, writing: Semaphore::new(1) }
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
        Ok(Self::new(End::from_blocking(fd, libc::POLLOUT)?))
    }

    /// What can be written to and has a descriptor, whatever it is, used as the end of a pipe; like
    /// [`PipeReader::from_shared`] otherwise.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn from_shared(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(End::from_shared(fd, libc::POLLOUT)?))
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
    /// A write that is dropped has written nothing, unless it had begun to write to a file, a
    /// terminal or a FIFO that is [shared](Self::from_shared): that goes on, and counts as that of
    /// [`write_all`](Self::write_all).
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
            self.end.until_done(|drain| write_all_of(&buffers, drain)).await
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
        self.end.settled().await;
        self.end.cancelled_bytes.take()
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
        self.end.until_done(|drain| write_from(bytes, drain)).await
    }

    async fn write_pieces(&self, pieces: &[&[u8]]) -> io::Result<()> {
        let done = Cell::new(0);
        let cancelled = &self.end.cancelled_bytes;
        let given_up = defer(|| cancelled.set(cancelled.get() + done.get()));
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
