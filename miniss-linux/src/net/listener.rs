//! A listening socket.
//!
//! `kernel ─▶ [listener] ─▶ stream ─▶ user future`
//!
//! One multishot accept stays in flight; each of its completions is a connection. Running out of
//! descriptors ends it, and asking again at once would spin: so accepting then rests for a while,
//! the connections waiting in the backlog, and says so now and then.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use miniss_core::op::Part;
use miniss_core::sync::Mutex;
use socket2::{Domain, Protocol, Socket, Type};

use super::fd::Fd;
use super::stream::{TcpStream, socket_address};
use crate::driver::Op;
use crate::op::accept::{Accept, connection};
use crate::runtime::current;
use crate::time::sleep;

/// Settings for a listening socket.
///
/// ```
/// use miniss_linux::{Runtime, net::ListenOptions};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// let addresses = runtime.run(|| async {
///     let listener = ListenOptions::new().reuse_port(true).bind("127.0.0.1:0").await.unwrap();
///     listener.local_addr().unwrap()
/// });
/// assert_eq!(addresses.len(), 2);
/// ```
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `bind`"]
pub struct ListenOptions {
    backlog: i32,
    reuse_port: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 1024, reuse_port: false }
    }
}

impl ListenOptions {
    /// A backlog of 1024; the port for this socket alone.
    ///
    /// See [`ListenOptions`] for an example.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections may wait to be accepted. The kernel caps it at `net.core.somaxconn`.
    ///
    /// ```
    /// let _ = miniss_linux::net::ListenOptions::new().backlog(64);
    /// ```
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self
    }

    /// Whether other sockets may listen on the same port (`SO_REUSEPORT`). If every shard binds
    /// one, the kernel spreads connections over the shards. Note that another process of the same
    /// user may join in, too.
    ///
    /// See [`ListenOptions`] for an example.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Binds to `address` and listens; of several addresses, to the first that works.
    ///
    /// # Errors
    ///
    /// What the system says, of the last address tried: `AddrInUse`, `PermissionDenied`, …
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    ///
    /// See [`ListenOptions`] for an example.
    pub async fn bind(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let mut last = None;
        for address in address.to_socket_addrs()? {
            match self.bind_to(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "bind: the name has no address")
        }))
    }

    fn bind_to(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let kind = Type::STREAM.cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog)?;
        let driver = current::with(|shard| shard.driver.clone());
        Ok(TcpListener {
            fd: Rc::new(Fd::new(socket.into(), driver)),
            accepting: Mutex::new(None),
            dropped: Cell::new(0),
        })
    }
}

/// A listening TCP socket, which belongs to the shard that made it.
///
/// See [`TcpStream`] for an example.
pub struct TcpListener {
    fd: Rc<Fd>,
    /// The multishot accept. Whoever holds the lock takes the next connection.
    accepting: Mutex<Option<Op<Accept>>>,
    dropped: Cell<u64>,
}

/// How long accepting rests when there is no descriptor left.
const REST: Duration = Duration::from_millis(50);
/// At most one complaint in this time.
const COMPLAINT_EVERY: Duration = Duration::from_secs(5);

impl TcpListener {
    /// Binds to `address` and listens, with the port for itself.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    ///
    /// See [`TcpStream`] for an example.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        ListenOptions::new().bind(address).await
    }

    /// The next connection and its peer's address.
    ///
    /// Connections that end before they are accepted are passed over. When descriptors or memory
    /// run out, it waits until some are free; so an error here means that the socket itself is done
    /// for.
    ///
    /// # Errors
    ///
    /// What the system says of the listening socket.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: a connection that arrives is for the next `accept`.
    ///
    /// See [`TcpStream`] for an example.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut accepting = self.accepting.lock().await;
        loop {
            match self.next_connection(&mut accepting).await {
                Ok(fd) => {
                    let stream = TcpStream::from_fd(fd, self.fd.driver().clone());
                    match stream.peer_addr() {
                        Ok(peer) => return Ok((stream, peer)),
                        Err(_) => self.count_dropped(),
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(errno) if is_of_the_connection(errno) => self.count_dropped(),
                    // A firewall's or a security module's word, perhaps about every connection.
                    Some(libc::EPERM) => {
                        self.count_dropped();
                        sleep(REST).await;
                    }
                    Some(errno) if is_shortage(errno) => {
                        complain(&error);
                        sleep(REST).await;
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    /// Waits for a completion of the accept, starting it anew if it has ended.
    async fn next_connection(&self, accepting: &mut Option<Op<Accept>>) -> io::Result<OwnedFd> {
        loop {
            let part = poll_fn(|cx| {
                let start = || self.fd.driver().start(Accept::new(self.fd.clone()));
                accepting.get_or_insert_with(start).poll_part(cx)
            });
            match part.await {
                Part::More(completion) => return connection(completion),
                Part::End(end) => {
                    *accepting = None;
                    if let Some(result) = end {
                        return result;
                    }
                }
            }
        }
    }

    fn count_dropped(&self) {
        self.dropped.set(self.dropped.get() + 1);
    }

    /// Connections that had ended before they could be accepted.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::TcpListener};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// println!("{} were gone before we came", listener.connections_lost());
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn connections_lost(&self) -> u64 {
        self.dropped.get()
    }

    /// The address it listens on; the way to learn the port after binding to port 0.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// See [`TcpStream`] for an example.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket_address(self.fd.socket()?.local_addr()?)
    }
}

/// Errors of a connection that was gone before it was accepted: see `accept(2)`.
fn is_of_the_connection(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNABORTED
            | libc::EPROTO
            | libc::ENETDOWN
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::EHOSTUNREACH
            | libc::EOPNOTSUPP
            | libc::ENETUNREACH
            | libc::EINTR
    )
}

/// Errors that pass when somebody lets go of something.
fn is_shortage(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
}

/// Says that accepting rests, but not each time.
#[cold]
fn complain(error: &io::Error) {
    thread_local! {
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now - last >= COMPLAINT_EVERY) {
        LAST.set(Some(now));
        eprintln!(
            "rust-miniss: accepting connections rests for {REST:?} at a time: {error}; close some, \
             or raise RLIMIT_NOFILE (ulimit -n)"
        );
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TcpListener");
        if let Ok(address) = self.local_addr() {
            out.field("address", &address);
        }
        out.finish_non_exhaustive()
    }
}
