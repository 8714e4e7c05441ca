//! miniss as an echo server: one shard, buffers of its pool, as the example of that name does it.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::{Builder, Driver, Pinning, Runtime, spawn};

use super::servers::{Ready, Settings, work};

/// Serves forever, over io_uring.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn serve(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    serve_on(builder().idle_spin(settings.idle_spin), settings.address, ready)
}

/// The same over epoll.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn serve_by_epoll(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    let builder = builder().driver(Driver::Epoll).idle_spin(settings.idle_spin);
    serve_on(builder, settings.address, ready)
}

/// What [`serve`] begins with.
pub fn builder() -> Builder {
    Runtime::builder().shards(1).pinning(Pinning::None).driver(Driver::IoUring)
}

/// As [`serve`], on a runtime of other settings.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn serve_on(builder: Builder, address: SocketAddr, ready: Ready<'_>) -> io::Result<Infallible> {
    let runtime = builder.build().map_err(io::Error::other)?;
    runtime.block_on(accept_all(address, ready))
}

async fn accept_all(address: SocketAddr, ready: Ready<'_>) -> io::Result<Infallible> {
    let listener = TcpListener::bind(address).await?;
    ready(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(echo(stream)).detach();
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        work();
        stream.write_all(received).await.0?;
    }
}
