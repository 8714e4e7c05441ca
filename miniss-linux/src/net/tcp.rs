//! What TCP has beyond a stream of bytes.

#![forbid(unsafe_code)]

use std::io;
use std::net::{self, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use miniss_core::coop::consume_budget;
use socket2::{Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::kind::{StreamKind, sealed};
use super::listener::{ListenOptions, Listener};
use super::stream::Stream;

/// TCP, as the kind of a [`Stream`].
///
/// ```
/// use miniss_linux::net::{Stream, Tcp, TcpStream};
/// let same: fn(TcpStream) -> Stream<Tcp> = |stream| stream;
/// ```
#[derive(Debug)]
pub enum Tcp {}

impl sealed::Sealed for Tcp {}

impl StreamKind for Tcp {
    type Address = SocketAddr;
    type Std = net::TcpStream;
    type StdListener = net::TcpListener;

    const STREAM_NAME: &'static str = "TcpStream";
    const LISTENER_NAME: &'static str = "TcpListener";

    fn socket(address: &SockAddr) -> io::Result<Socket> {
        Socket::new(address.domain(), Type::STREAM.cloexec(), Some(Protocol::TCP))
    }

    fn address(address: SockAddr) -> io::Result<SocketAddr> {
        address.as_socket().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the socket has no internet address")
        })
    }
}

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
pub type TcpStream = Stream<Tcp>;

/// A listening TCP socket, which belongs to the shard that made it.
pub type TcpListener = Listener<Tcp>;

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
            match Self::connect_to(address.into()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "connect: the name has no address")
        }))
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
    /// [`as_fd`](std::os::fd::AsFd::as_fd) and the crate `socket2`.
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
}

impl TcpListener {
    /// Binds to `address` and listens, with the address for itself.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        ListenOptions::new().bind(address).await
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
