//! Settings that a socket has before it connects or listens.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::time::Duration;

use miniss_core::coop::consume_budget;
use socket2::{Socket, TcpKeepalive, Type};

use super::address::{ToSocketAddrs, first_that_works, lookup_host};
use super::kind::StreamKind;
use super::listener::{AHEAD_MAX, Listener};
use super::stream::{Stream, current_driver};
use super::tcp::{Tcp, TcpListener, TcpStream};
use super::unix::UnixListener;
use crate::time::timeout;

/// Settings for a listening socket.
///
/// ```
/// use miniss_linux::{Runtime, net::ListenOptions};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let addresses = runtime.run(|| async {
///     let listener = ListenOptions::new().reuse_port(true).bind("127.0.0.1:0").await.unwrap();
///     listener.local_addr().unwrap()
/// });
/// assert_eq!(addresses.len(), 2);
/// ```
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `bind`"]
pub struct ListenOptions {
    backlog: i32,
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
    buffers: Buffers,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 1024,
            reuse_address: true,
            reuse_port: false,
            only_v6: None,
            buffers: Buffers::default(),
        }
    }
}

impl ListenOptions {
    /// A backlog of 1024; the address for this socket alone, also if connections of a former one
    /// are still in `TIME_WAIT`.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections may wait to be accepted. The kernel caps it at `net.core.somaxconn`,
    /// and lets one more wait than asked. From 512 on connections are accepted ahead, many at a
    /// time, and in a burst up to twice as many may wait.
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self
    }

    /// Whether other sockets may listen on the same port number (`SO_REUSEPORT`). If every shard
    /// binds one, the kernel spreads connections over the shards. Note that another process of the
    /// same user may join in, too.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Whether the address may be taken while connections of a former listener are still in
    /// `TIME_WAIT` (`SO_REUSEADDR`); so it is, if nothing else is said.
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Whether a socket on an IPv6 address leaves IPv4 alone (`IPV6_V6ONLY`). If nothing is said,
    /// the sysctl `net.ipv6.bindv6only` decides: mostly `[::]` takes IPv4 connections, too.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::ListenOptions};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let six = ListenOptions::new().only_v6(true).bind("[::]:0").await?;
    /// let port = six.local_addr()?.port();
    /// let four = ListenOptions::new().bind(("0.0.0.0", port)).await?;
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = Some(on);
        self
    }

    /// The kernel's send buffer of each connection, in bytes
    /// ([`Stream::set_send_buffer_size`]).
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.send = Some(bytes);
        self
    }

    /// The kernel's receive buffer of each connection, in bytes
    /// ([`Stream::set_recv_buffer_size`]). A window of more than 64 KiB is only had here: peers
    /// agree on its scale when they connect.
    pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.recv = Some(bytes);
        self
    }

    /// Binds to `address` and listens; of several addresses, to the first that works.
    ///
    /// # Errors
    ///
    /// What the system says, of the last address tried: `AddrInUse`, `PermissionDenied`, …
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It waits only for the lookup of a host name ([`lookup_host`]).
    pub async fn bind(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let addresses = lookup_host(address).await?;
        first_that_works(addresses, async |address| self.bind_to(address)).await
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let kernel_address = address.into();
        let socket = Tcp::socket(&kernel_address)?;
        socket.set_reuse_address(self.reuse_address)?;
        socket.set_reuse_port(self.reuse_port)?;
        if let Some(on) = self.only_v6
            && address.is_ipv6()
        {
            socket.set_only_v6(on)?;
        }
        socket.bind(&kernel_address)?;
        self.listen(socket)
    }

    /// Binds a Unix socket to `address`, a path or an abstract name, and listens. Of the settings
    /// it takes the backlog and the sizes of buffers.
    ///
    /// # Errors
    ///
    /// What the system says. `AddrInUse`: the file exists, perhaps left behind by a process that
    /// was killed, or another socket has the abstract name. `InvalidInput`: the path is longer than
    /// the 107 bytes that the kernel has room for.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::{ListenOptions, UnixListener}};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// # let name = format!("miniss-options-{}", std::process::id());
    /// let address = SocketAddr::from_abstract_name(&name)?;
    /// runtime.block_on(async {
    ///     let listener = ListenOptions::new().backlog(16).bind_unix(&address).await?;
    ///     let error = UnixListener::bind_addr(&address).await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    /// #   drop(listener);
    /// #   Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn bind_unix(&self, address: &unix::SocketAddr) -> io::Result<UnixListener> {
        self.bind_to_unix(address, Type::STREAM).await
    }

    pub(super) async fn bind_to_unix<K: StreamKind>(
        &self,
        address: &unix::SocketAddr,
        kind: Type,
    ) -> io::Result<Listener<K>> {
        consume_budget().await;
        let (socket, file) = super::unix::bind(address, kind)?;
        let mut listener = self.listen(socket)?;
        listener.file = file;
        Ok(listener)
    }

    /// Listens on a socket that is bound.
    fn listen<K: StreamKind>(&self, socket: Socket) -> io::Result<Listener<K>> {
        let ahead_max = if self.backlog < AHEAD_FROM { 0 } else { AHEAD_MAX };
        self.buffers.apply(&socket)?;
        // One more waits in the accept that is in flight, or so many that it has brought.
        socket.listen(self.backlog - ahead_max.max(1).min(self.backlog))?;
        Ok(Listener::from_fd(socket.into(), current_driver(), ahead_max))
    }
}

/// The least backlog with which connections are accepted ahead.
const AHEAD_FROM: i32 = 2 * AHEAD_MAX;

