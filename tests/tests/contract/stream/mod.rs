//! What every stream does. Our end is in a runtime; the peer's is a blocking socket.

/// Makes tests of cases: one of each for each kind of stream.
macro_rules! for_each_kind {
    ($($case:ident,)*) => {
        mod tcp {
            use miniss_linux::net::Tcp;
            $(#[test]
            fn $case() {
                crate::harness::on_each_driver(super::$case::<Tcp>);
            })*
        }

        mod unix {
            use miniss_linux::net::Unix;
            $(#[test]
            fn $case() {
                crate::harness::on_each_driver(super::$case::<Unix>);
            })*
        }
    };
}

mod close;
mod dropped;
mod halves;
mod moved;
mod peer_closed;
mod reads;
mod vectored;
mod writes;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use miniss_linux::net::{Stream, StreamKind, Tcp, Unix};
use miniss_tests::kernel::set_option;

/// A kind of stream of which there are pairs.
trait Kind: StreamKind {
    fn blocking_pair() -> (Self::Std, Self::Std);
}

impl Kind for Tcp {
    fn blocking_pair() -> (Self::Std, Self::Std) {
        miniss_tests::sockets::blocking_pair()
    }
}

impl Kind for Unix {
    fn blocking_pair() -> (Self::Std, Self::Std) {
        UnixStream::pair().expect("a pair needs nothing but two descriptors")
    }
}

/// The other end, of whichever kind it is: the calls are the same.
type Peer = UnixStream;

/// A connection: our end, and the peer's.
fn pair<K: Kind>() -> (Stream<K>, Peer) {
    let (ours, peer) = K::blocking_pair();
    (Stream::from_std(ours).expect("a fresh socket"), Peer::from(Into::<OwnedFd>::into(peer)))
}

/// A connection with small buffers in the kernel. Not the smallest: with those TCP waits for
/// timers in the middle of a transfer.
fn narrow_pair<K: Kind>() -> (Stream<K>, Peer) {
    const BYTES: i32 = 64 << 10;
    let (ours, peer) = pair();
    for end in [ours.as_fd(), peer.as_fd()] {
        set_option(end, libc::SO_SNDBUF, &BYTES);
        set_option(end, libc::SO_RCVBUF, &BYTES);
    }
    (ours, peer)
}

/// More than fits into a narrow pair while no one reads.
const TOO_MUCH: usize = 2 << 20;

/// `len` bytes, each of which tells its place.
fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}
