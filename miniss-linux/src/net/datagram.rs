//! A socket of messages, of any kind: each receive brings one, whole or cut to the room there is.
//!
//! It shares with streams what a socket and its operations have in common
//! ([`connection`](crate::op::connection)). What is kept for the next receive, or was received
//! ahead, stands behind its head ([`MessageHead`](crate::driver::MessageHead)).

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use miniss_core::coop::{consume_budget, cooperative};
use socket2::{SockAddr, SockRef};

use super::kind::sealed;
use super::options::buffer_size;
use super::read::{Ahead, Next};
use super::stream::current_driver;
use super::unix::SocketFile;
use crate::buf::{BufResult, IOVECS_MAX, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut};
use crate::driver::buffers::PoolBuf;
use crate::driver::{MESSAGE_OFFSET, ShardDriver};
use crate::op::connection::{Connection, Reading, WriteTurn};
use crate::op::message::{Envelope, FDS_MAX, RecvMsg, SendMsg};
use crate::op::recv::Watch;
use crate::time::sleep;

/// A kind of socket that carries messages, for code that works with each of them:
/// [`Udp`](super::Udp), [`Unix`](super::Unix) and [`Seqpacket`](super::Seqpacket).
pub trait DatagramKind: sealed::Sealed + fmt::Debug + Sized + 'static {
    /// What names a socket of this kind.
    type Address: fmt::Debug;
    /// The standard library's socket of this kind.
    type Std: From<OwnedFd> + Into<OwnedFd> + AsFd;

    #[doc(hidden)]
    const NAME: &'static str;

    #[doc(hidden)]
    fn to_kernel(address: &Self::Address) -> io::Result<SockAddr>;
    #[doc(hidden)]
    fn from_kernel(address: SockAddr) -> io::Result<Self::Address>;
}

/// What is known of a message that was received.
///
/// ```
/// # use miniss_linux::{Runtime, net::UdpSocket};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// socket.send_to("twelve bytes", &socket.local_addr()?).await.0?;
/// let (result, buffer) = socket.recv_from([0; 6]).await;
/// let received = result?;
/// assert_eq!(buffer[..received.len], *b"twelve");
/// assert!(received.is_truncated() && received.len_sent == 12);
/// assert_eq!(received.from, socket.local_addr()?);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Received<A> {
    /// The bytes in the buffer.
    pub len: usize,
    /// The bytes that were sent. Those that did not fit are lost.
    pub len_sent: usize,
    /// Who sent it.
    pub from: A,
    /// Descriptors that came with it, for who [asks](DatagramSocket::recv_with_fds) for them.
    pub fds: Vec<OwnedFd>,
    /// More descriptors came than there was room for, here or in the process. They are closed.
    pub fds_truncated: bool,
}

impl<A> Received<A> {
    /// Whether there was no room for all of it.
    pub fn is_truncated(&self) -> bool {
        self.len < self.len_sent
    }

    pub(super) fn new(
        envelope: Envelope,
        address: fn(SockAddr) -> io::Result<A>,
    ) -> io::Result<Self> {
        let Envelope { len, len_sent, flags, from, fds } = envelope;
        let fds_truncated = flags & libc::MSG_CTRUNC != 0;
        Ok(Self { len, len_sent, from: address(from)?, fds, fds_truncated })
    }
}