/// Settings for a TCP connection that have their place before it is made.
///
/// ```
/// # use miniss_linux::{Runtime, net::{ConnectOptions, TcpListener}};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use std::time::Duration;
///
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// let stream = ConnectOptions::new()
///     .source("127.0.0.1:0".parse().unwrap())
///     .timeout(Duration::from_secs(3))
///     .nodelay(true)
///     .connect(address)
///     .await?;
/// assert!(stream.nodelay()?);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "settings do nothing until `connect`"]
pub struct ConnectOptions {
    source: Option<SocketAddr>,
    timeout: Option<Duration>,
    nodelay: bool,
    keepalive: Option<Keepalive>,
    buffers: Buffers,
}

impl ConnectOptions {
    /// The kernel's own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address to connect from; port number 0 is any that is free. Addresses of the other
    /// family, IPv4 or IPv6, are not tried.
    pub fn source(mut self, address: SocketAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// How long all of it may take: the lookup of a host name, and each of its addresses. Without
    /// it the kernel gives up on an address after about two minutes.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// See [`TcpStream::set_nodelay`](Stream::set_nodelay).
    pub fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// See [`TcpStream::set_keepalive`](Stream::set_keepalive).
    ///
    /// ```
    /// use std::time::Duration;
    /// use miniss_linux::net::{ConnectOptions, Keepalive};
    /// let _ = ConnectOptions::new().keepalive(Keepalive::after(Duration::from_secs(60)));
    /// ```
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// See [`Stream::set_send_buffer_size`].
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.send = Some(bytes);
        self
    }

    /// See [`Stream::set_recv_buffer_size`]. A window of more than 64 KiB is only had here: the
    /// peers agree on its scale when they connect.
    pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.recv = Some(bytes);
        self
    }

    /// Connects to `address`; of several addresses, to the first that answers.
    ///
    /// # Errors
    ///
    /// What the system says, of the last address tried; `TimedOut` if the time is over.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the connect and closes the socket, as the end of the time does.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let Some(limit) = self.timeout else { return self.connect_untimed(address).await };
        timeout(limit, self.connect_untimed(address)).await.unwrap_or_else(|_| {
            let what = format!("connect: not connected within {limit:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, what))
        })
    }

    /// Leaves the time to the kernel.
    pub(super) async fn connect_untimed(
        &self,
        address: impl ToSocketAddrs,
    ) -> io::Result<TcpStream> {
        let mut addresses = lookup_host(address).await?;
        if let Some(source) = self.source {
            addresses.retain(|address| address.is_ipv4() == source.is_ipv4());
        }
        let connect = async |address: SocketAddr| {
            Stream::connect_socket(self.socket(address)?, address.into()).await
        };
        first_that_works(addresses, connect).await
    }

    fn socket(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = Tcp::socket(&address.into())?;
        self.buffers.apply(&socket)?;
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(keepalive) = self.keepalive {
            socket.set_tcp_keepalive(&keepalive.options())?;
        }
        if let Some(source) = self.source {
            socket.bind(&source.into())?;
        }
        Ok(socket)
    }
}

/// Sizes of the kernel's buffers.
#[derive(Debug, Clone, Default)]
struct Buffers {
    send: Option<usize>,
    recv: Option<usize>,
}

impl Buffers {
    fn apply(&self, socket: &Socket) -> io::Result<()> {
        if let Some(bytes) = self.send {
            socket.set_send_buffer_size(buffer_size(bytes))?;
        }
        if let Some(bytes) = self.recv {
            socket.set_recv_buffer_size(buffer_size(bytes))?;
        }
        Ok(())
    }
}

/// The kernel wants a C `int`.
pub(super) fn buffer_size(bytes: usize) -> usize {
    bytes.min(i32::MAX as usize)
}

/// How the kernel learns that a silent peer is gone (`SO_KEEPALIVE`): see
/// [`TcpStream::set_keepalive`](Stream::set_keepalive).
///
/// It counts whole seconds, so parts of one are rounded up, and both times are limited to 32,767.
/// It asks up to 127 times.
///
/// ```
/// use std::time::Duration;
/// use miniss_linux::net::Keepalive;
///
/// let keepalive = Keepalive { retries: 5, ..Keepalive::after(Duration::from_secs(60)) };
/// assert_eq!(keepalive.interval, Duration::from_secs(20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// After how long a silence it asks first.
    pub idle: Duration,
    /// How long it waits for an answer until it asks again.
    pub interval: Duration,
    /// As many times it asks without an answer.
    pub retries: u32,
}

impl Keepalive {
    /// Asks after a silence of `idle`, up to three times, a third of `idle` apart: so a peer that
    /// is gone is known to be gone at twice `idle`.
    pub fn after(idle: Duration) -> Self {
        let seconds = whole_seconds(idle);
        Self {
            idle: Duration::from_secs(seconds),
            interval: Duration::from_secs((seconds / 3).max(1)),
            retries: 3,
        }
    }

    /// As the kernel takes it.
    pub(super) fn options(self) -> TcpKeepalive {
        TcpKeepalive::new()
            .with_time(Duration::from_secs(whole_seconds(self.idle)))
            .with_interval(Duration::from_secs(whole_seconds(self.interval)))
            .with_retries(self.retries.clamp(1, KEEPALIVE_RETRIES_MAX))
    }
}

/// The kernel's `MAX_TCP_KEEPIDLE`, which is that of the interval, too.
const KEEPALIVE_SECONDS_MAX: u64 = 32_767;
/// The kernel's `MAX_TCP_KEEPCNT`.
const KEEPALIVE_RETRIES_MAX: u32 = 127;

/// Rounded up, and within what the kernel takes.
fn whole_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    seconds.clamp(1, KEEPALIVE_SECONDS_MAX)
}
