//! A TCP connection.
//!
//! `user future ─▶ [stream] ─▶ driver ─▶ op ─▶ kernel`

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use miniss_core::op::Part;
use miniss_core::sync::Mutex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::fd::Fd;
use super::read_side::ReadSide;
use super::split::{OwnedReadHalf, OwnedWriteHalf};
use crate::buf::{BufResult, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut};
use crate::driver::uring::buffers::{BufferPool, PoolBuf};
use crate::driver::{Driver, Op, Prepare};
use crate::op::connect::Connect;
use crate::op::recv::Recv;
use crate::op::recv_pool::{Ended, RecvPool, received};
use crate::op::recvmsg::RecvMsg;
use crate::op::send::Send;
use crate::op::sendmsg::SendMsg;
use crate::op::shutdown;
use crate::runtime::current;

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
    fd: Fd,
    side: Rc<ReadSide>,
    /// The multishot receive, once `recv` has been used.
    receiving: RefCell<Option<Op<RecvPool>>>,
    /// Whoever holds the lock writes: with two sends in flight, the kernel may let the later one go
    /// first when there is room again.
    writing: Mutex<()>,
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
    ///
    /// See [`TcpStream`] for an example.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
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
        let stream = Self::from_fd(socket.into(), current::with(|shard| shard.driver.clone()));
        let connect = Connect { fd: stream.fd.clone(), address: SockAddr::from(address) };
        stream.start(connect).await?;
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
        Ok(Self::from_fd(stream.into(), current::with(|shard| shard.driver.clone())))
    }

    pub(crate) fn from_fd(fd: OwnedFd, driver: Rc<Driver>) -> Self {
        Self {
            fd: Fd::new(fd, driver),
            side: Rc::default(),
            receiving: RefCell::new(None),
            writing: Mutex::new(()),
        }
    }

    fn start<O: Prepare>(&self, op: O) -> Op<O> {
        self.fd.driver().start(op)
    }

    /// Reads into `buffer`, from its beginning up to its capacity, and gives it back with the
    /// number of bytes read; 0 means that the peer will send no more.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another read of this stream is in progress.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the read. Bytes that arrive all the same are for the next read; the
    /// buffer is lost.
    ///
    /// See [`TcpStream`] for an example.
    pub async fn read<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        let _reading = match self.side.begin() {
            Ok(reading) => reading,
            Err(error) => return (Err(error), buffer),
        };
        self.read_once(buffer).await
    }

    /// The caller holds the right to read.
    async fn read_once<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        self.side.drained().await;
        if let Some(kept) = self.side.take_kept() {
            return self.hand_over(kept, buffer);
        }
        if self.receiving.borrow().is_some() {
            // Bytes may wait in the pool already: a second receive beside that one would overtake
            // it.
            let received = self.recv_from_pool().await;
            return self.hand_over(received, buffer);
        }
        self.recv_into(buffer).await
    }

    /// Copies received bytes into the reader's buffer; what does not fit waits.
    fn hand_over<B: IoBufMut>(
        &self,
        received: io::Result<PoolBuf>,
        mut buffer: B,
    ) -> BufResult<usize, B> {
        let mut bytes = match received {
            Ok(bytes) => bytes,
            Err(error) => return (Err(error), buffer),
        };
        let len = crate::buf::copy_into(&mut buffer, &bytes);
        bytes.advance(len);
        self.side.put_back(bytes);
        (Ok(len), buffer)
    }

    /// Reads until `buffer` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the peer ends first; otherwise as for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// Not cancel safe: bytes that were read into the buffer are lost with it.
    ///
    /// See [`TcpStream`] for an example.
    pub async fn read_exact<B: IoBufMut>(&self, mut buffer: B) -> BufResult<(), B> {
        let _reading = match self.side.begin() {
            Ok(reading) => reading,
            Err(error) => return (Err(error), buffer),
        };
        let (mut done, total) = (0, buffer.bytes_total());
        while done < total {
            let (result, slice) = self.read_once(buffer.slice(done..total)).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buffer),
                Ok(len) => done += len,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Reads into several buffers, one after the other; like [`read`](Self::read) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// As for [`read`](Self::read).
    ///
    /// ```no_run
    /// # async fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// let (result, [header, body]) = stream.read_vectored([vec![0; 4], vec![0; 60]]).await;
    /// println!("{} bytes", result?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_vectored<V: IoVecBufMut>(&self, mut buffers: V) -> BufResult<usize, V> {
        let _reading = match self.side.begin() {
            Ok(reading) => reading,
            Err(error) => return (Err(error), buffers),
        };
        self.side.drained().await;
        let mut received = self.side.take_kept();
        if received.is_none() && self.receiving.borrow().is_some() {
            received = Some(self.recv_from_pool().await);
        }
        match received {
            Some(Ok(mut bytes)) => {
                let len = crate::buf::copy_into_all(&mut buffers, &bytes);
                bytes.advance(len);
                self.side.put_back(bytes);
                (Ok(len), buffers)
            }
            Some(Err(error)) => (Err(error), buffers),
            None => {
                let recv = RecvMsg::new(self.fd.clone(), buffers, self.side.clone());
                self.receive(recv).await
            }
        }
    }

    /// The next bytes, in a buffer of the shard's pool; an empty one means that the peer will send
    /// no more.
    ///
    /// While it waits, the connection holds no buffer. From the first `recv` on, the kernel
    /// receives ahead into the pool, up to 8 buffers for a stream; mixing with [`read`](Self::read)
    /// works, at the cost of a copy there.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another read of this stream is in progress.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what arrives is for the next read.
    ///
    /// See [`PoolBuf`] for an example.
    pub async fn recv(&self) -> io::Result<PoolBuf> {
        let _reading = self.side.begin()?;
        self.side.drained().await;
        match self.side.take_kept() {
            Some(kept) => kept,
            None => self.recv_from_pool().await,
        }
    }

    async fn recv_from_pool(&self) -> io::Result<PoolBuf> {
        let driver = self.fd.driver();
        if !driver.features().multishot_recv {
            return self.recv_to_heap(driver.recv_buffer_bytes()).await;
        }
        let pool = driver.pool()?;
        loop {
            match poll_fn(|cx| self.poll_recv(&pool, cx)).await {
                Received::Bytes(bytes) => return bytes,
                Received::Again => {}
                Received::NoBuffer => {
                    pool.count_exhaustion();
                    return self.recv_to_heap(driver.recv_buffer_bytes()).await;
                }
            }
        }
    }

    /// All buffers of the shard are held, and data is here. Waiting for a buffer would let a few
    /// readers that hold on to theirs stop everybody else, so this message gets memory of its own.
    /// Before Linux 6.0 every message does.
    async fn recv_to_heap(&self, bytes: usize) -> io::Result<PoolBuf> {
        let buffer = Vec::with_capacity(bytes);
        let (result, buffer) = self.recv_into(buffer).await;
        result.map(|_| PoolBuf::from_heap(buffer.into_boxed_slice()))
    }

    async fn recv_into<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        let recv = Recv { fd: self.fd.clone(), buffer, side: self.side.clone() };
        self.receive(recv).await
    }

    /// A receive that may be dropped: whoever reads next waits for its end.
    async fn receive<O: Prepare>(&self, recv: O) -> O::Output {
        self.side.start_receive();
        let output = self.start(recv).await;
        self.side.end_receive();
        output
    }

    fn poll_recv(&self, pool: &Rc<BufferPool>, cx: &mut Context<'_>) -> Poll<Received> {
        let mut receiving = self.receiving.borrow_mut();
        let op = receiving
            .get_or_insert_with(|| self.start(RecvPool::new(self.fd.clone(), pool.clone())));
        match std::task::ready!(op.poll_part(cx)) {
            Part::More(completion) => {
                op.with(RecvPool::read_one);
                let bytes = received(pool, completion).ok_or_else(no_buffer_named);
                Poll::Ready(Received::Bytes(bytes))
            }
            Part::End(ended) => {
                *receiving = None;
                Poll::Ready(ended_with(pool, &ended))
            }
        }
    }

    /// Writes from `buffer`, and gives it back with the number of bytes written, which may be fewer
    /// than there are.
    ///
    /// # Errors
    ///
    /// What the system says; a peer that is gone is `BrokenPipe` or `ConnectionReset`, never a
    /// signal.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the write; how much was written is not known then.
    ///
    /// See [`TcpStream`] for an example of [`write_all`](Self::write_all).
    pub async fn write<B: IoBuf>(&self, buffer: B) -> BufResult<usize, B> {
        let _turn = self.writing.lock().await;
        self.start(Send { fd: self.fd.clone(), buffer, flags: 0 }).await
    }

    /// Writes all of `buffer`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the write; how much was written is not known then.
    ///
    /// See [`TcpStream`] for an example.
    pub async fn write_all<B: IoBuf>(&self, buffer: B) -> BufResult<(), B> {
        let _turn = self.writing.lock().await;
        let total = buffer.as_init().len();
        let flags = libc::MSG_WAITALL;
        let (result, buffer) = self.start(Send { fd: self.fd.clone(), buffer, flags }).await;
        match result {
            Ok(done) if done >= total => (Ok(()), buffer),
            Ok(done) => self.write_rest(buffer, done, total).await,
            Err(error) => (Err(error), buffer),
        }
    }

    /// The kernel wrote less than everything: a signal, or an operation larger than it takes.
    async fn write_rest<B: IoBuf>(
        &self,
        mut buffer: B,
        mut done: usize,
        total: usize,
    ) -> BufResult<(), B> {
        while done < total {
            let flags = libc::MSG_WAITALL;
            let send = Send { fd: self.fd.clone(), buffer: buffer.slice(done..total), flags };
            let (result, slice) = self.start(send).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(len) => done += len,
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Writes from several buffers, one after the other; like [`write`](Self::write) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write).
    ///
    /// ```no_run
    /// # async fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// let (result, _) = stream.write_vectored(["head", "body"]).await;
    /// println!("{} bytes", result?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_vectored<V: IoVecBuf>(&self, buffers: V) -> BufResult<usize, V> {
        let _turn = self.writing.lock().await;
        self.start(SendMsg::new(self.fd.clone(), buffers, 0)).await
    }

    /// Writes all of several buffers.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of them may have been written.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the write; how much was written is not known then.
    ///
    /// ```no_run
    /// # async fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// let (result, _) = stream.write_vectored_all(["head", "body"]).await;
    /// result
    /// # }
    /// ```
    pub async fn write_vectored_all<V: IoVecBuf>(&self, mut buffers: V) -> BufResult<(), V> {
        let _turn = self.writing.lock().await;
        let (mut done, mut total) = (0, 0);
        buffers.for_each_init(|part| total += part.len());
        while done < total {
            let result;
            (result, buffers) = self.start(SendMsg::new(self.fd.clone(), buffers, done)).await;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffers),
                Ok(len) => done += len,
                Err(error) => return (Err(error), buffers),
            }
        }
        (Ok(()), buffers)
    }

    /// Ends one direction or both: after the sending one, the peer reads the end of the stream.
    ///
    /// # Errors
    ///
    /// What the system says; `NotConnected` if the peer has reset the connection.
    ///
    /// # Cancellation
    ///
    /// Dropping it may come too late to stop it.
    ///
    /// ```no_run
    /// # async fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// stream.shutdown(std::net::Shutdown::Write).await
    /// # }
    /// ```
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.start(shutdown::Shutdown { fd: self.fd.clone(), how }).await
    }

    /// Closes the connection now, whoever shares it: what is in flight on it, by other tasks too,
    /// ends with `ECANCELED`, and what they do afterwards with `EBADF`.
    ///
    /// # Errors
    ///
    /// What `close(2)` says.
    ///
    /// # Cancellation
    ///
    /// Dropping it does not stop it: the connection is closed all the same.
    ///
    /// ```no_run
    /// # async fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// stream.close().await
    /// # }
    /// ```
    pub async fn close(&self) -> io::Result<()> {
        self.fd.clone().close().await
    }

    /// Ends the sending direction without waiting for it.
    pub(super) fn shut_down_now(&self) {
        if let Ok(socket) = self.fd.socket() {
            // A peer that is gone already needs no end.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// See [`from_std`](Self::from_std) for an example.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket_address(self.fd.socket()?.peer_addr()?)
    }

    /// Our own address.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```no_run
    /// # fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// println!("{}", stream.local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket_address(self.fd.socket()?.local_addr()?)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`) and not gathered for a while.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```no_run
    /// # fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// stream.set_nodelay(true)
    /// # }
    /// ```
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.fd.socket()?.set_tcp_nodelay(on)
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```no_run
    /// # fn example(stream: miniss_linux::net::TcpStream) -> std::io::Result<()> {
    /// assert!(!stream.nodelay()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.fd.socket()?.tcp_nodelay()
    }

    /// Splits it into a half that reads and a half that writes, for tasks of their own on this
    /// shard.
    ///
    /// ```no_run
    /// # use miniss_linux::{net::TcpStream, spawn};
    /// # async fn example(stream: TcpStream) {
    /// let (reader, writer) = stream.into_split();
    /// spawn(async move { writer.write_all("ping").await.0 }).detach();
    /// println!("{:?}", reader.recv().await);
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        super::split::split(self)
    }
}

/// What a poll of the multishot receive gave.
enum Received {
    Bytes(io::Result<PoolBuf>),
    /// It ended, and has to be started anew.
    Again,
    /// It ended because no buffer was free.
    NoBuffer,
}

fn ended_with(pool: &Rc<BufferPool>, ended: &Ended) -> Received {
    if let Some(bytes) = received(pool, ended.completion).filter(|bytes| !bytes.is_empty()) {
        return Received::Bytes(Ok(bytes));
    }
    match -ended.completion.result {
        0 => Received::Bytes(Ok(PoolBuf::empty())),
        libc::ENOBUFS => Received::NoBuffer,
        libc::ECANCELED if ended.paused => Received::Again,
        errno => Received::Bytes(Err(io::Error::from_raw_os_error(errno))),
    }
}

#[cold]
fn no_buffer_named() -> io::Error {
    io::Error::other("recv: the kernel named no buffer for what it received")
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
