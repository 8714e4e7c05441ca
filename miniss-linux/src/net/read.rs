//! The reading side of a connection.
//!
//! Bytes come three ways: into the reader's own buffer; into buffers of the pool, with io_uring
//! ahead of the reader; and into memory of their own, after a read was dropped or while the pool is
//! empty. What was received first is read first, however the three are mixed. A `recv` that waits
//! holds no memory for the bytes yet.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use miniss_core::coop::cooperative;
use miniss_core::op::{Completion, Part};

use super::kind::StreamKind;
use super::stream::Stream;
use crate::buf::{BufResult, IoBufMut, IoVecBufMut};
use crate::driver::Prepare;
use crate::driver::buffers::{BufferPool, PoolBuf};
use crate::op::connection::{Connection, Reading};
use crate::op::fd::is_cancelled;
use crate::op::message::RecvMsg;
use crate::op::recv::{Ended, Readable, Recv, RecvPool, received};
use crate::op::steps;

impl<K: StreamKind> Stream<K> {
    /// Reads into `buffer`, from its beginning up to its capacity, and gives it back with the
    /// number of bytes read; 0 means that the peer will send no more, or that the buffer has no
    /// room. A `Vec` is read into up to its capacity, whatever its length.
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # peer.write_all("hello").await.0?;
    /// let (result, buffer) = stream.read(Vec::with_capacity(64)).await;
    /// assert_eq!(result?, 5);
    /// assert_eq!(buffer, b"hello");
    /// # Ok(()) });
    /// ```
    pub fn read<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> {
        self.read_or_peek(buffer, false)
    }

    /// Reads into `buffer` without taking: the next read gives the same bytes again. Otherwise like
    /// [`read`](Self::read); it waits until there is something to see.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// Cancel safe but for the buffer, which is lost.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # peer.write_all("GET /").await.0?;
    /// let (result, start) = stream.peek([0; 3]).await;
    /// assert_eq!(&start[..result?], b"GET");
    /// assert_eq!(stream.recv().await?[..], *b"GET /");
    /// # Ok(()) });
    /// ```
    pub fn peek<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> {
        self.read_or_peek(buffer, true)
    }

    fn read_or_peek<B: IoBufMut>(
        &self,
        buffer: B,
        peeks: bool,
    ) -> impl Future<Output = BufResult<usize, B>> {
        cooperative(async move {
            let _reading = match Reading::begin(&self.connection) {
                Ok(reading) => reading,
                Err(error) => return (Err(error), buffer),
            };
            if buffer.bytes_total() == 0 {
                return (Ok(0), buffer);
            }
            match self.connection.next(Ahead::No).await {
                Next::Bytes(received) => self.hand_over(received, buffer, peeks),
                Next::Nothing | Next::NoBuffer => self.connection.receive_into(buffer, peeks).await,
            }
        })
    }

