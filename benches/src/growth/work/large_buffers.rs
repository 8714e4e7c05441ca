//! miniss as an echo server that receives into large buffers.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::{Pinning, Runtime, spawn};

/// Bytes of a buffer, and how many there are.
const BUFFER_BYTES: u32 = 64 << 10;
const BUFFERS: u16 = 64;

/// Serves for ever; `ready` hears where.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn serve(address: SocketAddr, ready: fn(SocketAddr)) -> io::Result<Infallible> {
    let builder = Runtime::builder().shards(1).pinning(Pinning::None);
    let builder = builder.recv_buffers(BUFFERS, BUFFER_BYTES);
    let runtime = builder.build().map_err(io::Error::other)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        ready(listener.local_addr()?);
        loop {
            spawn(echo(listener.accept().await?.0)).detach();
        }
    })
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
    }
}
