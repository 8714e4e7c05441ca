//! Unix sockets of messages, and descriptors that are passed over Unix sockets of any kind.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use miniss_core::coop::{consume_budget, cooperative};
use socket2::{Domain, SockAddr, Socket, Type};

use super::datagram::{DatagramKind, DatagramSocket, Received};
use super::kind::StreamKind;
use super::read::{Ahead, Next};
use super::stream::{current_driver, socket_type};
use super::unix::{self, Unix, UnixStream, socket_address};
use crate::buf::{BufResult, IoBuf, IoBufMut};
use crate::op::connection::Reading;
use crate::op::message::{Envelope, RecvMsg, SendMsg};

impl DatagramKind for Unix {
    type Address = SocketAddr;
    type Std = net::UnixDatagram;

    const NAME: &'static str = "UnixDatagram";

    fn to_kernel(address: &SocketAddr) -> io::Result<SockAddr> {
        socket_address(address)
    }

    fn from_kernel(address: SockAddr) -> io::Result<SocketAddr> {
        <Self as StreamKind>::address(address)
    }
}

/// A Unix socket of messages, which belongs to the shard that made it. None is lost, and each comes
/// after those that its sender has sent before: where the receiver is slow, the sender waits.
/// [`DatagramSocket`] says what else holds.
///
/// The file that it made for its address is removed when it is closed or dropped, if it is still
/// there. A program that was killed leaves its file behind, and the next bind fails.
///
/// ```
/// use miniss_linux::{Runtime, net::UnixDatagram};
///
/// # let folder = std::env::temp_dir().join(format!("miniss-datagram-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("log.socket");
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let log = UnixDatagram::bind(&path).await?;
///     let program = UnixDatagram::unbound()?;
///     program.connect(&path).await?;
///     program.send("started").await.0?;
///     let (received, line) = log.recv_pooled().await?;
///     assert_eq!(line[..], *b"started");
///     assert!(received.from.is_unnamed());
///     log.close().await?;
///     assert!(!path.exists());
/// #   std::fs::remove_dir(&folder)?;
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub type UnixDatagram = DatagramSocket<Unix>;

impl UnixDatagram {
    /// Makes the socket file `path`, and receives what is sent there.
    ///
    /// # Errors
    ///
    /// As for [`bind_addr`](Self::bind_addr).
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

    /// Binds to `address`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// What the system says. `AddrInUse`: the file exists, perhaps left behind by a process that
    /// was killed, or another socket has the abstract name.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        consume_budget().await;
        let (socket, file) = unix::bind(address, Type::DGRAM)?;
        let datagram = Self::from_fd(socket.into(), current_driver());
        datagram.file.set(file);
        Ok(datagram)
    }

    /// A socket without a name: it can send, and no one can answer unless it is connected to.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn unbound() -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, socket_type(Type::DGRAM), None)?;
        Ok(Self::from_fd(socket.into(), current_driver()))
    }

    /// Two sockets without a name, connected to each other.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn pair() -> io::Result<(Self, Self)> {
        pair_of(Type::DGRAM)
    }

    /// Connects it to the socket behind the file `path`: that is where [`send`](Self::send) sends
    /// to, and no one else may send to this one any more.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound` without a file, `ConnectionRefused` if its socket is gone.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        consume_budget().await;
        self.connect_to(&SockAddr::unix(path)?)
    }

    /// Connects it to `address`, which may be an abstract name; otherwise as
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        consume_budget().await;
        self.connect_to(&socket_address(address)?)
    }
}

/// Two connected sockets without a name.
pub(super) fn pair_of<K: DatagramKind>(
    kind: Type,
) -> io::Result<(DatagramSocket<K>, DatagramSocket<K>)> {
    let (a, b) = Socket::pair(Domain::UNIX, socket_type(kind), None)?;
    let of = |socket: Socket| DatagramSocket::from_fd(socket.into(), current_driver());
    Ok((of(a), of(b)))
}

