//! The writing side of a connection.
//!
//! A write in progress: first its turn, then sends until the kernel has taken what it is to take.
//!
//! The turn lies in the send, not here. So a write that is dropped in the middle keeps it until the
//! kernel has let go of the send, and nothing of it can go out behind a later write.
//!
//! [`Writing`] is a state machine and no `async fn`, since it is part of the task of every
//! connection. An `async fn` would have room for the buffer twice, beside the operation and in it,
//! and room for a wait that is rare.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::{io, mem};

use miniss_core::coop::{Leaf, consume_budget};
use miniss_core::op::Operation;
use miniss_core::sync::Acquire;

use super::kind::StreamKind;
use super::stream::Stream;
use crate::buf::{BufResult, IoBuf, IoVecBuf};
use crate::driver::{Op, Prepare};
use crate::op::connection::{Connection, WriteTurn};
use crate::op::message::SendMsg;
use crate::op::recv::Watch;
use crate::op::send::{Pages, Send, SendPages};
use crate::op::zero_copy::SendingZeroCopy;

impl<K: StreamKind> Stream<K> {
    /// Writes from `buffer`, and gives it back with the number of bytes written, which may be fewer
    /// than there are. An empty buffer is written at once.
    ///
    /// # Errors
    ///
    /// What the system says; a peer that is gone is `BrokenPipe` or `ConnectionReset`, never a
    /// signal.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the write. No later one begins before the kernel has let go of it;
    /// [`cancelled_write_bytes`](Self::cancelled_write_bytes) then says how much of it went out.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, buffer) = stream.write("hello").await;
    /// println!("{} of {} bytes", result?, buffer.len());
    /// # Ok(()) });
    /// ```
    pub fn write<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> {
        Writing::new(&self.connection, buffer, false)
    }

    /// Writes all of `buffer`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write).
    pub fn write_all<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<(), B>> {
        let mut writing = Writing::new(&self.connection, buffer, true);
        poll_fn(move |cx| {
            let (result, buffer) = ready!(Pin::new(&mut writing).poll(cx));
            Poll::Ready((result.map(drop), buffer))
        })
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, _) = stream.write_vectored(["head", "body"]).await;
    /// println!("{} bytes", result?);
    /// # Ok(()) });
    /// ```
    pub async fn write_vectored<V: IoVecBuf>(&self, buffers: V) -> BufResult<usize, V> {
        match self.begin_vectored(total(&buffers)).await {
            Ok(Some(turn)) => {
                let (result, send) = self.connection.send(SendMsg::new(turn, buffers)).await;
                (result, send.buffers)
            }
            Ok(None) => (Ok(0), buffers),
            Err(error) => (Err(error), buffers),
        }
    }

