//! UDP: its addresses, and what can be set on its sockets.

#![forbid(unsafe_code)]

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::address::{ToSocketAddrs, first_that_works, lookup_host};
use super::datagram::{DatagramKind, DatagramSocket};
use super::kind::{StreamKind, sealed};
use super::stream::{current_driver, socket_type};
use super::tcp::{Tcp, hops, set_hops};

/// UDP, as the kind of a [`DatagramSocket`].
#[derive(Debug)]
pub enum Udp {}

impl sealed::Sealed for Udp {}

impl DatagramKind for Udp {
    type Address = SocketAddr;
    type Std = net::UdpSocket;

    const NAME: &'static str = "UdpSocket";

    fn to_kernel(address: &SocketAddr) -> io::Result<SockAddr> {
        Ok((*address).into())
    }

    fn from_kernel(address: SockAddr) -> io::Result<SocketAddr> {
        Tcp::address(address)
    }
}

/// A UDP socket, which belongs to the shard that made it.
///
/// Unconnected, it sends to and receives from any address. [Connected](Self::connect), it sends to
/// one and receives from that one alone, and only then it hears that no one is there:
/// `ConnectionRefused`, once for each such report, as the result of the next send or receive.
/// [`DatagramSocket`] says what else holds.
///
/// ```
/// use miniss_linux::{Runtime, net::UdpSocket};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send("hello").await.0?;
///
///     let (result, buffer) = server.recv_from([0; 64]).await;
///     let received = result?;
///     assert_eq!(buffer[..received.len], *b"hello");
///     server.send_to("welcome", &received.from).await.0?;
///
///     let (_, message) = client.recv_pooled().await?;
///     assert_eq!(message[..], *b"welcome");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub type UdpSocket = DatagramSocket<Udp>;

impl UdpSocket {
    /// Binds a socket to `address`, with the address for itself.
    ///
    /// # Errors
    ///
    /// As for [`BindOptions::bind`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As for [`BindOptions::bind`].
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        BindOptions::new().bind(address).await
    }

    /// Connects it to `address`, or from one address to another; of several addresses, to the first
    /// that works. Nothing is sent. Messages that came before, from anyone, are still received.
    ///
    /// # Errors
    ///
    /// What the system says, of the last address tried; whether someone is there, it does not.
    ///
    /// # Cancellation
    ///
    /// It waits only for the lookup of a host name ([`lookup_host`]).
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let addresses = lookup_host(address).await?;
        first_that_works(addresses, async |address| self.connect_to(&address.into())).await
    }

    /// Allows messages to broadcast addresses (`SO_BROADCAST`); without it they are refused.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let socket = UdpSocket::bind("0.0.0.0:0").await?;
    /// let everyone = "255.255.255.255:9".parse().unwrap();
    /// let error = socket.send_to("anyone?", &everyone).await.0.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    /// socket.set_broadcast(true)?;
    /// assert!(socket.broadcast()?);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.connection.fd.socket()?.set_broadcast(on)
    }

    /// Whether messages to broadcast addresses are allowed.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.connection.fd.socket()?.broadcast()
    }

    /// Receives what is sent to `group` from now on, on the interface with the address `interface`;
    /// with `0.0.0.0` the system chooses one. The socket must be bound to the port number that the
    /// group uses.
    ///
    /// # Errors
    ///
    /// What the system says: `AddrInUse` if it is a member, `ENODEV` without such an interface.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::{BindOptions, UdpSocket}};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use std::net::Ipv4Addr;
    ///
    /// // Each member of a group on this machine binds the same port number.
    /// let member = BindOptions::new().reuse_address(true).bind("0.0.0.0:0").await?;
    /// let group = Ipv4Addr::new(239, 1, 2, 3);
    /// member.join_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    /// member.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?;
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.connection.fd.socket()?.join_multicast_v4(&group, &interface)
    }

    /// Leaves a group that was [joined](Self::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// What the system says: `AddrNotAvailable` if it is no member.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.connection.fd.socket()?.leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to `group` from now on, on the interface of that number; with 0 the
    /// system chooses one.
    ///
    /// # Errors
    ///
    /// As for [`join_multicast_v4`](Self::join_multicast_v4).
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.connection.fd.socket()?.join_multicast_v6(&group, interface)
    }

    /// Leaves a group that was [joined](Self::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// As for [`leave_multicast_v4`](Self::leave_multicast_v4).
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.connection.fd.socket()?.leave_multicast_v6(&group, interface)
    }

    /// Whether members on this machine receive what this socket sends to a group, as they do if
    /// nothing is said (`IP_MULTICAST_LOOP`, `IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_multicast_loop(&self, on: bool) -> io::Result<()> {
        let socket = self.connection.fd.socket()?;
        if is_v6(&socket)? {
            socket.set_multicast_loop_v6(on)
        } else {
            socket.set_multicast_loop_v4(on)
        }
    }

    /// Whether members on this machine receive what this socket sends to a group.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn multicast_loop(&self) -> io::Result<bool> {
        let socket = self.connection.fd.socket()?;
        if is_v6(&socket)? { socket.multicast_loop_v6() } else { socket.multicast_loop_v4() }
    }

    /// How many routers a message to a group may pass; if nothing is said, none: it is 1
    /// (`IP_MULTICAST_TTL`, `IPV6_MULTICAST_HOPS`).
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for other numbers than 0 to 255.
    pub fn set_multicast_ttl(&self, hops: u32) -> io::Result<()> {
        let socket = self.connection.fd.socket()?;
        if is_v6(&socket)? {
            socket.set_multicast_hops_v6(hops)
        } else {
            socket.set_multicast_ttl_v4(hops)
        }
    }

    /// How many routers a message to a group may pass.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn multicast_ttl(&self) -> io::Result<u32> {
        let socket = self.connection.fd.socket()?;
        if is_v6(&socket)? { socket.multicast_hops_v6() } else { socket.multicast_ttl_v4() }
    }

    /// How many routers any other message may pass: `IP_TTL`, or `IPV6_UNICAST_HOPS`.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for other numbers than 1 to 255.
    pub fn set_ttl(&self, number: u32) -> io::Result<()> {
        set_hops(&*self.connection.fd.socket()?, number)
    }

    /// How many routers any other message may pass.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        hops(&*self.connection.fd.socket()?)
    }
}

