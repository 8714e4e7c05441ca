//! What every stream does. Our end is in a runtime; the peer's is a blocking socket.

mod close;
mod dropped;
mod halves;
mod reads;
mod vectored;
mod writes;

use std::net;
use std::os::fd::AsFd;

use miniss_linux::net::TcpStream;
use miniss_tests::kernel::set_option;

/// The stream under test.
type Stream = TcpStream;
/// The other end.
type Peer = net::TcpStream;

/// A connection: our end, and the peer's.
fn pair() -> (Stream, Peer) {
    miniss_tests::sockets::pair()
}

/// A connection with small buffers in the kernel. Not the smallest: with those TCP waits for
/// timers in the middle of a transfer.
fn narrow_pair() -> (Stream, Peer) {
    const BYTES: i32 = 64 << 10;
    let (ours, peer) = miniss_tests::sockets::blocking_pair();
    for end in [&ours, &peer] {
        set_option(end.as_fd(), libc::SO_SNDBUF, &BYTES);
        set_option(end.as_fd(), libc::SO_RCVBUF, &BYTES);
    }
    (Stream::from_std(ours).expect("a fresh socket"), peer)
}

/// More than fits into a narrow pair while no one reads.
const TOO_MUCH: usize = 2 << 20;

/// `len` bytes, each of which tells its place.
fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}