/// Of Unix sockets.
impl<K: DatagramKind<Address = SocketAddr>> DatagramSocket<K> {
    /// Sends `buffer` as one message, and descriptors with it, of which the receiver gets
    /// duplicates; otherwise as [`send`](Self::send). They are dropped when it has ended: to keep
    /// one, share it (`Rc`), or send a clone.
    ///
    /// # Errors
    ///
    /// As there; `InvalidInput` for more than 253 descriptors.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UnixDatagram};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use std::{fs::File, io::Write, os::fd::OwnedFd, rc::Rc};
    ///
    /// let (reader, writer) = std::io::pipe()?;
    /// let writer = Rc::new(OwnedFd::from(writer));
    /// let (ours, theirs) = UnixDatagram::pair()?;
    /// ours.send_with_fds("a pipe", vec![writer.clone()]).await.0?;
    ///
    /// let (result, buffer) = theirs.recv_with_fds([0; 64], 1).await;
    /// let mut received = result?;
    /// assert_eq!(buffer[..received.len], *b"a pipe");
    /// File::from(received.fds.remove(0)).write_all(b"through it")?;
    /// # drop((reader, writer));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn send_with_fds<B: IoBuf, F: AsFd + 'static>(
        &self,
        buffer: B,
        fds: Vec<F>,
    ) -> BufResult<usize, B> {
        let (result, [buffer]) = self.send_message([buffer], None, fds).await;
        (result, buffer)
    }

    /// Receives a message and up to `fds_max` descriptors that came with it, of which 253 are the
    /// most; otherwise as [`recv_from`](DatagramSocket::recv_from). Each is ours alone and closes
    /// on exec. The others are closed, as all are that come with a message received in another way.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there: the descriptors are kept with the message.
    pub async fn recv_with_fds<B: IoBufMut>(
        &self,
        buffer: B,
        fds_max: usize,
    ) -> BufResult<Received<SocketAddr>, B> {
        let (result, [buffer]) = self.receive([buffer], 0, fds_max).await;
        (result, buffer)
    }
}

impl UnixStream {
    /// Writes from `buffer`, and sends descriptors with the first byte, of which the receiver gets
    /// duplicates; otherwise as [`write`](Self::write). If fewer bytes are written than there are,
    /// write the others without descriptors. They are dropped when it has ended: to keep one, share
    /// it (`Rc`), or send a clone.
    ///
    /// # Errors
    ///
    /// As there; `InvalidInput` for more than 253 descriptors, and for descriptors without a byte.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn write_with_fds<B: IoBuf, F: AsFd + 'static>(
        &self,
        buffer: B,
        fds: Vec<F>,
    ) -> BufResult<usize, B> {
        if buffer.as_init().is_empty() && !fds.is_empty() {
            return (Err(without_a_byte("write")), buffer);
        }
        let turn = match self.connection.turn_with(&fds).await {
            Ok(turn) => turn,
            Err(error) => return (Err(error), buffer),
        };
        let send = SendMsg::with(turn, [buffer], None, fds);
        let (result, send) = self.connection.send(send).await;
        let [buffer] = send.buffers;
        (result, buffer)
    }

    /// Reads into `buffer`, and takes up to `fds_max` descriptors that came with the bytes, of
    /// which 253 are the most; otherwise as [`read`](Self::read). Bytes that were sent with
    /// different descriptors come in different reads. Each descriptor is ours alone and closes on
    /// exec.
    ///
    /// Descriptors that come with bytes that are read in another way are closed. After a
    /// [`recv`](Self::recv) that may be any, as it receives ahead: do not use both.
    ///
    /// # Errors
    ///
    /// As there; `InvalidInput` if `buffer` has no room for a byte.
    ///
    /// # Cancellation
    ///
    /// As there: the descriptors are kept with the bytes.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UnixStream};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let (passed, kept) = std::os::unix::net::UnixStream::pair()?;
    /// ours.write_with_fds("!", vec![passed]).await.0?;
    /// let mut received = theirs.read_with_fds([0; 1], 1).await.0?;
    /// let passed = UnixStream::from_std(received.fds.remove(0).into())?;
    /// # drop((passed, kept));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn read_with_fds<B: IoBufMut>(
        &self,
        mut buffer: B,
        fds_max: usize,
    ) -> impl Future<Output = BufResult<Received<SocketAddr>, B>> {
        cooperative(async move {
            let _reading = match Reading::begin(&self.connection) {
                Ok(reading) => reading,
                Err(error) => return (Err(error), buffer),
            };
            if buffer.bytes_total() == 0 {
                return (Err(without_a_byte("read")), buffer);
            }
            match self.connection.next(Ahead::No).await {
                Next::Bytes(Ok(mut bytes)) => {
                    let len = crate::buf::copy_into(&mut buffer, &bytes);
                    bytes.advance(len);
                    self.connection.side.put_back(bytes);
                    let envelope = Envelope::of_stream(len, self.connection.take_fds(), fds_max);
                    (Received::new(envelope, Unix::address), buffer)
                }
                Next::Bytes(Err(error)) => (Err(error), buffer),
                Next::Nothing | Next::NoBuffer => {
                    // Those of bytes that were read in another way.
                    drop(self.connection.take_fds());
                    let recv = RecvMsg::of_stream(self.connection.clone(), [buffer], fds_max);
                    let (result, [buffer]) = self.connection.receive(recv).await;
                    (result.and_then(|envelope| Received::new(envelope, Unix::address)), buffer)
                }
            }
        })
    }
}

fn without_a_byte(what: &str) -> io::Error {
    let what = format!("{what}: descriptors go with a byte, and there is none");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
