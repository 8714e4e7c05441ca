//! What every socket of messages does. Our end is in a runtime; the peer's is a blocking socket.

/// Makes tests of cases: one of each for each kind of socket.
macro_rules! for_each_kind {
    ($($case:ident,)*) => {
        mod udp {
            $(#[test]
            fn $case() {
                crate::harness::on_each_driver(super::$case::<miniss_linux::net::Udp>);
            })*
        }

        mod unix {
            $(#[test]
            fn $case() {
                crate::harness::on_each_driver(super::$case::<miniss_linux::net::Unix>);
            })*
        }

        mod seqpacket {
            $(#[test]
            fn $case() {
                crate::harness::on_each_driver(super::$case::<miniss_linux::net::Seqpacket>);
            })*
        }
    };
}

mod batches;
mod dropped;
mod ends;
mod fds;
mod messages;
mod udp;
mod unix;

use std::net;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use miniss_linux::net::{DatagramKind, DatagramSocket, Seqpacket, Udp, Unix};
use socket2::{Domain, Socket, Type};

/// A kind of socket of which there are connected pairs.
trait Kind: DatagramKind {
    fn blocking_pair() -> (OwnedFd, OwnedFd);
}

impl Kind for Udp {
    fn blocking_pair() -> (OwnedFd, OwnedFd) {
        let bound = || net::UdpSocket::bind("127.0.0.1:0").expect("a port on the loopback");
        let (a, b) = (bound(), bound());
        a.connect(b.local_addr().expect("it is bound")).expect("it has an address");
        b.connect(a.local_addr().expect("it is bound")).expect("it has an address");
        (a.into(), b.into())
    }
}

impl Kind for Unix {
    fn blocking_pair() -> (OwnedFd, OwnedFd) {
        pair_of(Type::DGRAM)
    }
}

impl Kind for Seqpacket {
    fn blocking_pair() -> (OwnedFd, OwnedFd) {
        pair_of(Type::SEQPACKET)
    }
}

fn pair_of(kind: Type) -> (OwnedFd, OwnedFd) {
    let (a, b) = Socket::pair(Domain::UNIX, kind, None).expect("two descriptors");
    (a.into(), b.into())
}

/// The other end, of whichever kind it is: the calls are the same.
type Peer = UnixDatagram;

/// Two sockets that are connected to each other: ours, and the peer's.
fn pair<K: Kind>() -> (DatagramSocket<K>, Peer) {
    let (ours, peer) = K::blocking_pair();
    (DatagramSocket::from_std(ours.into()).expect("a fresh socket"), peer.into())
}
