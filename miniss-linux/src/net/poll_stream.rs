//! Streams that are polled with borrowed buffers, as the rest of the ecosystem has them.
//!
//! No operation borrows a buffer beyond the call. Reads and writes are system calls that do not
//! wait; where there is nothing to read, or no room to write, an operation waits until there is. It
//! has no buffer.
//!
//! Only bytes that are to be lent (`AsyncBufRead`) are received into the pool's buffers, ahead as
//! by [`Stream::recv`]. What was received first is read first: as long as something receives ahead
//! or has, a read copies from there.
//!
//! The stream is inside, so there is no other user of the connection. The right to write is taken
//! once, when the writes that the stream had left in flight have ended, and kept.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use miniss_core::coop::Leaf;
use socket2::Socket;

use super::kind::StreamKind;
use super::read::{Ahead, Next};
use super::stream::Stream;
use crate::buf::IOVECS_MAX;
use crate::driver::Op;
use crate::driver::buffers::PoolBuf;
use crate::io_traits::{impl_async_read, impl_async_write};
use crate::op::connection::{Connection, WriteTurn};
use crate::op::recv::Watch;

/// A [`Stream`] for code that polls with borrowed buffers: with the feature `futures-io` it has
/// `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of that crate, with the feature `tokio` those of
/// tokio, with the feature `hyper` the `Read` and `Write` of that crate.
///
/// A stream becomes one and back by `from`, and nothing is lost: bytes that were received and not
/// read come first, and writes that were given up keep their turn.
///
/// Where code can own its buffers, a [`Stream`] costs less: here each read and each write is a
/// system call. There is no use for a `BufReader` around it: `AsyncBufRead` lends the buffers that
/// the kernel has received into.
///
/// A flush has nothing to do, and a close (to tokio, a shutdown) ends the sending direction.
/// Dropping it closes the connection.
///
/// # Cancellation
///
/// A poll that is pending has taken nothing and sent nothing.
///
#[cfg_attr(feature = "futures-io", doc = "```")]
#[cfg_attr(not(feature = "futures-io"), doc = "```ignore")]
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use futures::io::{AsyncBufReadExt, AsyncWriteExt};
/// use miniss_linux::net::{PollStream, TcpStream};
///
/// let mut stream = PollStream::from(stream);
/// stream.write_all(b"first\nsecond").await?;
///
/// let (mut peer, mut line) = (PollStream::from(peer), String::new());
/// peer.read_line(&mut line).await?;
/// assert_eq!(line, "first\n");
///
/// let peer = TcpStream::from(peer);
/// assert_eq!(peer.recv().await?[..], *b"second");
/// # Ok(()) });
/// ```
pub struct PollStream<K: StreamKind> {
    stream: Stream<K>,
    reading: Reading,
    writing: Writing,
}

impl<K: StreamKind> PollStream<K> {
    /// The peer's address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<K::Address> {
        self.stream.peer_addr()
    }

    /// Our own address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<K::Address> {
        self.stream.local_addr()
    }

    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.reading.poll_read_into(&self.stream.connection, cx, memory)
    }

    fn poll_lend(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.reading.poll_lend(&self.stream.connection, cx)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let send = |socket: &Socket| socket.send_with_flags(bytes, SEND);
        self.writing.poll_send(&self.stream.connection, cx, send)
    }

    fn poll_send_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pieces = &pieces[..pieces.len().min(IOVECS_MAX)];
        let send = |socket: &Socket| socket.send_vectored_with_flags(pieces, SEND);
        self.writing.poll_send(&self.stream.connection, cx, send)
    }

    fn poll_sent(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.poll_shut_down(&self.stream.connection, cx)
    }

    fn advance(&mut self, len: usize) {
        self.reading.advance(len);
    }
}

/// Nothing in it is pinned but what is in boxes.
impl<K: StreamKind> Unpin for PollStream<K> {}

/// Neither waits, nor raises a signal if the peer is gone.
const SEND: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

impl<K: StreamKind> From<Stream<K>> for PollStream<K> {
    fn from(stream: Stream<K>) -> Self {
        Self { stream, reading: Reading::new(), writing: Writing::default() }
    }
}

impl<K: StreamKind> From<PollStream<K>> for Stream<K> {
    fn from(polled: PollStream<K>) -> Self {
        let PollStream { stream, reading, .. } = polled;
        // A receive that has not ended brings its bytes there by itself.
        drop(reading.alone);
        stream.connection.side.end();
        stream.connection.side.put_back(reading.bytes);
        stream
    }
}

/// As that of a [`Stream`].
impl<K: StreamKind> AsFd for PollStream<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl<K: StreamKind> fmt::Debug for PollStream<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PollStream").field(&self.stream).finish()
    }
}

/// What lies between two polls of the reader.
struct Reading {
    leaf: Leaf,
    /// Received and not taken.
    bytes: PoolBuf,
    is_ended: bool,
    /// A receive into memory of its own, where there is no buffer of the pool.
    alone: Option<Pin<Box<dyn Future<Output = io::Result<PoolBuf>>>>>,
    /// The last call found less than it had room for.
    is_drained: bool,
    /// A wait for something to read.
    readable: Option<Op<Watch>>,
}

impl Reading {
    fn new() -> Self {
        Self {
            leaf: Leaf::new(),
            bytes: PoolBuf::empty(),
            is_ended: false,
            alone: None,
            is_drained: false,
            readable: None,
        }
    }

