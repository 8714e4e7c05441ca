//! Ends of pipes that are polled with borrowed buffers, as the rest of the ecosystem has them.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use miniss_core::coop::Leaf;

use super::{PipeReader, PipeWriter};
use crate::driver::buffers::PoolBuf;
use crate::io_traits::{impl_async_read, impl_async_write};
use crate::op::poll::{Wait, piece, read_into_new, write_from};

/// A [`PipeReader`] for code that polls with borrowed buffers: with the feature `futures-io` it has
/// `AsyncRead` and `AsyncBufRead` of that crate, with the feature `tokio` those of tokio.
///
/// # Cancellation
///
/// A poll that is pending has taken nothing.
///
#[cfg_attr(feature = "futures-io", doc = "```")]
#[cfg_attr(not(feature = "futures-io"), doc = "```ignore")]
/// # use miniss_linux::Runtime;
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use futures::{AsyncBufReadExt, TryStreamExt};
/// use miniss_linux::pipe::PollReader;
/// use miniss_linux::process::{Command, Stdio};
///
/// let mut child = Command::new("seq").arg("3").stdout(Stdio::piped()).spawn().await?;
/// let output = child.stdout.take().expect("it is piped");
/// let lines: Vec<_> = PollReader::from(output).lines().try_collect().await?;
/// assert_eq!(lines, ["1", "2", "3"]);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub struct PollReader {
    reader: PipeReader,
    leaf: Leaf,
    wait: Wait,
    /// Read to be lent, and not taken.
    bytes: PoolBuf,
}

impl From<PipeReader> for PollReader {
    fn from(reader: PipeReader) -> Self {
        let (leaf, wait, bytes) = (Leaf::new(), Wait::default(), PoolBuf::empty());
        Self { reader, leaf, wait, bytes }
    }
}

impl PollReader {
    /// Reads into `memory`, as many bytes from its beginning as it says; it stores nothing else.
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if memory.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.leaf.poll_proceed(cx));
        if self.bytes.is_empty() {
            let room = piece(memory.as_mut_ptr(), memory.len());
            return self.reader.end.poll_done(&mut self.wait, cx, &mut |fill| fill(&[room]));
        }
        let len = self.bytes.len().min(memory.len());
        memory[..len].write_copy_of_slice(&self.bytes[..len]);
        self.advance(len);
        Poll::Ready(Ok(len))
    }

    fn poll_lend(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.leaf.poll_proceed(cx));
        if self.bytes.is_empty() {
            let (end, mut bytes) = (&self.reader.end, Vec::new());
            let room = end.fd.driver().recv_buffer_bytes();
            let wait = &mut self.wait;
            ready!(end.poll_done(wait, cx, &mut |fill| read_into_new(&mut bytes, room, fill)))?;
            self.bytes = PoolBuf::from_heap(bytes.into_boxed_slice());
        }
        Poll::Ready(Ok(&self.bytes))
    }

    fn advance(&mut self, len: usize) {
        self.bytes.advance(len);
    }
}

/// A [`PipeWriter`] for code that polls with borrowed buffers: with the feature `futures-io` it has
/// `AsyncWrite` of that crate, with the feature `tokio` that of tokio. A close (to tokio, a
/// shutdown) closes the pipe.
///
/// Bytes for a pipe are there when a write has returned, and a flush has nothing to do. What is
/// written to a file, a terminal or a FIFO that is [shared](PipeWriter::from_shared) is on its way
/// then, and a flush waits until it is there.
///
/// # Cancellation
///
/// A poll that is pending has written nothing.
///
#[cfg_attr(feature = "futures-io", doc = "```")]
#[cfg_attr(not(feature = "futures-io"), doc = "```ignore")]
/// # use miniss_linux::Runtime;
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use futures::AsyncWriteExt;
/// use miniss_linux::pipe::{PollWriter, pipe};
///
/// let (reader, writer) = pipe()?;
/// let mut writer = PollWriter::from(writer);
/// writer.write_all(b"hello").await?;
/// writer.close().await?;
/// assert_eq!(reader.recv().await?[..], *b"hello");
/// assert!(reader.recv().await?.is_empty());
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub struct PollWriter {
    /// `None` once it is closed.
    writer: Option<PipeWriter>,
    leaf: Leaf,
    wait: Wait,
    /// On its way.
    behind: Vec<u8>,
}

/// How much is on its way at most.
const BEHIND_BYTES_MAX: usize = 64 << 10;

impl From<PipeWriter> for PollWriter {
    fn from(writer: PipeWriter) -> Self {
        let (leaf, wait, behind) = (Leaf::new(), Wait::default(), Vec::new());
        Self { writer: Some(writer), leaf, wait, behind }
    }
}

impl PollWriter {
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.leaf.poll_proceed(cx));
        ready!(self.poll_sent(cx))?;
        let Some(PipeWriter { end, .. }) = &self.writer else { return Poll::Ready(Err(closed())) };
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // An operation has memory of its own: what it writes is taken before it begins.
        let sent = end.poll_done(&mut self.wait, cx, &mut |drain| match end.may_block() {
            true => Err(ErrorKind::Unsupported.into()),
            false => write_from(bytes, drain),
        });
        match ready!(sent) {
            Err(error) if error.kind() == ErrorKind::Unsupported && end.may_block() => {}
            result => return Poll::Ready(result),
        }
        let len = bytes.len().min(BEHIND_BYTES_MAX);
        self.behind.extend_from_slice(&bytes[..len]);
        // It begins. An error is for the next call.
        let _ = self.poll_sent(cx);
        Poll::Ready(Ok(len))
    }

    fn poll_send_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = pieces.iter().find(|piece| !piece.is_empty());
        self.poll_send(cx, first.map_or(&[], |piece| piece))
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(PipeWriter { end, .. }) = &self.writer else { return Poll::Ready(Ok(())) };
        while !self.behind.is_empty() {
            let (wait, bytes) = (&mut self.wait, &mut self.behind);
            let len = ready!(end.poll_done(wait, cx, &mut |drain| write_from(bytes, drain)))?;
            bytes.drain(..len);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        self.wait = Wait::default();
        self.writer = None;
        Poll::Ready(Ok(()))
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the pipe was closed")
}

impl fmt::Debug for PollReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PollReader").field(&self.reader).finish()
    }
}

impl fmt::Debug for PollWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PollWriter").field(&self.writer).finish()
    }
}

impl_async_read!([] PollReader);
impl_async_write!([] PollWriter);
