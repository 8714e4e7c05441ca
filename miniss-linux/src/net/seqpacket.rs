//! Connections that carry messages (`SOCK_SEQPACKET`): they begin as those of streams do.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use miniss_core::coop::consume_budget;
use socket2::{Domain, SockAddr, Socket, Type};

use super::datagram::{DatagramKind, DatagramSocket};
use super::kind::{StreamKind, sealed};
use super::listener::Listener;
use super::options::ListenOptions;
use super::stream::{Stream, current_driver, socket_type};
use super::unix::{Unix, connect, socket_address};
use super::unix_datagram::pair_of;

/// Unix sockets of `SOCK_SEQPACKET`, as the kind of a [`DatagramSocket`].
#[derive(Debug)]
pub enum Seqpacket {}

impl sealed::Sealed for Seqpacket {}

impl DatagramKind for Seqpacket {
    type Address = SocketAddr;
    /// The standard library has none.
    type Std = OwnedFd;

    const NAME: &'static str = "UnixSeqpacket";

    fn to_kernel(address: &SocketAddr) -> io::Result<SockAddr> {
        socket_address(address)
    }

    fn from_kernel(address: SockAddr) -> io::Result<SocketAddr> {
        <Unix as StreamKind>::address(address)
    }
}

/// The same as a stream, until it is made.
#[derive(Debug)]
enum Beginning {}

impl sealed::Sealed for Beginning {}

impl StreamKind for Beginning {
    type Address = SocketAddr;
    type Std = OwnedFd;
    type StdListener = OwnedFd;

    const STREAM_NAME: &'static str = "UnixSeqpacket";
    const LISTENER_NAME: &'static str = "UnixSeqpacketListener";

    fn socket(_: &SockAddr) -> io::Result<Socket> {
        Socket::new(Domain::UNIX, socket_type(Type::SEQPACKET), None)
    }

    fn address(address: SockAddr) -> io::Result<SocketAddr> {
        <Unix as StreamKind>::address(address)
    }
}

/// A connection that carries messages, between two processes of one machine or within one. A
/// message without bytes looks like the end, after which every receive brings one; so send none.
///
/// ```
/// use miniss_linux::{Runtime, net::{UnixSeqpacket, UnixSeqpacketListener}};
///
/// # let folder = std::env::temp_dir().join(format!("miniss-seqpacket-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("jobs.socket");
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let listener = UnixSeqpacketListener::bind(&path).await?;
///     let client = UnixSeqpacket::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     client.send("first").await.0?;
///     client.send("second").await.0?;
///     assert_eq!(server.recv_pooled().await?.1[..], *b"first");
///     client.close().await?;
///     assert_eq!(server.recv_pooled().await?.1[..], *b"second");
///     assert!(server.recv_pooled().await?.1.is_empty());
/// #   drop(listener);
/// #   std::fs::remove_dir(&folder)?;
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub type UnixSeqpacket = DatagramSocket<Seqpacket>;

impl UnixSeqpacket {
    /// Connects to the socket behind the file `path`. If the listener's backlog is full, it waits
    /// for room.
    ///
    /// # Errors
    ///
    /// As for [`UnixStream::connect`](super::UnixStream::connect).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the connect and closes the socket.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?).await
    }

    /// Connects to `address`, which may be an abstract name; otherwise as
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        consume_budget().await;
        begun(connect(socket_address(address)?).await?).await
    }

    /// Two connected sockets without a name.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn pair() -> io::Result<(Self, Self)> {
        pair_of(Type::SEQPACKET)
    }
}

async fn begun(stream: Stream<Beginning>) -> io::Result<UnixSeqpacket> {
    Ok(UnixSeqpacket::from_fd(stream.connection.take_descriptor().await?, current_driver()))
}

/// Accepts connections that carry messages. Like a [`UnixListener`](super::UnixListener) it removes
/// the file that it made when it is dropped.
#[derive(Debug)]
pub struct UnixSeqpacketListener(Listener<Beginning>);

impl UnixSeqpacketListener {
    /// Makes the socket file `path` and listens.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind_unix`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?).await
    }

    /// Binds to `address`, which may be an abstract name, and listens.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind_unix`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        ListenOptions::new().bind_to_unix(address, Type::SEQPACKET).await.map(Self)
    }

    /// The next connection and its peer's address.
    ///
    /// # Errors
    ///
    /// As for [`Listener::accept`].
    ///
    /// # Cancellation
    ///
    /// Cancel safe: a connection that arrives is for the next `accept`.
    pub async fn accept(&self) -> io::Result<(UnixSeqpacket, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((begun(stream).await?, peer))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