fn is_v6(socket: &Socket) -> io::Result<bool> {
    Ok(socket.domain()? == Domain::IPV6)
}

/// Settings that a UDP socket has before it is bound.
///
/// ```
/// use miniss_linux::{Runtime, net::BindOptions};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let addresses = runtime.run(|| async {
///     // The kernel spreads messages over the shards, those of one sender to the same.
///     let socket = BindOptions::new().reuse_port(true).bind("127.0.0.1:0").await.unwrap();
///     socket.local_addr().unwrap()
/// });
/// assert_eq!(addresses.len(), 2);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "settings do nothing until `bind`"]
pub struct BindOptions {
    reuse_address: bool,
    reuse_port: bool,
    only_v6: Option<bool>,
}

impl BindOptions {
    /// The address for this socket alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether other sockets that say the same may have the same address (`SO_REUSEADDR`). What is
    /// sent to a group reaches each of them, anything else only the last that was bound.
    pub fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Whether other sockets that say the same may have the same address, and share what is sent to
    /// it (`SO_REUSEPORT`). Another process of the same user may join in, too.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Whether a socket on an IPv6 address leaves IPv4 alone (`IPV6_V6ONLY`). If nothing is said,
    /// the sysctl `net.ipv6.bindv6only` decides.
    ///
    /// ```
    /// let _ = miniss_linux::net::BindOptions::new().only_v6(true);
    /// ```
    pub fn only_v6(mut self, on: bool) -> Self {
        self.only_v6 = Some(on);
        self
    }

    /// Binds a socket to `address`; of several addresses, to the first that works. Port number 0 is
    /// any that is free.
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
    pub async fn bind(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let addresses = lookup_host(address).await?;
        first_that_works(addresses, async |address| self.bind_to(address)).await
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let kernel_address = SockAddr::from(address);
        let kind = socket_type(Type::DGRAM);
        let socket = Socket::new(kernel_address.domain(), kind, Some(Protocol::UDP))?;
        socket.set_reuse_address(self.reuse_address)?;
        socket.set_reuse_port(self.reuse_port)?;
        if let Some(on) = self.only_v6
            && address.is_ipv6()
        {
            socket.set_only_v6(on)?;
        }
        socket.bind(&kernel_address)?;
        Ok(UdpSocket::from_fd(socket.into(), current_driver()))
    }
}
