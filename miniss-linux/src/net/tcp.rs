//! What TCP has beyond a stream of bytes.

#![forbid(unsafe_code)]

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::address::ToSocketAddrs;
use super::kind::{StreamKind, sealed};
use super::listener::Listener;
use super::options::{ConnectOptions, Keepalive, ListenOptions};
use super::stream::{Stream, socket_type};

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
        Socket::new(address.domain(), socket_type(Type::STREAM), Some(Protocol::TCP))
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
    /// Connects to `address`; of several addresses, to the first that answers. For a limit of time
    /// and other settings there is [`ConnectOptions`].
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
    /// Dropping it cancels the connect and closes the socket. The lookup of a host name ends by
    /// itself.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        ConnectOptions::new().connect_untimed(address).await
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

    /// When the kernel asks a silent peer whether it is still there (`SO_KEEPALIVE`); `None`: it
    /// does not ask. Without it, a connection whose peer has lost its power or its network stays
    /// open forever while nothing is sent. If there is no answer, the connection ends with
    /// `TimedOut`.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use std::time::Duration;
    /// use miniss_linux::net::Keepalive;
    ///
    /// let keepalive = Keepalive::after(Duration::from_secs(300));
    /// stream.set_keepalive(Some(keepalive))?;
    /// assert_eq!(stream.keepalive()?, Some(keepalive));
    /// # Ok(()) });
    /// ```
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        let socket = self.connection.fd.socket()?;
        match keepalive {
            Some(keepalive) => socket.set_tcp_keepalive(&keepalive.options()),
            None => socket.set_keepalive(false),
        }
    }

    /// When the kernel asks a silent peer; `None`: it does not.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        let socket = self.connection.fd.socket()?;
        if !socket.keepalive()? {
            return Ok(None);
        }
        Ok(Some(Keepalive {
            idle: socket.tcp_keepalive_time()?,
            interval: socket.tcp_keepalive_interval()?,
            retries: socket.tcp_keepalive_retries()?,
        }))
    }

    /// How long bytes that were sent may stay without an acknowledgement (`TCP_USER_TIMEOUT`); then
    /// the connection ends with `TimedOut`. `None` is the kernel's own limit, about a quarter of an
    /// hour. It counts milliseconds. With keepalive, it replaces the number of retries.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use std::time::Duration;
    /// stream.set_user_timeout(Some(Duration::from_secs(30)))?;
    /// assert_eq!(stream.user_timeout()?, Some(Duration::from_secs(30)));
    /// # Ok(()) });
    /// ```
    pub fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        // Less than a millisecond is not none.
        let limit = limit.map(|limit| limit.clamp(USER_TIMEOUT_MIN, USER_TIMEOUT_MAX));
        self.connection.fd.socket()?.set_tcp_user_timeout(limit)
    }

    /// How long bytes that were sent may stay without an acknowledgement.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        let limit = self.connection.fd.socket()?.tcp_user_timeout()?;
        Ok(limit.filter(|limit| !limit.is_zero()))
    }

    /// From now on, closing the connection resets it: what was not sent yet is dropped, the peer's
    /// reads end with `ConnectionReset`, and nothing of it stays in `TIME_WAIT` (`SO_LINGER` of
    /// zero).
    ///
    /// There is no other linger: it would block the shard when the connection is closed. To know
    /// that the peer has taken everything, [shut down](Stream::shutdown) the sending direction and
    /// read to the end.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.set_zero_linger()?;
    /// stream.close().await?;
    /// let error = peer.recv().await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// # Ok(()) });
    /// ```
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.connection.fd.socket()?.set_linger(Some(Duration::ZERO))
    }

    /// How many routers a packet may pass: `IP_TTL`, or `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for other numbers than 1 to 255.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// stream.set_ttl(9)?;
    /// assert_eq!(stream.ttl()?, 9);
    /// # Ok(()) });
    /// ```
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        set_hops(&*self.connection.fd.socket()?, hops)
    }

    /// How many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        hops(&*self.connection.fd.socket()?)
    }
}

pub(super) fn set_hops(socket: &Socket, hops: u32) -> io::Result<()> {
    match socket.domain()? {
        Domain::IPV6 => socket.set_unicast_hops_v6(hops),
        _ => socket.set_ttl_v4(hops),
    }
}

pub(super) fn hops(socket: &Socket) -> io::Result<u32> {
    match socket.domain()? {
        Domain::IPV6 => socket.unicast_hops_v6(),
        _ => socket.ttl_v4(),
    }
}

/// The kernel counts milliseconds, and takes 0 for its own limit.
const USER_TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// It is a C `int` there.
const USER_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

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
    /// As for [`ListenOptions::bind`].
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        ListenOptions::new().bind(address).await
    }
}