/// A socket that carries messages: the one implementation of [`UdpSocket`](super::UdpSocket), of
/// [`UnixDatagram`](super::UnixDatagram) and of [`UnixSeqpacket`](super::UnixSeqpacket).
///
/// A message is sent whole or not at all, and received whole or cut to the room there is, never in
/// pieces. One without bytes is a message, too. One task may receive and others send at the same
/// time, all by `&self`. Two receives at a time are an error (`ResourceBusy`); sends take turns, in
/// the order in which they were started. [`recv_many`](Self::recv_many) and
/// [`send_many`](Self::send_many) move a batch with one call.
///
/// An error that the network reports, for instance that no one listens at the other end
/// (`ConnectionRefused`), is the result of one call, a send or a receive, and the socket goes on.
///
/// ```
/// use miniss_linux::net::{DatagramKind, DatagramSocket};
///
/// /// Sends one message back, over whatever kind of socket it came.
/// async fn echo<K: DatagramKind>(socket: &DatagramSocket<K>) -> std::io::Result<()> {
///     let (received, message) = socket.recv_pooled().await?;
///     socket.send_to(message, &received.from).await.0?;
///     Ok(())
/// }
/// # use miniss_linux::{Runtime, net::UdpSocket};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// # let (ours, theirs) = (
/// #     UdpSocket::bind("127.0.0.1:0").await?,
/// #     UdpSocket::bind("127.0.0.1:0").await?,
/// # );
/// # ours.send_to("ping", &theirs.local_addr()?).await.0?;
/// # echo(&theirs).await?;
/// # assert_eq!(ours.recv([0; 4]).await.1, *b"ping");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub struct DatagramSocket<K: DatagramKind> {
    /// The file of a Unix socket, if we made it. It goes first: as long as the socket is open, no
    /// other file has its number.
    pub(super) file: Cell<Option<SocketFile>>,
    pub(super) connection: Rc<Connection>,
    kind: PhantomData<K>,
}

impl Connection {
    /// The turn of a message that takes such descriptors along.
    pub(super) async fn turn_with<F>(self: &Rc<Self>, fds: &[F]) -> io::Result<WriteTurn> {
        consume_budget().await;
        self.fd.check_open()?;
        if fds.len() > FDS_MAX {
            let what = format!("send: {} descriptors; up to {FDS_MAX} go together", fds.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let turn = self.turn_to_write().await;
        self.fd.check_still_open()?;
        Ok(turn)
    }
}

impl<K: DatagramKind> DatagramSocket<K> {
    pub(crate) fn from_fd(fd: OwnedFd, driver: Rc<ShardDriver>) -> Self {
        let connection = Connection::new(fd, driver);
        Self { connection, file: Cell::new(None), kind: PhantomData }
    }

    /// Takes over a socket of the standard library's, on this shard.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn from_std(socket: K::Std) -> io::Result<Self> {
        let driver = current_driver();
        SockRef::from(&socket).set_nonblocking(driver.is_nonblocking())?;
        Ok(Self::from_fd(socket.into(), driver))
    }

    /// Gives the socket back as one of the standard library's, and the messages that were received
    /// ahead. It waits for receives and sends that were dropped, no longer than a cancel takes. The
    /// file of a Unix socket stays.
    ///
    /// # Errors
    ///
    /// `EBADF` if it was [closed](Self::close), and what a receive has failed with; then the socket
    /// is closed.
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the socket.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let (socket, received) = runtime.block_on(async {
    ///     UdpSocket::from_std(socket)?.into_std().await
    /// })?;
    /// assert!(socket.local_addr().is_ok() && received.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn into_std(self) -> io::Result<(K::Std, Vec<(Received<K::Address>, PoolBuf)>)> {
        let mut rest = Vec::new();
        self.connection.read_rest(|message| rest.push(message)).await?;
        drop(self.connection.turn_to_write().await);
        let rest = rest.into_iter().map(|message| self.open(message)).collect::<io::Result<_>>()?;
        let fd = self.connection.take_descriptor().await?;
        SockRef::from(&fd).set_nonblocking(false)?;
        if let Some(file) = self.file.take() {
            file.keep();
        }
        Ok((fd.into(), rest))
    }

    /// Receives a message into `buffer`, from its beginning up to its capacity, and gives it back
    /// with the number of bytes. What does not fit is lost; [`recv_from`](Self::recv_from) tells.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another receive of this socket is in progress.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the receive. A message that arrives all the same is for the next
    /// receive, as much of it as this `buffer` has room for; the buffer is lost.
    pub async fn recv<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        let (result, buffer) = self.recv_from(buffer).await;
        (result.map(|received| received.len), buffer)
    }

    /// As [`recv`](Self::recv), and tells who sent it, and whether it was cut.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn recv_from<B: IoBufMut>(&self, buffer: B) -> BufResult<Received<K::Address>, B> {
        let (result, [buffer]) = self.receive([buffer], 0, 0).await;
        (result, buffer)
    }

