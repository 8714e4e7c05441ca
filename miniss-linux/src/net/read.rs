//! The reading side of a TCP connection.
//!
//! `kernel ─▶ completion ─▶ [stream] ─▶ user future`
//!
//! Bytes come three ways: into a reader's own buffer; into buffers of the pool, received ahead of
//! the reader; and, where an earlier read was given up or the pool was empty, through memory of
//! their own. What was received first is read first, whichever ways are mixed.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use miniss_core::op::Part;

use super::stream::TcpStream;
use crate::buf::{BufResult, IoBufMut, IoVecBufMut};
use crate::driver::Prepare;
use crate::driver::uring::buffers::{BufferPool, PoolBuf};
use crate::op::recv::Recv;
use crate::op::recv_pool::{Ended, RecvPool, received};
use crate::op::recvmsg::RecvMsg;

impl TcpStream {
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # peer.write_all("headbody").await.0?;
    /// let (result, [head, body]) = stream.read_vectored([vec![0; 4], vec![0; 60]]).await;
    /// assert_eq!(result?, 8);
    /// assert_eq!((&head[..], &body[..]), (&b"head"[..], &b"body"[..]));
    /// # Ok(()) });
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
