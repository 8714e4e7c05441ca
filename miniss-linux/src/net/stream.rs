//! A TCP connection.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use miniss_core::coop::consume_budget;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::split::{OwnedReadHalf, OwnedWriteHalf};
use crate::driver::Driver;
use crate::op::connect::Connect;
use crate::op::connection::Connection;
use crate::runtime::with_current;

/// A TCP connection, which belongs to the shard that made it.
///
/// One task may read and others write at the same time, all by `&self`. Two reads at a time are an
/// error; writes take turns, in the order in which they were started.
///
/// Dropping it closes the connection as soon as nothing is in flight on it, and what is in flight
/// is cancelled then, unless a half of it lives. Use [`shutdown`](Self::shutdown) to end the
/// sending direction in order.
///
/// ```
/// use miniss_linux::{Runtime, net::{TcpListener, TcpStream}, spawn};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let client = spawn(async move {
///         let stream = TcpStream::connect(address).await?;
///         let (result, _) = stream.write_all("hello").await;
///         result
///     });
///     let (stream, _) = listener.accept().await?;
///     let (result, buffer) = stream.read_exact(vec![0; 5]).await;
///     result?;
///     assert_eq!(buffer, b"hello");
///     client.await.unwrap()
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    pub(crate) connection: Rc<Connection>,
}

impl TcpStream {
    /// Connects to `address`; of several addresses, to the first that answers.
    ///
    /// A host name is looked up with the system's resolver, which blocks the shard; pass a
    /// [`SocketAddr`] where that matters.
    ///
    /// # Errors
    ///
    /// What the system says, of the last address tried.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the connect and closes the socket.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        consume_budget().await;
        let mut last = None;
        for address in address.to_socket_addrs()? {
            match Self::connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "connect: the name has no address")
        }))
    }

    async fn connect_to(address: SocketAddr) -> io::Result<Self> {
        let kind = Type::STREAM.cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        let stream = Self::from_fd(socket.into(), with_current(|shard| shard.driver.clone()));
        let connection = stream.connection.clone();
        stream.connection.start(Connect { connection, address: SockAddr::from(address) }).await?;
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
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        // The ring waits by itself; a non-blocking descriptor would make it answer EAGAIN instead.
        stream.set_nonblocking(false)?;
        Ok(Self::from_fd(stream.into(), with_current(|shard| shard.driver.clone())))
    }

    pub(crate) fn from_fd(fd: OwnedFd, driver: Rc<Driver>) -> Self {
        Self { connection: Connection::new(fd, driver) }
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
        socket.shutdown(how)
    }

    /// Closes the connection now, for all tasks that share it: what is in progress on it ends with
    /// `ECANCELED`, and what they do afterwards with `EBADF`. Bytes that were received
    /// and not read are dropped.
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
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket_address(self.connection.fd.socket()?.peer_addr()?)
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
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket_address(self.connection.fd.socket()?.local_addr()?)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`) and not gathered for a while.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.set_nodelay(true)?;
    /// assert!(stream.nodelay()?);
    /// # Ok(()) });
    /// ```
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.connection.fd.socket()?.set_tcp_nodelay(on)
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.connection.fd.socket()?.tcp_nodelay()
    }

    /// After how long a silence the kernel asks the peer whether it is still there
    /// (`SO_KEEPALIVE`); `None`: it does not ask. Without it, a connection whose peer has lost its
    /// power or its network stays open forever while nothing is sent.
    ///
    /// It asks three times, a third of `idle` apart. If there is no answer, the connection ends
    /// with `TimedOut`, at twice `idle`. The kernel counts whole seconds, of which `idle` has one
    /// at least and 32,767 at most. For other numbers set the options yourself, by
    /// [`as_fd`](Self::as_fd) and the crate `socket2`.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use std::time::Duration;
    /// stream.set_keepalive(Some(Duration::from_secs(300)))?;
    /// assert_eq!(stream.keepalive()?, Some(Duration::from_secs(300)));
    /// # Ok(()) });
    /// ```
    pub fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        let socket = self.connection.fd.socket()?;
        let Some(idle) = idle else { return socket.set_keepalive(false) };
        let seconds = whole_seconds(idle).clamp(1, KEEPALIVE_SECONDS_MAX);
        let every = Duration::from_secs((seconds / KEEPALIVE_PROBES).max(1));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds))
            .with_interval(every)
            .with_retries(KEEPALIVE_PROBES as u32);
        socket.set_tcp_keepalive(&keepalive)
    }

    /// After how long a silence the kernel asks the peer; `None`: it does not.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn keepalive(&self) -> io::Result<Option<Duration>> {
        let socket = self.connection.fd.socket()?;
        if socket.keepalive()? { socket.tcp_keepalive_time().map(Some) } else { Ok(None) }
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
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        super::split::split(self)
    }
}

impl Drop for TcpStream {
    /// The receive in flight is cancelled, and so lets go of its share.
    fn drop(&mut self) {
        self.connection.stop_reading();
    }
}

/// For options that have no method here: pass it to `socket2::SockRef::from`, for instance.
///
/// Leave the socket blocking, since the ring waits by itself, and read and write through the stream
/// alone: it may have received ahead. The descriptor stays open as long as the stream; after a
/// [`close`](TcpStream::close) every call on it answers `EBADF`.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use std::os::fd::AsFd;
/// let copy = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
/// copy.set_ttl(9)?;
/// assert_eq!(copy.peer_addr()?, stream.peer_addr()?);
/// # Ok(()) });
/// ```
impl AsFd for TcpStream {
    /// # Panics
    ///
    /// If the stream was closed and the process has no descriptor left.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.fd.lend()
    }
}

/// As many times the kernel asks a silent peer.
const KEEPALIVE_PROBES: u64 = 3;
/// The kernel's `MAX_TCP_KEEPIDLE`, which is that of the interval, too.
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;

/// Rounded up: the kernel counts no parts of a second.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// The address as the standard library has it.
pub(super) fn socket_address(address: SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the socket has no internet address")
    })
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TcpStream");
        if let Ok(address) = self.peer_addr() {
            out.field("peer", &address);
        }
        out.finish_non_exhaustive()
    }
}