    /// Writes all of several buffers.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of them may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write).
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, _) = stream.write_vectored_all(["head", "body"]).await;
    /// result?;
    /// assert_eq!(peer.read_exact([0; 8]).await.1, *b"headbody");
    /// # Ok(()) });
    /// ```
    pub async fn write_vectored_all<V: IoVecBuf>(&self, buffers: V) -> BufResult<(), V> {
        let (mut done, total) = (0, total(&buffers));
        let mut send = match self.begin_vectored(total).await {
            Ok(Some(turn)) => SendMsg::new(turn, buffers),
            Ok(None) => return (Ok(()), buffers),
            Err(error) => return (Err(error), buffers),
        };
        loop {
            let result;
            (result, send) = self.connection.send(send.after(done)).await;
            done += match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), send.buffers),
                Ok(len) => len,
                Err(error) => return (Err(error), send.buffers),
            };
            if done >= total {
                return (Ok(()), send.buffers);
            }
            if let Err(error) = self.connection.fd.check_still_open() {
                return (Err(error), send.buffers);
            }
        }
    }

    /// Writes all of `buffer`, without a copy where that pays: the network reads from the buffer
    /// itself, which comes back when it no longer does. For TCP that is when the peer has
    /// acknowledged all of it, so it takes a round trip at least; other writes may begin sooner, as
    /// soon as these bytes are queued.
    ///
    /// Buffers of less than [`ZERO_COPY_MIN`] bytes are copied, and so is everything where the
    /// driver, the kernel or the socket cannot do without: it is [`write_all`](Self::write_all)
    /// then. The kernel copies by itself on the way to a socket of the same machine.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write). The buffer is kept until it is no longer read.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # use miniss_linux::spawn;
    /// let picture = vec![7; 1 << 20];
    /// let reader = spawn(async move { peer.read_exact(vec![0; 1 << 20]).await });
    /// let (result, picture) = stream.write_all_zero_copy(picture).await;
    /// result?;
    /// assert_eq!(reader.await.unwrap().1, picture);
    /// # Ok(()) });
    /// ```
    pub async fn write_all_zero_copy<B: IoBuf>(&self, buffer: B) -> BufResult<(), B> {
        let is_worth_it = buffer.as_init().len() >= ZERO_COPY_MIN;
        if is_worth_it && self.connection.fd.driver().has_zero_copy() {
            self.write_all_without_copy(buffer).await
        } else {
            self.write_all(buffer).await
        }
    }

    pub(crate) async fn write_all_without_copy<B: IoBuf>(&self, mut buffer: B) -> BufResult<(), B> {
        let total = buffer.as_init().len();
        let mut turn = match self.begin_vectored(total).await {
            Ok(turn) => turn,
            Err(error) => return (Err(error), buffer),
        };
        let (mut done, mut copies) = (0, false);
        while let Some(ours) = turn {
            let result;
            (result, turn, buffer) = self.send_piece(ours, buffer, done, copies).await;
            done += match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(len) => len,
                Err(error) if !copies && cannot_without_copy(&error) => {
                    copies = true;
                    0
                }
                Err(error) => return (Err(error), buffer),
            };
            if done >= total {
                break;
            }
            if let Err(error) = self.connection.fd.check_still_open() {
                return (Err(error), buffer);
            }
        }
        (Ok(()), buffer)
    }

    /// One send of what is left. The turn comes back if others must still wait.
    async fn send_piece<B: IoBuf>(
        &self,
        turn: WriteTurn,
        buffer: B,
        done: usize,
        copies: bool,
    ) -> (io::Result<usize>, Option<WriteTurn>, B) {
        if copies {
            let op = self.connection.send(Send { turn, buffer, done, flags: libc::MSG_WAITALL });
            let (result, Send { turn, buffer, .. }) = op.await;
            return (result, Some(turn), buffer);
        }
        SendingZeroCopy::start(&self.connection, turn, buffer, done).await
    }

    /// Writes pages that are in a pipe, `len` bytes or fewer. `WouldBlock` if there is no room for
    /// them, or there are none.
    pub(crate) async fn write_pages<P: Pages>(&self, pages: &P, len: u32) -> io::Result<usize> {
        let turn = self.connection.turn_to_write().await;
        self.connection.fd.check_still_open()?;
        let sent = self.connection.send(SendPages::new(turn, pages.clone(), len)).await;
        sent.map_err(|error| self.connection.fd.check_still_open().err().unwrap_or(error))
    }

    /// Waits until there is room to write.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        Watch::start(&self.connection, libc::POLLOUT).await
    }

    /// The turn of a vectored write; `None` if there is nothing to write.
    async fn begin_vectored(&self, total: usize) -> io::Result<Option<WriteTurn>> {
        consume_budget().await;
        self.connection.fd.check_open()?;
        if total == 0 {
            return Ok(None);
        }
        let turn = self.connection.turn_to_write().await;
        self.connection.fd.check_still_open()?;
        Ok(Some(turn))
    }

    /// How many bytes of writes that were given up went out all the same, since this was last
    /// asked.
    ///
    /// A write whose future is dropped before it has ended is cancelled, and by then the kernel may
    /// have taken some of it. Writes that follow begin only behind what went out, but the peer has
    /// a message that was cut off. So after a write that was given up, a protocol of messages asks
    /// here: 0 means that the peer has seen nothing of it; as many as there were, that it has seen
    /// all; and at anything between there is nothing left but to close the connection.
    ///
    /// It waits its turn as a write does, and so for the end of those that were given up.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what was not told is told next time.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use std::time::Duration;
    /// use miniss_linux::time::timeout;
    ///
    /// let message = vec![0; 64 << 20]; // more than fits on the way to a peer that does not read
    /// let len = message.len();
    /// let written = timeout(Duration::from_millis(1), stream.write_all(message)).await;
    /// assert!(written.is_err());
    /// let went_out = stream.cancelled_write_bytes().await;
    /// if went_out != 0 && went_out != len {
    ///     stream.close().await?;
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn cancelled_write_bytes(&self) -> usize {
        let _turn = self.connection.turn_to_write().await;
        self.connection.take_cancelled_bytes()
    }
}

/// Smaller buffers are copied also by [`Stream::write_all_zero_copy`]: 64 KiB. From there on it
/// costs no more CPU than a copy even on the loopback, where the kernel copies all the same; the
/// manual's decisions chapter has the figures.
pub const ZERO_COPY_MIN: usize = 64 * 1024;

/// Whether a send without a copy failed in a way that one with a copy does not: the socket does not
/// know it, or too little memory may be locked or used for what the kernel notes of it.
fn cannot_without_copy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOMEM | libc::ENOBUFS))
}

impl Connection {
    /// Starts what has its turn.
    pub(super) fn send<O: Prepare>(&self, send: O) -> Op<O> {
        let op = self.start(send);
        self.set_sending(&op);
        op
    }
}

/// The bytes of several buffers together.
fn total<V: IoVecBuf>(buffers: &V) -> usize {
    let mut total = 0;
    buffers.for_each_init(|piece| total += piece.len());
    total
}