    /// Copies received bytes into the reader's buffer; what does not fit waits, as do all of them
    /// if it peeks.
    fn hand_over<B: IoBufMut>(
        &self,
        received: io::Result<PoolBuf>,
        mut buffer: B,
        peeks: bool,
    ) -> BufResult<usize, B> {
        let mut bytes = match received {
            Ok(bytes) => bytes,
            Err(error) => return (Err(error), buffer),
        };
        let len = crate::buf::copy_into(&mut buffer, &bytes);
        if !peeks {
            bytes.advance(len);
            drop(self.connection.take_fds());
        }
        self.connection.side.put_back(bytes);
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
    pub fn read_exact<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<(), B>> {
        steps::read_exact(buffer, |rest, _| self.read(rest))
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # peer.write_all("headbody").await.0?;
    /// let (result, [head, body]) = stream.read_vectored([vec![0; 4], vec![0; 60]]).await;
    /// assert_eq!(result?, 8);
    /// assert_eq!((&head[..], &body[..]), (&b"head"[..], &b"body"[..]));
    /// # Ok(()) });
    /// ```
    pub fn read_vectored<V: IoVecBufMut>(
        &self,
        mut buffers: V,
    ) -> impl Future<Output = BufResult<usize, V>> {
        cooperative(async move {
            let _reading = match Reading::begin(&self.connection) {
                Ok(reading) => reading,
                Err(error) => return (Err(error), buffers),
            };
            if !crate::buf::has_room(&mut buffers) {
                return (Ok(0), buffers);
            }
            match self.connection.next(Ahead::No).await {
                Next::Bytes(Ok(mut bytes)) => {
                    let len = crate::buf::copy_into_all(&mut buffers, &bytes);
                    bytes.advance(len);
                    drop(self.connection.take_fds());
                    self.connection.side.put_back(bytes);
                    (Ok(len), buffers)
                }
                Next::Bytes(Err(error)) => (Err(error), buffers),
                Next::Nothing | Next::NoBuffer => {
                    let recv = RecvMsg::of_stream(self.connection.clone(), buffers, 0);
                    let (result, buffers) = self.connection.receive(recv).await;
                    (result.map(|envelope| envelope.len), buffers)
                }
            }
        })
    }

    /// The next bytes, in a buffer of the shard's pool; an empty one means that the peer will send
    /// no more.
    ///
    /// While it waits, the connection holds no buffer. If there is no free buffer when there is
    /// data, the message gets memory of its own.
    ///
    /// With io_uring the kernel receives ahead into the pool from the first `recv` on, also while
    /// no one reads. Once 8 buffers of a stream wait unread, its receive pauses until they have
    /// been read, and the data stays with the kernel; if no one is reading the stream and less than
    /// half of the pool is free, it pauses at the first.
    ///
    /// Mixing with [`read`](Self::read) works, at the cost of a copy there.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another read of this stream is in progress.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what arrives is for the next read.
    pub fn recv(&self) -> impl Future<Output = io::Result<PoolBuf>> {
        let mut receiving = Receiving::new(&self.connection);
        cooperative(poll_fn(move |cx| receiving.poll(cx)))
    }
}

/// A [`recv`](Stream::recv) in progress.
struct Receiving<'a> {
    connection: &'a Rc<Connection>,
    reading: Option<Reading<'a>>,
    /// A receive into memory of its own. Boxed, since few need it.
    alone: Option<Pin<Box<dyn Future<Output = io::Result<PoolBuf>> + 'a>>>,
}

impl<'a> Receiving<'a> {
    fn new(connection: &'a Rc<Connection>) -> Self {
        Self { connection, reading: None, alone: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<PoolBuf>> {
        if self.reading.is_none() {
            self.reading = Some(Reading::begin(self.connection)?);
        }
        let received = match &mut self.alone {
            None => match ready!(self.connection.poll_next(Ahead::Yes, cx)) {
                Next::Bytes(bytes) => bytes,
                Next::NoBuffer => return self.poll_alone(self.connection.recv_to_heap(), cx),
                Next::Nothing => return self.poll_alone(self.connection.recv_without_pool(), cx),
            },
            Some(alone) => ready!(alone.as_mut().poll(cx)),
        };
        self.reading = None;
        Poll::Ready(received)
    }

    #[cold]
    fn poll_alone(
        &mut self,
        alone: impl Future<Output = io::Result<PoolBuf>> + 'a,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<PoolBuf>> {
        self.alone = Some(Box::pin(alone));
        self.poll(cx)
    }
}

/// How a connection is read, whatever its kind.
impl Connection {
    /// There is no pool: before Linux 6.0, or where memory for it was refused.
    pub(super) async fn recv_without_pool(self: &Rc<Self>) -> io::Result<PoolBuf> {
        self.receive(Readable { connection: self.clone() }).await?;
        self.fd.check_still_open()?;
        self.recv_to_heap().await
    }

    /// Data is here, and all buffers of the shard are held. To wait for one would let a few readers
    /// that keep theirs stop all others, so this message gets memory of its own.
    pub(super) async fn recv_to_heap(self: &Rc<Self>) -> io::Result<PoolBuf> {
        let buffer = Vec::with_capacity(self.fd.driver().recv_buffer_bytes());
        let (result, buffer) = self.receive_into(buffer, false).await;
        result.map(|_| PoolBuf::from_heap(buffer.into_boxed_slice()))
    }

    fn receive_into<B: IoBufMut>(
        self: &Rc<Self>,
        buffer: B,
        peeks: bool,
    ) -> impl Future<Output = BufResult<usize, B>> {
        self.receive(Recv { connection: self.clone(), buffer, peeks })
    }

    /// A receive that may be dropped: the next read waits for its end.
    pub(super) fn receive<O: Prepare>(self: &Rc<Self>, recv: O) -> impl Future<Output = O::Output> {
        let op = self.start(recv);
        self.side.start_receive(op.id());
        async move {
            let output = op.await;
            self.side.end_receive();
            output
        }
    }

    /// Ends what receives ahead, and gives what was received and not read.
    pub(super) async fn read_rest(
        self: &Rc<Self>,
        mut take: impl FnMut(PoolBuf),
    ) -> io::Result<()> {
        let _reading = Reading::begin(self)?;
        if let Some(ahead) = &*self.receiving.borrow() {
            ahead.cancel();
        }
        loop {
            match self.next(Ahead::No).await {
                Next::Bytes(Ok(bytes)) => take(bytes),
                Next::Bytes(Err(error)) if !is_cancelled(&error) => return Err(error),
                // The cancel was ours.
                Next::Bytes(Err(_)) | Next::Nothing | Next::NoBuffer => return Ok(()),
            }
        }
    }

    pub(super) fn next(self: &Rc<Self>, ahead: Ahead) -> impl Future<Output = Next> {
        poll_fn(move |cx| self.poll_next(ahead, cx))
    }

    /// What comes next in the order of the bytes: first what was kept, then what is in the pool.
    pub(super) fn poll_next(self: &Rc<Self>, ahead: Ahead, cx: &mut Context<'_>) -> Poll<Next> {
        if self.side.poll_drained(cx).is_pending() {
            self.fd.driver().assert_here();
            return Poll::Pending;
        }
        if let Some(kept) = self.side.take_kept() {
            if ahead == Ahead::Yes {
                drop(self.take_fds());
            }
            return Poll::Ready(Next::Bytes(kept));
        }
        // With a multishot receive in flight, bytes may wait in the pool already, and a receive
        // beside that one would overtake it.
        if ahead == Ahead::No && self.receiving.borrow().is_none() {
            return Poll::Ready(self.nothing_yet());
        }
        match self.fd.driver().pool() {
            Ok(Some(pool)) => self.poll_pool(pool, ahead, cx),
            Ok(None) => Poll::Ready(self.nothing_yet()),
            Err(error) => Poll::Ready(Next::Bytes(Err(error))),
        }
    }

    /// The reader may start a receive, unless the stream was closed while it waited.
    fn nothing_yet(&self) -> Next {
        match self.fd.check_still_open() {
            Ok(()) => Next::Nothing,
            Err(error) => Next::Bytes(Err(error)),
        }
    }

    /// Receives when there is something, and not ahead. `None`: the driver does it otherwise.
    #[inline]
    fn poll_at_once(&self, pool: &Rc<BufferPool>, cx: &Context<'_>) -> Option<Poll<Next>> {
        let completion = self.fd.driver().poll_receive(self.fd.number(), pool, cx)?;
        Some(completion.map(|completion| match self.fd.check_still_open() {
            Ok(()) => brought_by(pool, completion),
            Err(error) => Next::Bytes(Err(error)),
        }))
    }

    fn poll_pool(
        self: &Rc<Self>,
        pool: &Rc<BufferPool>,
        ahead: Ahead,
        cx: &mut Context<'_>,
    ) -> Poll<Next> {
        if ahead == Ahead::Yes
            && let Some(received) = self.poll_at_once(pool, cx)
        {
            return received;
        }
        let mut receiving = self.receiving.borrow_mut();
        let mut lacks_buffer = false;
        loop {
            if receiving.is_none()
                && let Err(error) = self.fd.check_still_open()
            {
                return Poll::Ready(Next::Bytes(Err(error)));
            }
            let start = || {
                let recv = RecvPool::new(self.clone(), pool.clone());
                self.start(match ahead {
                    Ahead::Messages => recv.of_messages(),
                    _ if lacks_buffer => recv.once(),
                    _ => recv,
                })
            };
            match ready!(receiving.get_or_insert_with(start).poll_part(cx)) {
                Part::More(completion) => {
                    let bytes = received(pool, completion).ok_or_else(no_buffer_named);
                    return Poll::Ready(Next::Bytes(bytes));
                }
                Part::End(ended) => {
                    *receiving = None;
                    match ended_with(pool, &ended) {
                        Some(next) => return Poll::Ready(next),
                        None if ahead == Ahead::No => return Poll::Ready(self.nothing_yet()),
                        None => {}
                    }
                    lacks_buffer = !ended.paused;
                }
            }
        }
    }
}

/// Whether bytes may be received into the pool before a read, where the driver can.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    No,
    Yes,
    /// Each with what came beside it.
    Messages,
}

/// What a read finds.
pub(super) enum Next {
    Bytes(io::Result<PoolBuf>),
    /// No bytes wait, and no receive is in flight: the reader may receive into memory of its own.
    Nothing,
    /// As before, but bytes wait in the kernel: a receive into the pool had waited for data before
    /// it looked for a buffer, and found none.
    NoBuffer,
}

/// `None`: the receive starts again. It has paused, or found no free buffer.
fn ended_with(pool: &Rc<BufferPool>, ended: &Ended) -> Option<Next> {
    match -ended.completion.result {
        // Whether there are bytes, it does not say.
        libc::ENOBUFS if !ended.once => None,
        libc::ECANCELED if ended.paused => None,
        _ => Some(brought_by(pool, ended.completion)),
    }
}

/// What the last completion of a receive brings.
#[inline]
fn brought_by(pool: &Rc<BufferPool>, completion: Completion) -> Next {
    if let Some(bytes) = received(pool, completion).filter(|bytes| !bytes.is_empty()) {
        return Next::Bytes(Ok(bytes));
    }
    match -completion.result {
        0 => Next::Bytes(Ok(PoolBuf::empty())),
        libc::ENOBUFS => Next::NoBuffer,
        errno => Next::Bytes(Err(io::Error::from_raw_os_error(errno))),
    }
}

#[cold]
fn no_buffer_named() -> io::Error {
    io::Error::other("recv: the kernel named no buffer for what it received")
}
