//! The two halves of a connection.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use super::kind::StreamKind;
use super::stream::Stream;
use super::tcp::Tcp;
use crate::buf::{BufResult, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut};
use crate::driver::buffers::PoolBuf;

pub(super) fn split<K: StreamKind>(stream: Stream<K>) -> (OwnedReadHalf<K>, OwnedWriteHalf<K>) {
    let stream = Rc::new(stream);
    let reader = OwnedReadHalf { stream: stream.clone(), stops: true };
    (reader, OwnedWriteHalf { stream, shuts_down: true })
}

/// The reading half of a [`Stream`]. Dropping it ends receiving: what was received ahead is
/// dropped with it, and what the peer sends from then on stays with the kernel.
#[derive(Debug)]
pub struct OwnedReadHalf<K: StreamKind = Tcp> {
    stream: Rc<Stream<K>>,
    /// Whether dropping it is the end.
    stops: bool,
}

impl<K: StreamKind> OwnedReadHalf<K> {
    /// As [`Stream::read`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.write_all("hello").await.0?;
    /// let (result, buffer) = reader.read(vec![0; 64]).await;
    /// assert_eq!(buffer[..result?], *b"hello");
    /// # Ok(()) });
    /// ```
    pub async fn read<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        self.stream.read(buffer).await
    }

    /// As [`Stream::read_exact`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.write_all("head").await.0?;
    /// let (result, buffer) = reader.read_exact([0; 4]).await;
    /// result?;
    /// assert_eq!(buffer, *b"head");
    /// # Ok(()) });
    /// ```
    pub async fn read_exact<B: IoBufMut>(&self, buffer: B) -> BufResult<(), B> {
        self.stream.read_exact(buffer).await
    }

    /// As [`Stream::read_vectored`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.write_all("headbody").await.0?;
    /// let (result, [head, _body]) = reader.read_vectored([vec![0; 4], vec![0; 60]]).await;
    /// assert_eq!((result?, &head[..]), (8, &b"head"[..]));
    /// # Ok(()) });
    /// ```
    pub async fn read_vectored<V: IoVecBufMut>(&self, buffers: V) -> BufResult<usize, V> {
        self.stream.read_vectored(buffers).await
    }

    /// As [`Stream::peek`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.write_all("GET /").await.0?;
    /// let (result, start) = reader.peek([0; 3]).await;
    /// assert_eq!(&start[..result?], b"GET");
    /// # Ok(()) });
    /// ```
    pub async fn peek<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        self.stream.peek(buffer).await
    }

    /// As [`Stream::recv`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.write_all("hello").await.0?;
    /// assert_eq!(reader.recv().await?[..], *b"hello");
    /// # Ok(()) });
    /// ```
    pub async fn recv(&self) -> io::Result<PoolBuf> {
        self.stream.recv().await
    }

    /// As [`Stream::peer_closed`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// # peer.close().await?;
    /// reader.peer_closed().await?;
    /// # Ok(()) });
    /// ```
    pub async fn peer_closed(&self) -> io::Result<()> {
        self.stream.peer_closed().await
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (reader, _writer) = stream.into_split();
    /// assert_eq!(reader.peer_addr()?, peer.local_addr()?);
    /// # Ok(()) });
    /// ```
    pub fn peer_addr(&self) -> io::Result<K::Address> {
        self.stream.peer_addr()
    }

    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`], with both, if they are not halves of one stream.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (reader, writer) = stream.into_split();
    /// let stream = reader.reunite(writer).unwrap();
    /// stream.write_all("in one piece").await.0?;
    /// # Ok(()) });
    /// ```
    pub fn reunite(mut self, writer: OwnedWriteHalf<K>) -> Result<Stream<K>, ReuniteError<K>> {
        if !Rc::ptr_eq(&self.stream, &writer.stream) {
            return Err(ReuniteError(self, writer));
        }
        writer.forget();
        self.stops = false;
        let stream = self.stream.clone();
        drop(self);
        Ok(Rc::into_inner(stream).expect("two halves hold a stream, and both are gone"))
    }
}

