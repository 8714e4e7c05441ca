//! Connections for tests: one end in a runtime, the other in plain blocking code.

#![forbid(unsafe_code)]

use std::io;
use std::net;
use std::os::fd::AsFd;
use std::time::Duration;

use miniss_linux::net::{TcpListener, TcpStream};

/// A connection: our end, and the peer's as a blocking socket.
///
/// # Panics
///
/// If the loopback does not work.
pub fn pair() -> (TcpStream, net::TcpStream) {
    let (ours, peer) = blocking_pair();
    (TcpStream::from_std(ours).expect("a fresh socket"), peer)
}

/// A connection between two blocking sockets.
///
/// # Panics
///
/// If the loopback does not work.
pub fn blocking_pair() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
    let address = listener.local_addr().expect("a bound socket has an address");
    let ours = net::TcpStream::connect(address).expect("the backlog has room");
    let (peer, _) = listener.accept().expect("someone has connected");
    (ours, peer)
}

/// A connection with both ends in the runtime we are in.
///
/// # Errors
///
/// What the system says.
pub async fn both_ends() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((server, client))
}

/// What `call` gives, however often the kernel interrupts it. It does so to a thread whose ring
/// goes, and a call with a time limit is not begun again by the kernel.
///
/// # Errors
///
/// Those of `call`.
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Closing this socket resets the connection.
///
/// # Panics
///
/// If the option is refused.
pub fn reset_on_close(socket: &net::TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    crate::kernel::set_option(socket.as_fd(), libc::SO_LINGER, &linger);
}

/// Makes the socket's buffers in the kernel small.
///
/// # Panics
///
/// If the option is refused.
pub fn shrink_buffers(socket: &net::TcpStream) {
    crate::kernel::set_option(socket.as_fd(), libc::SO_SNDBUF, &4096_i32);
    crate::kernel::set_option(socket.as_fd(), libc::SO_RCVBUF, &4096_i32);
}

/// A listener whose backlog is full, and what fills it. It answers no one else.
///
/// # Panics
///
/// If it does not become full.
pub fn full_listener() -> (net::TcpListener, Vec<net::TcpStream>) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
    // Listening again only sets the backlog.
    crate::kernel::listen(listener.as_fd(), 0);
    let address = listener.local_addr().expect("a bound socket has an address");
    let connect = |_| net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let waiting: Vec<_> = (0..4).map_while(connect).collect();
    assert!(waiting.len() < 4, "a backlog of 0 took 4 connections");
    (listener, waiting)
}
