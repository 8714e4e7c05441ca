//! The kinds of echo server, by name.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::{by_epoll, by_uring, ours, rivals};

/// What a server is started with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where to listen; port 0 for any.
    pub address: SocketAddr,
    /// For how long to look for work before sleeping.
    pub idle_spin: Duration,
}

/// To be told where the server listens, as soon as it does.
pub type Ready<'a> = &'a mut dyn FnMut(SocketAddr);

/// Serves on the calling thread until the process ends.
pub type Serve = fn(&Settings, Ready<'_>) -> io::Result<Infallible>;

/// A kind of server.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// What it is called on the command line and in tables.
    pub name: &'static str,
    /// Whether it can look for work before it sleeps.
    pub can_spin: bool,
    /// Runs it.
    pub serve: Serve,
}

/// All kinds; the first is what the others are compared with.
pub const SERVERS: [Server; 8] = [
    Server { name: "uring", can_spin: true, serve: uring },
    Server { name: "epoll", can_spin: true, serve: epoll },
    Server { name: "miniss", can_spin: true, serve: ours::serve },
    Server { name: "tokio", can_spin: false, serve: rivals::tokio },
    Server { name: "monoio", can_spin: false, serve: rivals::monoio },
    Server { name: "compio", can_spin: false, serve: rivals::compio },
    Server { name: "glommio", can_spin: true, serve: rivals::glommio },
    Server { name: "smol", can_spin: false, serve: rivals::smol },
];

/// The kind of this name.
pub fn named(name: &str) -> Option<Server> {
    SERVERS.into_iter().find(|server| server.name == name)
}

fn uring(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    by_uring::serve(listen(settings, ready)?, settings.idle_spin)
}

fn epoll(settings: &Settings, ready: Ready<'_>) -> io::Result<Infallible> {
    by_epoll::serve(listen(settings, ready)?, settings.idle_spin)
}

/// A listener whose connections have TCP_NODELAY from the start.
pub fn listen(settings: &Settings, ready: Ready<'_>) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(settings.address)?;
    // What a listener has set, its connections inherit.
    set_nodelay(&listener)?;
    ready(listener.local_addr()?);
    Ok(listener)
}

fn set_nodelay(listener: &TcpListener) -> io::Result<()> {
    let on = 1_i32;
    // SAFETY: an open socket, and an integer that the kernel reads before it returns.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
