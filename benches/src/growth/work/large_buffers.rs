//! miniss as an echo server that receives into large buffers.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use crate::echo::ours;

/// Bytes of a buffer, and how many there are.
const BUFFER_BYTES: u32 = 64 << 10;
const BUFFERS: u16 = 64;

/// Serves forever; `ready` hears where.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn serve(address: SocketAddr, ready: fn(SocketAddr)) -> io::Result<Infallible> {
    let builder = ours::builder().recv_buffers(BUFFERS, BUFFER_BYTES);
    ours::serve_on(builder, address, &mut { ready })
}
