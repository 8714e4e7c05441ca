//! A connection, of any kind.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use miniss_core::coop::consume_budget;
use socket2::{SockAddr, SockRef, Socket, Type};

use super::kind::StreamKind;
use super::options::buffer_size;
use super::split::{OwnedReadHalf, OwnedWriteHalf};
use crate::driver::ShardDriver;
use crate::op::connect::Connect;
use crate::op::connection::Connection;
use crate::op::recv::Watch;
use crate::runtime::with_current;

/// A connection that carries a stream of bytes: the one implementation of
/// [`TcpStream`](super::TcpStream), which says how it behaves, and of each other
/// [kind](StreamKind).
///
/// ```
/// use miniss_linux::net::{Stream, StreamKind};
///
/// /// Answers one message, over whatever kind of socket it came.
/// async fn answer<K: StreamKind>(stream: &Stream<K>) -> std::io::Result<()> {
///     let received = stream.recv().await?;
///     stream.write_all(received).await.0
/// }
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// # stream.write_all("ping").await.0?;
/// # answer(&peer).await?;
/// # assert_eq!(stream.recv().await?[..], *b"ping");
/// # Ok(()) });
/// ```
pub struct Stream<K: StreamKind> {
    pub(crate) connection: Rc<Connection>,
    kind: PhantomData<K>,
}

impl<K: StreamKind> Stream<K> {
    /// Connects a fresh socket.
    pub(super) async fn connect_socket(socket: Socket, address: SockAddr) -> io::Result<Self> {
        let stream = Self::from_fd(socket.into(), current_driver());
        let connection = stream.connection.clone();
        stream.connection.start(Connect { connection, address }).await?;
        Ok(stream)
    }