impl<K: StreamKind> Drop for OwnedReadHalf<K> {
    fn drop(&mut self) {
        if self.stops {
            self.stream.connection.stop_reading();
        }
    }
}

impl<K: StreamKind> AsFd for OwnedReadHalf<K> {
    /// As that of [`Stream`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The writing half of a [`Stream`]. Dropping it ends the sending direction.
#[derive(Debug)]
pub struct OwnedWriteHalf<K: StreamKind = Tcp> {
    stream: Rc<Stream<K>>,
    /// Whether dropping it is the end.
    shuts_down: bool,
}

impl<K: StreamKind> OwnedWriteHalf<K> {
    /// As [`Stream::write`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// let (result, buffer) = writer.write("hello").await;
    /// println!("{} of {} bytes", result?, buffer.len());
    /// # Ok(()) });
    /// ```
    pub async fn write<B: IoBuf>(&self, buffer: B) -> BufResult<usize, B> {
        self.stream.write(buffer).await
    }

    /// As [`Stream::write_all`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// writer.write_all("hello").await.0?;
    /// assert_eq!(peer.recv().await?[..], *b"hello");
    /// # Ok(()) });
    /// ```
    pub async fn write_all<B: IoBuf>(&self, buffer: B) -> BufResult<(), B> {
        self.stream.write_all(buffer).await
    }

    /// As [`Stream::write_vectored_all`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// writer.write_vectored_all(["head", "body"]).await.0?;
    /// assert_eq!(peer.read_exact([0; 8]).await.1, *b"headbody");
    /// # Ok(()) });
    /// ```
    pub async fn write_vectored_all<V: IoVecBuf>(&self, buffers: V) -> BufResult<(), V> {
        self.stream.write_vectored_all(buffers).await
    }

    /// As [`Stream::cancelled_write_bytes`].
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// drop(writer.write_all("not even begun"));
    /// assert_eq!(writer.cancelled_write_bytes().await, 0);
    /// # Ok(()) });
    /// ```
    pub async fn cancelled_write_bytes(&self) -> usize {
        self.stream.cancelled_write_bytes().await
    }

    /// As [`Stream::peer_closed`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// # peer.close().await?;
    /// writer.peer_closed().await?;
    /// # Ok(()) });
    /// ```
    pub async fn peer_closed(&self) -> io::Result<()> {
        self.stream.peer_closed().await
    }

    /// Ends the sending direction; the peer reads the end of the stream.
    ///
    /// # Errors
    ///
    /// As for [`Stream::shutdown`].
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # let (_reader, writer) = stream.into_split();
    /// writer.shutdown().await?;
    /// assert!(peer.recv().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn shutdown(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write).await
    }

    /// Goes without ending the sending direction.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (reader, writer) = stream.into_split();
    /// writer.forget();
    /// # peer.write_all("hello").await.0?;
    /// assert_eq!(reader.recv().await?[..], *b"hello");
    /// drop(reader); // now the connection is closed
    /// assert!(peer.recv().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub fn forget(mut self) {
        self.shuts_down = false;
    }
}

impl<K: StreamKind> AsFd for OwnedWriteHalf<K> {
    /// As that of [`Stream`].
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl<K: StreamKind> Drop for OwnedWriteHalf<K> {
    fn drop(&mut self) {
        if self.shuts_down {
            self.stream.shut_down_now();
        }
    }
}

/// The halves are not of one stream; both are inside.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// let ((ours, _rest), (_theirs, writer)) = (stream.into_split(), peer.into_split());
/// let error = ours.reunite(writer).unwrap_err();
/// assert_eq!(error.to_string(), "these are halves of two different streams");
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct ReuniteError<K: StreamKind = Tcp>(pub OwnedReadHalf<K>, pub OwnedWriteHalf<K>);

impl<K: StreamKind> fmt::Display for ReuniteError<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these are halves of two different streams")
    }
}

impl<K: StreamKind> std::error::Error for ReuniteError<K> {}
