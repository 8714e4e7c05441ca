//! The writing side of a TCP connection.
//!
//! `user future ─▶ [stream] ─▶ driver ─▶ op ─▶ kernel`

#![forbid(unsafe_code)]

use std::io;

use super::stream::TcpStream;
use crate::buf::{BufResult, IoBuf, IoVecBuf};
use crate::op::send::Send;
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, _) = stream.write_vectored(["head", "body"]).await;
    /// println!("{} bytes", result?);
    /// # Ok(()) });
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
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (result, _) = stream.write_vectored_all(["head", "body"]).await;
    /// result?;
    /// assert_eq!(peer.read_exact([0; 8]).await.1, *b"headbody");
    /// # Ok(()) });
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
}