    /// Takes over a connection of the standard library's, on this shard.
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
    /// # use miniss_linux::{Runtime, net::TcpStream};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// runtime.block_on(async { TcpStream::from_std(stream)?.peer_addr() })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(stream: K::Std) -> io::Result<Self> {
        let driver = current_driver();
        SockRef::from(&stream).set_nonblocking(driver.is_nonblocking())?;
        Ok(Self::from_fd(stream.into(), driver))
    }

    pub(crate) fn from_fd(fd: OwnedFd, driver: Rc<ShardDriver>) -> Self {
        Self { connection: Connection::new(fd, driver), kind: PhantomData }
    }

    /// Ends one direction or both, now: after the sending one, the peer reads the end of the
    /// stream, and a write that is still in progress ends with `BrokenPipe`.
    ///
    /// # Errors
    ///
    /// What the system says; `NotConnected` if the peer has reset the connection.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.shutdown(std::net::Shutdown::Write).await?;
    /// assert!(peer.recv().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        consume_budget().await;
        let socket = self.connection.fd.socket()?;
        // What was begun before goes first.
        self.connection.fd.driver().submit();
        socket.shutdown(how)?;
        self.connection.fd.driver().shut_down(socket.as_raw_fd());
        Ok(())
    }

    /// Closes the connection now, for all tasks that share it: what is in progress on it ends with
    /// `ECANCELED`, and what they do afterwards with `EBADF`. Bytes that were received and not read
    /// are dropped. The peer is told by a reset if the kernel had some of them, and else reads the
    /// end.
    ///
    /// Another descriptor of the socket (`try_clone` of the standard library) stays open; then the
    /// peer does not see an end, either.
    ///
    /// # Errors
    ///
    /// What `close(2)` says.
    ///
    /// # Cancellation
    ///
    /// Dropping it does not stop it: the connection is closed all the same.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.close().await?;
    /// assert!(stream.write_all("too late").await.0.is_err());
    /// # Ok(()) });
    /// ```
    pub async fn close(&self) -> io::Result<()> {
        self.connection.close().await
    }

    /// Waits until the peer will send no more: it has closed the connection or has shut down its
    /// sending direction, or the connection has failed. What it sent before can still be read, and
    /// this takes nothing of it. So a task that works for the peer can wait for this beside its
    /// work, and give up the work when no one wants it any more.
    ///
    /// A peer that shuts down its sending direction may still wait for an answer: where the
    /// protocol allows that, this says too little. A peer that has lost its power is noticed when
    /// keepalive notices it.
    ///
    /// # Errors
    ///
    /// What the system says; what the connection failed with, a read tells.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use miniss_linux::combine::{Raced, when_any};
    /// use std::{future::pending, pin::pin};
    ///
    /// peer.write_all("how many stars are there?").await.0?;
    /// peer.close().await?;
    /// let count = pending::<u64>(); // this takes long
    /// let peer = pin!(stream.peer_closed());
    /// let (count, gone) = when_any((count, peer)).await;
    /// assert!(count.output().is_none() && gone.output().is_some());
    /// assert_eq!(stream.recv().await?[..], *b"how many stars are there?");
    /// # Ok(()) });
    /// ```
    pub async fn peer_closed(&self) -> io::Result<()> {
        consume_budget().await;
        self.connection.fd.check_open()?;
        Watch::start(&self.connection, libc::POLLRDHUP).await
    }

    /// Ends the sending direction without waiting for it.
    pub(super) fn shut_down_now(&self) {
        if let Ok(socket) = self.connection.fd.socket() {
            // A peer that is gone already needs no end.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<K::Address> {
        K::address(self.connection.fd.socket()?.peer_addr()?)
    }

    /// Our own address.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// assert_eq!(stream.local_addr()?, peer.peer_addr()?);
    /// # Ok(()) });
    /// ```
    pub fn local_addr(&self) -> io::Result<K::Address> {
        K::address(self.connection.fd.socket()?.local_addr()?)
    }

    /// The kernel's send buffer, in bytes (`SO_SNDBUF`): a write waits when it is full. The kernel
    /// takes no more than the sysctl `net.core.wmem_max`, and stops to choose the size by itself.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.set_send_buffer_size(16 << 10)?;
    /// assert!(stream.send_buffer_size()? >= 16 << 10);
    /// # Ok(()) });
    /// ```
    pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.connection.fd.socket()?.set_send_buffer_size(buffer_size(bytes))
    }

    /// The kernel's send buffer, in bytes: twice what was asked for, as it counts its own use, too.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.connection.fd.socket()?.send_buffer_size()
    }

    /// The kernel's receive buffer, in bytes (`SO_RCVBUF`): when it is full, the peer has to wait.
    /// The kernel takes no more than the sysctl `net.core.rmem_max`, and stops to choose the size
    /// by itself.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.set_recv_buffer_size(16 << 10)?;
    /// assert!(stream.recv_buffer_size()? >= 16 << 10);
    /// # Ok(()) });
    /// ```
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.connection.fd.socket()?.set_recv_buffer_size(buffer_size(bytes))
    }

    /// The kernel's receive buffer, in bytes: twice what was asked for, as it counts its own use,
    /// too.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.connection.fd.socket()?.recv_buffer_size()
    }

    /// Splits it into a half that reads and a half that writes, for tasks of their own on this
    /// shard.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # use miniss_linux::spawn;
    /// let (reader, writer) = stream.into_split();
    /// spawn(async move { writer.write_all("ping").await.0 }).detach();
    /// # peer.write_all("pong").await.0?;
    /// assert_eq!(reader.recv().await?[..], *b"pong");
    /// # Ok(()) });
    /// ```
    ///
    /// To read lines from a half, see [the module](crate::net#lines-while-another-task-writes).
    pub fn into_split(self) -> (OwnedReadHalf<K>, OwnedWriteHalf<K>) {
        super::split::split(self)
    }
}

impl<K: StreamKind> Drop for Stream<K> {
    /// The receive in flight is cancelled, and so lets go of its share.
    fn drop(&mut self) {
        self.connection.stop_reading();
    }
}

/// For options that have no method here: pass it to `socket2::SockRef::from`, for instance.
///
/// Leave the socket blocking or not, as the driver has it, and read and write through the stream
/// alone: it may have received ahead. The descriptor stays open as long as the stream; after a
/// [`close`](Stream::close) every call on it answers `EBADF`.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use std::os::fd::AsFd;
/// let copy = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
/// copy.set_ttl(9)?;
/// assert_eq!(copy.peer_addr()?, stream.peer_addr()?);
/// # Ok(()) });
/// ```
impl<K: StreamKind> AsFd for Stream<K> {
    /// # Panics
    ///
    /// If the stream was closed and the process has no descriptor left.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.fd.lend()
    }
}

/// The driver of the shard that this runs on.
///
/// # Panics
/// Outside of a runtime.
pub(super) fn current_driver() -> Rc<ShardDriver> {
    with_current(|shard| shard.driver.clone())
}

/// The type of a new socket, as the driver of this shard wants it.
pub(super) fn socket_type(kind: Type) -> Type {
    let kind = kind.cloexec();
    if current_driver().is_nonblocking() { kind.nonblocking() } else { kind }
}

impl<K: StreamKind> fmt::Debug for Stream<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(K::STREAM_NAME);
        if let Ok(address) = self.peer_addr() {
            out.field("peer", &address);
        }
        out.finish_non_exhaustive()
    }
}