    /// Reads into `memory`, as many bytes from its beginning as it says; it stores nothing else.
    fn poll_read_into(
        &mut self,
        connection: &Rc<Connection>,
        cx: &mut Context<'_>,
        memory: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if memory.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.leaf.poll_proceed(cx));
        if !ready!(self.poll_received(connection, Ahead::No, cx))? {
            return self.poll_call(connection, cx, memory);
        }
        let len = self.bytes.len().min(memory.len());
        memory[..len].write_copy_of_slice(&self.bytes[..len]);
        self.advance(len);
        Poll::Ready(Ok(len))
    }

    /// The bytes that are next; none at the end of the stream.
    fn poll_lend(
        &mut self,
        connection: &Rc<Connection>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<&[u8]>> {
        ready!(self.leaf.poll_proceed(cx));
        ready!(self.poll_received(connection, Ahead::Yes, cx))?;
        Poll::Ready(Ok(&self.bytes))
    }

    /// Whether there are bytes that were received, or the end; `false` only if none are to be
    /// received ahead.
    fn poll_received(
        &mut self,
        connection: &Rc<Connection>,
        ahead: Ahead,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        if !self.bytes.is_empty() || self.is_ended {
            return Poll::Ready(Ok(true));
        }
        // As long as it waits it counts as one that reads, and may hold more buffers.
        if !connection.side.is_read() {
            connection.side.begin()?;
        }
        let received = ready!(self.poll_receive(connection, ahead, cx));
        connection.side.end();
        let Some(bytes) = received? else { return Poll::Ready(Ok(false)) };
        self.is_ended = bytes.is_empty();
        self.bytes = bytes;
        Poll::Ready(Ok(true))
    }

    fn poll_receive(
        &mut self,
        connection: &Rc<Connection>,
        ahead: Ahead,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<PoolBuf>>> {
        let mut alone = match self.alone.take() {
            Some(alone) => alone,
            None => match ready!(connection.poll_next(ahead, cx)) {
                Next::Bytes(received) => {
                    drop(connection.take_fds());
                    return Poll::Ready(received.map(Some));
                }
                Next::Nothing | Next::NoBuffer if ahead == Ahead::No => {
                    return Poll::Ready(Ok(None));
                }
                other => alone_after(other, connection.clone()),
            },
        };
        let polled = alone.as_mut().poll(cx);
        if polled.is_pending() {
            self.alone = Some(alone);
        }
        polled.map_ok(Some)
    }

    /// Reads by a system call.
    fn poll_call(
        &mut self,
        connection: &Rc<Connection>,
        cx: &mut Context<'_>,
        memory: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.is_drained {
                let watch = || Watch::start(connection, libc::POLLIN);
                let result = ready!(Pin::new(self.readable.get_or_insert_with(watch)).poll(cx));
                self.readable = None;
                self.is_drained = false;
                result?;
            }
            match connection.fd.socket()?.recv_with_flags(memory, libc::MSG_DONTWAIT) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_drained = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(len) => {
                    self.is_ended = len == 0;
                    self.is_drained = len < memory.len();
                    return Poll::Ready(Ok(len));
                }
                error => return Poll::Ready(error),
            }
        }
    }

    fn advance(&mut self, len: usize) {
        self.bytes.advance(len);
        if self.bytes.is_empty() {
            // The buffer goes back to the pool.
            self.bytes = PoolBuf::empty();
        }
    }
}

#[cold]
fn alone_after(
    next: Next,
    connection: Rc<Connection>,
) -> Pin<Box<dyn Future<Output = io::Result<PoolBuf>>>> {
    Box::pin(async move {
        match next {
            Next::Bytes(received) => received,
            Next::NoBuffer => connection.recv_to_heap().await,
            Next::Nothing => connection.recv_without_pool().await,
        }
    })
}

/// What lies between two polls of the writer.
#[derive(Default)]
struct Writing {
    leaf: Leaf,
    turn: Option<WriteTurn>,
    /// A write that was given up has not ended.
    waiting: Option<Pin<Box<dyn Future<Output = WriteTurn>>>>,
    /// The socket took nothing more.
    writable: Option<Op<Watch>>,
}

impl Writing {
    fn poll_send(
        &mut self,
        connection: &Rc<Connection>,
        cx: &mut Context<'_>,
        send: impl Fn(&Socket) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.leaf.poll_proceed(cx));
        ready!(self.poll_turn(connection, cx));
        loop {
            if let Some(writable) = &mut self.writable {
                let result = ready!(Pin::new(writable).poll(cx));
                self.writable = None;
                result?;
            }
            match send(&*connection.fd.socket()?) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.writable = Some(Watch::start(connection, libc::POLLOUT));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_shut_down(
        &mut self,
        connection: &Rc<Connection>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.leaf.poll_proceed(cx));
        ready!(self.poll_turn(connection, cx));
        // No event tells of the end of a Unix socket that has no room.
        self.writable = None;
        match connection.fd.socket()?.shutdown(Shutdown::Write) {
            // A peer that is gone needs no end.
            Err(error) if error.kind() == ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }

    fn poll_turn(&mut self, connection: &Rc<Connection>, cx: &mut Context<'_>) -> Poll<()> {
        if self.turn.is_none() {
            if self.waiting.is_none() {
                self.turn = connection.try_turn_to_write();
            }
            if self.turn.is_none() {
                self.turn = Some(ready!(self.poll_wait(connection, cx)));
            }
        }
        Poll::Ready(())
    }

    #[cold]
    fn poll_wait(&mut self, connection: &Rc<Connection>, cx: &mut Context<'_>) -> Poll<WriteTurn> {
        let wait = self.waiting.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.turn_to_write().await })
        });
        let turn = ready!(wait.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(turn)
    }
}

impl_async_read!([K: StreamKind] PollStream<K>);
impl_async_write!([K: StreamKind] PollStream<K>);