/// A write of a buffer; gives the number of bytes written.
pub(super) struct Writing<'a, B: IoBuf> {
    connection: &'a Rc<Connection>,
    /// Goes on until everything is written.
    whole: bool,
    leaf: Leaf,
    stage: Stage<'a, B>,
}

enum Stage<'a, B: IoBuf> {
    New(B),
    /// Another write is in progress. Only a write that waits takes memory for the wait.
    Waiting(B, Pin<Box<Acquire<'a>>>),
    Sending(Op<Send<B>>),
    Ended,
}

/// Nothing in it is pinned but what is in the box.
impl<B: IoBuf> Unpin for Writing<'_, B> {}

impl<'a, B: IoBuf> Writing<'a, B> {
    pub(super) fn new(connection: &'a Rc<Connection>, buffer: B, whole: bool) -> Self {
        Self { connection, whole, leaf: Leaf::new(), stage: Stage::New(buffer) }
    }

    fn send(&mut self, turn: WriteTurn, buffer: B, done: usize) {
        self.start(self.next(turn, buffer, done));
    }

    fn next(&self, turn: WriteTurn, buffer: B, done: usize) -> Send<B> {
        // The kernel goes on by itself until everything is sent, if it can.
        let flags = if self.whole { libc::MSG_WAITALL } else { 0 };
        Send { turn, buffer, done, flags }
    }

    fn start(&mut self, send: Send<B>) {
        let op = self.connection.start(send);
        self.connection.set_sending(&op);
        self.stage = Stage::Sending(op);
    }

    /// Takes the turn if it is free.
    fn begin(&mut self) -> Option<BufResult<usize, B>> {
        let Stage::New(buffer) = mem::replace(&mut self.stage, Stage::Ended) else { return None };
        let Some(turn) = self.connection.try_turn_to_write() else { return self.wait(buffer) };
        if self.connection.fd.driver().is_nonblocking() {
            return self.send_now(turn, buffer);
        }
        self.send(turn, buffer, 0);
        None
    }

    /// Sends without an operation, if there is room.
    #[inline(never)]
    fn send_now(&mut self, turn: WriteTurn, buffer: B) -> Option<BufResult<usize, B>> {
        let mut send = self.next(turn, buffer, 0);
        if let Some(completion) = self.connection.fd.driver().perform(&mut send) {
            let (result, send) = send.settle(completion);
            return self.after(result, send);
        }
        self.start(send);
        None
    }

    /// Waits in the queue, unless the stream was closed or there is nothing to write.
    #[cold]
    fn wait(&mut self, buffer: B) -> Option<BufResult<usize, B>> {
        if let Err(error) = self.connection.fd.check_open() {
            return Some((Err(error), buffer));
        }
        if buffer.as_init().is_empty() {
            return Some((Ok(0), buffer));
        }
        self.stage = Stage::Waiting(buffer, Box::pin(self.connection.wait_to_write()));
        None
    }

    /// It is our turn.
    #[cold]
    fn begin_late(&mut self, turn: WriteTurn) -> Option<BufResult<usize, B>> {
        let Stage::Waiting(buffer, _) = mem::replace(&mut self.stage, Stage::Ended) else {
            return None;
        };
        if let Err(error) = self.connection.fd.check_still_open() {
            return Some((Err(error), buffer));
        }
        self.send(turn, buffer, 0);
        None
    }

    /// Sends what the last send has left, or ends.
    #[inline(always)]
    fn after(&mut self, result: io::Result<usize>, send: Send<B>) -> Option<BufResult<usize, B>> {
        let result = match result {
            Ok(len) if self.whole && send.done + len < send.buffer.as_init().len() => {
                return self.send_rest(len, send);
            }
            result => result.map(|len| send.done + len),
        };
        Some((result, send.buffer))
    }

    #[cold]
    fn send_rest(&mut self, len: usize, sent: Send<B>) -> Option<BufResult<usize, B>> {
        let Send { turn, buffer, done, .. } = sent;
        let may_go_on = match len {
            0 => Err(io::ErrorKind::WriteZero.into()),
            _ => self.connection.fd.check_still_open(),
        };
        if let Err(error) = may_go_on {
            return Some((Err(error), buffer));
        }
        self.send(turn, buffer, done + len);
        None
    }
}

impl<B: IoBuf> Future for Writing<'_, B> {
    type Output = BufResult<usize, B>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = match &mut self.stage {
                Stage::New(_) => {
                    ready!(self.leaf.poll_proceed(cx));
                    self.begin()
                }
                Stage::Waiting(_, acquire) => {
                    let unit = ready!(acquire.as_mut().poll(cx));
                    let turn = self.connection.turn(unit);
                    self.begin_late(turn)
                }
                Stage::Sending(op) => {
                    let (result, send) = ready!(Pin::new(op).poll(cx));
                    self.after(result, send)
                }
                Stage::Ended => panic!("a write was polled after it had ended"),
            };
            if let Some(end) = end {
                return Poll::Ready(end);
            }
        }
    }
}