    /// As [`recv_from`](Self::recv_from), into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub fn recv_from_vectored<V: IoVecBufMut>(
        &self,
        buffers: V,
    ) -> impl Future<Output = BufResult<Received<K::Address>, V>> {
        self.receive(buffers, 0, 0)
    }

    /// Looks at the next message without taking it: the next receive gives it again.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancellation
    ///
    /// Cancel safe but for the buffer, which is lost.
    pub async fn peek<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        let (result, buffer) = self.peek_from(buffer).await;
        (result.map(|received| received.len), buffer)
    }

    /// As [`peek`](Self::peek), and tells who sent it, and how long it is.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancellation
    ///
    /// As for [`peek`](Self::peek).
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UnixDatagram};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (ours, theirs) = UnixDatagram::pair()?;
    /// theirs.send(vec![7; 5000]).await.0?;
    /// let next = ours.peek_from([0; 0]).await.0?;
    /// let (result, message) = ours.recv(Vec::with_capacity(next.len_sent)).await;
    /// assert_eq!((result?, message.len()), (5000, 5000));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn peek_from<B: IoBufMut>(&self, buffer: B) -> BufResult<Received<K::Address>, B> {
        let (result, [buffer]) = self.receive([buffer], libc::MSG_PEEK, 0).await;
        (result, buffer)
    }

    /// The next message, in a buffer of the shard's pool: the counterpart of
    /// [`Stream::recv`](super::Stream::recv).
    ///
    /// While it waits, the socket holds no buffer. From the first call on, the kernel receives
    /// ahead into the pool, so that many messages take one system call; up to 8 of them wait
    /// unread, and others stay with the kernel, which drops what does not fit there. Of each buffer
    /// 128 bytes are not for the message: see [`recv_buffers`](crate::Builder::recv_buffers).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what arrives is for the next receive.
    pub fn recv_pooled(&self) -> impl Future<Output = io::Result<(Received<K::Address>, PoolBuf)>> {
        cooperative(async {
            let _reading = Reading::begin(&self.connection)?;
            self.next_message().await
        })
    }

    pub(super) async fn next_message(&self) -> io::Result<(Received<K::Address>, PoolBuf)> {
        match self.connection.next(self.ahead()).await {
            Next::Bytes(message) => self.open(message?),
            Next::Nothing | Next::NoBuffer => Box::pin(self.recv_to_heap()).await,
        }
    }

    /// Whether messages have room in buffers of the pool.
    pub(super) fn ahead(&self) -> Ahead {
        let bytes = self.connection.fd.driver().recv_buffer_bytes();
        if bytes >= POOLED_BYTES_MIN { Ahead::Messages } else { Ahead::No }
    }

    async fn recv_to_heap(&self) -> io::Result<(Received<K::Address>, PoolBuf)> {
        let bytes = self.connection.fd.driver().recv_buffer_bytes();
        let room = [Vec::with_capacity(bytes.max(POOLED_BYTES_MIN) - MESSAGE_OFFSET)];
        let recv = RecvMsg::new(self.connection.clone(), room, 0, 0);
        let (result, [bytes]) = self.connection.receive(recv).await;
        let received = Received::new(result?, K::from_kernel)?;
        Ok((received, PoolBuf::from_heap(bytes.into_boxed_slice())))
    }

    /// What the head of a message says, and its bytes.
    pub(super) fn open(&self, mut message: PoolBuf) -> io::Result<(Received<K::Address>, PoolBuf)> {
        let mut envelope = Envelope::parse(&message)?;
        message.advance(MESSAGE_OFFSET);
        envelope.len = message.len();
        envelope.put_fds(self.connection.take_fds(), 0);
        Ok((Received::new(envelope, K::from_kernel)?, message))
    }

    pub(super) fn receive<V: IoVecBufMut>(
        &self,
        buffers: V,
        flags: i32,
        fds_max: usize,
    ) -> impl Future<Output = BufResult<Received<K::Address>, V>> {
        cooperative(async move {
            let _reading = match Reading::begin(&self.connection) {
                Ok(reading) => reading,
                Err(error) => return (Err(error), buffers),
            };
            match self.connection.next(Ahead::No).await {
                Next::Bytes(Ok(message)) => self.hand_over(message, buffers, flags, fds_max),
                Next::Bytes(Err(error)) => (Err(error), buffers),
                Next::Nothing | Next::NoBuffer => {
                    let recv = RecvMsg::new(self.connection.clone(), buffers, flags, fds_max);
                    let (result, buffers) = self.connection.receive(recv).await;
                    (result.and_then(|envelope| Received::new(envelope, K::from_kernel)), buffers)
                }
            }
        })
    }

    /// Copies a message that was received before into the receiver's buffers.
    fn hand_over<V: IoVecBufMut>(
        &self,
        message: PoolBuf,
        mut buffers: V,
        flags: i32,
        fds_max: usize,
    ) -> BufResult<Received<K::Address>, V> {
        let peeks = flags & libc::MSG_PEEK != 0;
        let received = Envelope::parse(&message).and_then(|mut envelope| {
            envelope.len = crate::buf::copy_into_all(&mut buffers, &message[MESSAGE_OFFSET..]);
            if !peeks {
                envelope.put_fds(self.connection.take_fds(), fds_max);
            }
            Received::new(envelope, K::from_kernel)
        });
        if peeks {
            self.connection.side.put_back(message);
        }
        (received, buffers)
    }

    /// Sends `buffer` as one message to the address that the socket is connected to, and gives it
    /// back with its length. It waits while the kernel has no room, for instance because the
    /// receiver of a Unix socket is slow.
    ///
    /// # Errors
    ///
    /// What the system says: `EMSGSIZE` if it is too long for one message, `ConnectionRefused` if a
    /// message that was sent before has come to no one, `EDESTADDRREQ` or `NotConnected` if the
    /// socket is not connected.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the send: the message goes out whole or not at all. No later one goes
    /// out before.
    pub async fn send<B: IoBuf>(&self, buffer: B) -> BufResult<usize, B> {
        let (result, [buffer]) = self.send_vectored([buffer]).await;
        (result, buffer)
    }

    /// Sends several buffers as one message; otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As there; `EMSGSIZE` also for more than [`IOVECS_MAX`] buffers.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn send_vectored<V: IoVecBuf>(&self, buffers: V) -> BufResult<usize, V> {
        self.send_message(buffers, None, NO_FDS).await
    }

    /// Sends `buffer` as one message to `address`; otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As there, and what is wrong with the address: of another family, with no one there.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn send_to<B: IoBuf>(&self, buffer: B, address: &K::Address) -> BufResult<usize, B> {
        let (result, [buffer]) = self.send_vectored_to([buffer], address).await;
        (result, buffer)
    }

    /// Sends several buffers as one message to `address`.
    ///
    /// # Errors
    ///
    /// As for [`send_to`](Self::send_to).
    ///
    /// # Cancellation
    ///
    /// As for [`send`](Self::send).
    pub async fn send_vectored_to<V: IoVecBuf>(
        &self,
        buffers: V,
        address: &K::Address,
    ) -> BufResult<usize, V> {
        match K::to_kernel(address) {
            Ok(address) => self.send_message(buffers, Some(address), NO_FDS).await,
            Err(error) => (Err(error), buffers),
        }
    }

    pub(super) async fn send_message<V: IoVecBuf, F: AsFd + 'static>(
        &self,
        buffers: V,
        address: Option<SockAddr>,
        fds: Vec<F>,
    ) -> BufResult<usize, V> {
        if !fits_one_call(&buffers) {
            return (Err(io::Error::from_raw_os_error(libc::EMSGSIZE)), buffers);
        }
        let turn = match self.connection.turn_with(&fds).await {
            Ok(turn) => turn,
            Err(error) => return (Err(error), buffers),
        };
        let mut send = SendMsg::with(turn, buffers, address, fds).at_once();
        let mut rest = REST_MIN;
        loop {
            let result;
            (result, send) = self.connection.send(send).await;
            let Err(error) = result else { return (result, send.buffers) };
            if error.kind() != io::ErrorKind::WouldBlock {
                return (Err(error), send.buffers);
            }
            if let Err(error) = self.wait_for_room(send.names_unix(), rest).await {
                return (Err(error), send.buffers);
            }
            rest = (rest * 2).min(REST_MAX);
        }
    }

    /// The kernel's own wait is no use: when io_uring tries a Unix datagram again, it sends none of
    /// its bytes. No event tells when a Unix socket has room that this one is not connected to.
    pub(super) async fn wait_for_room(&self, is_elsewhere: bool, rest: Duration) -> io::Result<()> {
        if is_elsewhere {
            sleep(rest).await;
        } else {
            self.connection.fd.check_still_open()?;
            Watch::start(&self.connection, libc::POLLOUT).await?;
        }
        self.connection.fd.check_still_open()
    }

    /// Connects the socket, or connects it to another address.
    pub(super) fn connect_to(&self, address: &SockAddr) -> io::Result<()> {
        let socket = self.connection.fd.socket()?;
        // What was begun before goes first.
        self.connection.fd.driver().submit();
        socket.connect(address)
    }

    /// Closes the socket now, for all tasks that share it: what is in progress on it ends with
    /// `ECANCELED`, and what they do afterwards with `EBADF`. The file of a Unix socket goes with
    /// it, if [`bind`](super::UnixDatagram::bind) has made it.
    ///
    /// # Errors
    ///
    /// What `close(2)` says.
    ///
    /// # Cancellation
    ///
    /// Dropping it does not stop it: the socket is closed all the same.
    pub async fn close(&self) -> io::Result<()> {
        drop(self.file.take());
        self.connection.close().await
    }

    /// Our own address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<K::Address> {
        K::from_kernel(self.connection.fd.socket()?.local_addr()?)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// What the system says: `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<K::Address> {
        K::from_kernel(self.connection.fd.socket()?.peer_addr()?)
    }

    /// The kernel's send buffer, in bytes (`SO_SNDBUF`); up to the sysctl `net.core.wmem_max`.
    ///
    /// # Errors
    ///
    /// What the system says.
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

    /// The kernel's receive buffer, in bytes (`SO_RCVBUF`), where messages wait to be received; up
    /// to the sysctl `net.core.rmem_max`. Of UDP, what does not fit is lost.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.set_recv_buffer_size(64 << 10)?;
    /// assert!(socket.recv_buffer_size()? >= 64 << 10);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
        self.connection.fd.socket()?.set_recv_buffer_size(buffer_size(bytes))
    }

    /// The kernel's receive buffer, in bytes: twice what was asked for.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.connection.fd.socket()?.recv_buffer_size()
    }
}

