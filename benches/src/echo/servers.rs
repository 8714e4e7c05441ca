//! The kinds of echo server, by name.

use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{by_epoll, by_uring, ours, rivals, skewed};
use crate::limits::pin;

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

/// Where a server runs, and what it does beside echoing.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// The CPU, if it is to be pinned.
    pub cpu: Option<usize>,
    /// Steps of work for each message.
    pub work_steps: u32,
}

impl Server {
    /// Serves until the process ends; prints its address first.
    ///
    /// # Errors
    ///
    /// A sentence about why it cannot.
    pub fn run(self, settings: &Settings, placement: Placement) -> Result<(), String> {
        set_work(placement.work_steps);
        if let Some(cpu) = placement.cpu {
            pin(cpu);
        }
        match (self.serve)(settings, &mut |address| println!("{address}")) {
            Ok(never) => match never {},
            Err(error) => Err(format!("{} cannot serve: {error}", self.name)),
        }
    }
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

/// A kind that holds no buffer while it waits; as fast as the other of tokio, so not among all.
pub const TOKIO_READABLE: Server =
    Server { name: "tokio-readable", can_spin: false, serve: rivals::tokio_readable };

/// Ours where io_uring is not to be had. In rows of its own, beside those that use epoll, too.
pub const MINISS_EPOLL: Server =
    Server { name: "miniss-epoll", can_spin: true, serve: ours::serve_by_epoll };

/// Steps of work that every server adds to each message it receives.
static WORK_STEPS: AtomicU32 = AtomicU32::new(0);

/// Adds work of so many steps, a few tenths of a nanosecond each, to every message that a server of
/// this process receives.
///
/// Client and server cost the kernel about the same. Where the client is the slower of the two, a
/// server that has time left works off smaller batches, and the CPU time it saves does not show.
/// With equal work for everyone the server is the slower one, and differences show.
pub fn set_work(steps: u32) {
    WORK_STEPS.store(steps, Ordering::Relaxed);
}

/// Does the work of one message.
#[inline]
pub fn work() {
    (0..WORK_STEPS.load(Ordering::Relaxed)).for_each(|step| _ = black_box(step));
}

/// The kind of this name.
pub fn named(name: &str) -> Option<Server> {
    let others = [MINISS_EPOLL, TOKIO_READABLE].into_iter().chain(skewed::SERVERS);
    SERVERS.into_iter().chain(others).find(|server| server.name == name)
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
