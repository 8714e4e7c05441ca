//! What tells the kinds of streams apart: their addresses, and which sockets of the standard
//! library they are.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use socket2::{SockAddr, Socket};

/// A kind of socket that carries a stream of bytes, for code that works with each of them:
/// [`Tcp`](super::Tcp) and [`Unix`](super::Unix).
///
/// ```
/// use miniss_linux::net::{Stream, StreamKind};
///
/// fn peer<K: StreamKind>(stream: &Stream<K>) -> String {
///     stream.peer_addr().map_or_else(|error| error.to_string(), |peer| format!("{peer:?}"))
/// }
/// # miniss_linux::doctest::connected(async |stream, _peer| {
/// assert!(peer(&stream).starts_with("127.0.0.1:"));
/// # Ok(()) });
/// ```
pub trait StreamKind: sealed::Sealed + fmt::Debug + Sized + 'static {
    /// What names the two ends of a connection.
    type Address: fmt::Debug;
    /// The standard library's stream of this kind.
    type Std: From<OwnedFd> + Into<OwnedFd> + AsFd;
    /// The standard library's listener of this kind.
    type StdListener: From<OwnedFd> + Into<OwnedFd> + AsFd;

    #[doc(hidden)]
    const STREAM_NAME: &'static str;
    #[doc(hidden)]
    const LISTENER_NAME: &'static str;

    #[doc(hidden)]
    fn socket(address: &SockAddr) -> io::Result<Socket>;
    #[doc(hidden)]
    fn address(address: SockAddr) -> io::Result<Self::Address>;
}

pub(super) mod sealed {
    pub trait Sealed {}
}
