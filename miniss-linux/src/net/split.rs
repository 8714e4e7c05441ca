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

/// What a half does as the stream does it.
macro_rules! as_stream {
    ($($name:ident $(<$of:ident: $bound:ident>)? ($($buffer:ident: $what:ty)?) -> $out:ty;)*) => {$(
        #[doc = concat!("As [`Stream::", stringify!($name), "`].")]
        ///
        /// # Errors
        ///
        /// As there.
        ///
        /// # Cancellation
        ///
        /// As there.
        pub async fn $name $(<$of: $bound>)? (&self $(, $buffer: $what)?) -> $out {
            self.stream.$name($($buffer)?).await
        }
    )*};
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
    as_stream! {
        read<B: IoBufMut>(buffer: B) -> BufResult<usize, B>;
        read_exact<B: IoBufMut>(buffer: B) -> BufResult<(), B>;
        read_vectored<V: IoVecBufMut>(buffers: V) -> BufResult<usize, V>;
        peek<B: IoBufMut>(buffer: B) -> BufResult<usize, B>;
        recv() -> io::Result<PoolBuf>;
        peer_closed() -> io::Result<()>;
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
    as_stream! {
        write<B: IoBuf>(buffer: B) -> BufResult<usize, B>;
        write_all<B: IoBuf>(buffer: B) -> BufResult<(), B>;
        write_vectored<V: IoVecBuf>(buffers: V) -> BufResult<usize, V>;
        write_vectored_all<V: IoVecBuf>(buffers: V) -> BufResult<(), V>;
        cancelled_write_bytes() -> usize;
        peer_closed() -> io::Result<()>;
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
