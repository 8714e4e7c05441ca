//! What is TCP's own: connecting, accepting, options, resets.

mod accept;
mod connect;
mod options;
mod placed;
mod reset;
mod set_up;

use std::net::{self, SocketAddr};

use miniss_linux::net::TcpListener;

/// A listener of ours on the loopback, and where it is.
async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// An address at which no one listens.
fn nowhere() -> SocketAddr {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
    listener.local_addr().expect("a bound socket has an address")
}
