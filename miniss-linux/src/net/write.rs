//! The writing side of a TCP connection.
//!
//! `user future ─▶ [stream] ─▶ driver ─▶ op ─▶ kernel`

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use super::stream::TcpStream;
use super::writing::Writing;
use crate::buf::{BufResult, IoBuf, IoVecBuf};
use crate::op::sendmsg::SendMsg;

impl TcpStream {
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
    /// Dropping it cancels the write; how much was written is not known then.
    ///
    /// See [`TcpStream`] for an example.
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
        let _turn = self.connection.turn_to_write().await;
        self.start(SendMsg::new(self.connection.clone(), buffers, 0)).await
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, _) = stream.write_vectored_all(["head", "body"]).await;
    /// result?;
    /// assert_eq!(peer.read_exact([0; 8]).await.1, *b"headbody");
    /// # Ok(()) });
    /// ```
    pub async fn write_vectored_all<V: IoVecBuf>(&self, mut buffers: V) -> BufResult<(), V> {
        let _turn = self.connection.turn_to_write().await;
        let (mut done, mut total) = (0, 0);
        buffers.for_each_init(|part| total += part.len());
        while done < total {
            let result;
            (result, buffers) =
                self.start(SendMsg::new(self.connection.clone(), buffers, done)).await;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffers),
                Ok(len) => done += len,
                Err(error) => return (Err(error), buffers),
            }
        }
        (Ok(()), buffers)
    }
}