/// Whether the kernel takes so many pieces at once: a message does not go out in parts.
fn fits_one_call<V: IoVecBuf>(buffers: &V) -> bool {
    let mut pieces = 0;
    buffers.for_each_init(|piece| pieces += usize::from(!piece.is_empty()));
    pieces <= IOVECS_MAX
}

/// Smaller buffers of the pool have no room for a head and something behind it.
const POOLED_BYTES_MIN: usize = 2 * MESSAGE_OFFSET;

/// How long a send rests before it tries again: at first, and at most.
pub(super) const REST_MIN: Duration = Duration::from_millis(1);
pub(super) const REST_MAX: Duration = Duration::from_millis(50);

pub(super) const NO_FDS: Vec<OwnedFd> = Vec::new();

impl<K: DatagramKind> Drop for DatagramSocket<K> {
    /// The receive in flight is cancelled, and so lets go of its share.
    fn drop(&mut self) {
        self.connection.stop_reading();
    }
}

/// For options that have no method here: pass it to `socket2::SockRef::from`, for instance. Leave
/// the socket blocking or not, as the driver has it.
///
/// ```
/// # use miniss_linux::{Runtime, net::UdpSocket};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use std::os::fd::AsFd;
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// let copy = std::net::UdpSocket::from(socket.as_fd().try_clone_to_owned()?);
/// assert_eq!(copy.local_addr()?, socket.local_addr()?);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
impl<K: DatagramKind> AsFd for DatagramSocket<K> {
    /// # Panics
    ///
    /// If the socket was closed and the process has no descriptor left.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.fd.lend()
    }
}

impl<K: DatagramKind> fmt::Debug for DatagramSocket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(K::NAME);
        if let Ok(address) = self.local_addr() {
            out.field("address", &address);
        }
        out.finish_non_exhaustive()
    }
}
