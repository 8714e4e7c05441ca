//! Other runtimes as echo servers: one thread, a task and a buffer of 4 KiB for each connection,
//! TCP_NODELAY, as the documents of each advise.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;

use super::servers::{Ready, Settings, work};

const BUFFER_BYTES: usize = 4096;

/// tokio on one thread.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn tokio(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    tokio_on(tokio::runtime::Builder::new_current_thread(), settings, ready)
}

/// tokio on two threads, which steal work from each other.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn tokio_stealing(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2);
    tokio_on(builder, settings, ready)
}

fn tokio_on(
    mut builder: tokio::runtime::Builder,
    settings: &Settings,
    ready: Ready<'_>,
) -> io::Result<Infallible> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                return Ok(());
            }
            work();
            stream.write_all(&buffer[..len]).await?;
        }
    }

    let runtime = builder.enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(settings.address).await?;
        ready(listener.local_addr()?);
        loop {
            tokio::spawn(echo(listener.accept().await?.0));
        }
    })
}

/// tokio as its documents advise where memory counts: a connection has no buffer while it waits.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn tokio_readable(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    /// Echoes what is there; `None` at the end, otherwise what the socket had no room for.
    fn echo_now(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; BUFFER_BYTES];
        let len = match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(Vec::new())),
            read => read?,
        };
        work();
        match stream.try_write(&buffer[..len]) {
            Ok(written) => Ok(Some(buffer[written..len].into())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(Some(buffer[..len].into()))
            }
            Err(error) => Err(error),
        }
    }

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        loop {
            stream.readable().await?;
            let Some(rest) = echo_now(&stream)? else { return Ok(()) };
            if !rest.is_empty() {
                stream.write_all(&rest).await?;
            }
        }
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(settings.address).await?;
        ready(listener.local_addr()?);
        loop {
            tokio::spawn(echo(listener.accept().await?.0));
        }
    })
}

/// monoio on io_uring.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn monoio(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
    use monoio::net::{TcpListener, TcpStream};

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        loop {
            let result;
            (result, buffer) = stream.read(buffer).await;
            if result? == 0 {
                return Ok(());
            }
            work();
            let result;
            (result, buffer) = stream.write_all(buffer).await;
            result?;
        }
    }

    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(settings.address)?;
        ready(listener.local_addr()?);
        loop {
            monoio::spawn(echo(listener.accept().await?.0));
        }
    })
}

/// compio on io_uring.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn compio(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    use compio::BufResult;
    use compio::io::{AsyncRead, AsyncWriteExt};
    use compio::net::{TcpListener, TcpStream};

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        loop {
            let BufResult(result, filled) = stream.read(buffer).await;
            if result? == 0 {
                return Ok(());
            }
            work();
            let BufResult(result, sent) = stream.write_all(filled).await;
            result?;
            buffer = sent;
            // A read makes a vector longer, but not shorter.
            buffer.clear();
        }
    }

    let runtime = compio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(settings.address).await?;
        ready(listener.local_addr()?);
        loop {
            compio::runtime::spawn(echo(listener.accept().await?.0)).detach();
        }
    })
}

/// glommio on io_uring, which may spin before it parks.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn glommio(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    use glommio::net::{TcpListener, TcpStream};
    use glommio::{LocalExecutorBuilder, Placement};
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                return Ok(());
            }
            work();
            stream.write_all(&buffer[..len]).await?;
        }
    }

    let builder = LocalExecutorBuilder::new(Placement::Unbound);
    let executor = builder.spin_before_park(settings.idle_spin).make()?;
    executor.run(async {
        let listener = TcpListener::bind(settings.address)?;
        ready(listener.local_addr()?);
        loop {
            glommio::spawn_local(echo(listener.accept().await?)).detach();
        }
    })
}

/// smol: a local executor on async-io.
///
/// # Errors
///
/// What the runtime or the kernel says.
pub fn smol(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    use smol::io::{AsyncReadExt, AsyncWriteExt};
    use smol::net::{TcpListener, TcpStream};

    async fn echo(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                return Ok(());
            }
            work();
            stream.write_all(&buffer[..len]).await?;
        }
    }

    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = TcpListener::bind(settings.address).await?;
        ready(listener.local_addr()?);
        loop {
            executor.spawn(echo(listener.accept().await?.0)).detach();
        }
    }))
}
