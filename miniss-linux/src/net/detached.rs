//! A connection between two owners: it has left a shard and not come to another.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use socket2::SockRef;

use super::kind::StreamKind;
use super::stream::{Stream, current_driver};
use crate::driver::buffers::PoolBuf;

/// A connection that belongs to no shard, with the bytes that were received and not read. Send it
/// to another shard, and [`attach`](Self::attach) it there. Dropping it closes the connection.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use miniss_linux::{ShardId, submit_to};
///
/// peer.write_all("to all it may concern").await.0?;
/// let connection = stream.detach().await?;
/// // Whichever shard is the right one; here there is only this.
/// let other = ShardId::current();
/// submit_to(other, async move || {
///     let stream = connection.attach()?;
///     assert_eq!(stream.recv().await?[..], *b"to all it may concern");
///     stream.write_all("it concerns us").await.0
/// })
/// .await
/// .unwrap()?;
/// assert_eq!(peer.recv().await?[..], *b"it concerns us");
/// # Ok(()) });
/// ```
#[must_use = "dropping it closes the connection"]
pub struct DetachedStream<K: StreamKind> {
    fd: OwnedFd,
    received: Vec<u8>,
    kind: PhantomData<fn() -> K>,
}

impl<K: StreamKind> Stream<K> {
    /// Takes the connection off this shard, with the bytes that were received and not read. Reads
    /// and writes that were dropped are waited for first; it is no longer than a cancel takes.
    ///
    /// # Errors
    ///
    /// `EBADF` if it was [closed](Self::close), and what the connection has failed with, for
    /// instance `ConnectionReset`. Then there is nothing to go on with, and it is closed.
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the connection.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let connection = stream.detach().await?;
    /// let thread = std::thread::spawn(move || drop(connection));
    /// thread.join().unwrap();
    /// assert!(peer.recv().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn detach(self) -> io::Result<DetachedStream<K>> {
        let mut received = Vec::new();
        self.connection.read_rest(|bytes| received.extend_from_slice(&bytes)).await?;
        // The turn comes when a write that was dropped has ended, and it brings the way to the end.
        drop(self.connection.turn_to_write().await);
        let fd = self.connection.take_descriptor().await?;
        Ok(DetachedStream { fd, received, kind: PhantomData })
    }

    /// Gives the socket back as one of the standard library's, and the bytes that were received and
    /// not read.
    ///
    /// # Errors
    ///
    /// As for [`detach`](Self::detach).
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the connection.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use std::io::Write;
    /// let (mut socket, received) = stream.into_std().await?;
    /// assert!(received.is_empty());
    /// socket.write_all(b"blocking")?;
    /// assert_eq!(peer.recv().await?[..], *b"blocking");
    /// # Ok(()) });
    /// ```
    pub async fn into_std(self) -> io::Result<(K::Std, Vec<u8>)> {
        self.detach().await?.into_std()
    }
}

impl<K: StreamKind> DetachedStream<K> {
    /// Takes the connection over, on this shard. Reads begin with the bytes that were received
    /// before.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn attach(self) -> io::Result<Stream<K>> {
        let driver = current_driver();
        SockRef::from(&self.fd).set_nonblocking(driver.is_nonblocking())?;
        let stream = Stream::from_fd(self.fd, driver);
        stream.connection.side.put_back(PoolBuf::from_heap(self.received.into_boxed_slice()));
        Ok(stream)
    }

    /// Makes of it a socket of the standard library's, and the bytes that were received and not
    /// read.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// let (socket, received) = stream.detach().await?.into_std()?;
    /// assert_eq!(socket.peer_addr()?, peer.local_addr()?);
    /// # Ok(()) });
    /// ```
    pub fn into_std(self) -> io::Result<(K::Std, Vec<u8>)> {
        SockRef::from(&self.fd).set_nonblocking(false)?;
        Ok((self.fd.into(), self.received))
    }
}

impl<K: StreamKind> fmt::Debug for DetachedStream<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedStream")
            .field("fd", &self.fd)
            .field("received", &self.received.len())
            .finish()
    }
}
