//! A listening socket.
//!
//! One accept stays in flight. With a large backlog it is a multishot accept: each completion is a
//! connection, which waits here for its `accept` and counts as part of the backlog. With a small
//! backlog it takes a single connection: a multishot accept would take all that are there at once,
//! more than the backlog allows to wait.
//!
//! When descriptors run out, the accept ends, and to ask again at once would spin. So accepting
//! rests for a while and reports that; connections wait in the backlog. It rests also after an
//! error of the socket itself, for a server that tries again after any error.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use miniss_core::op::Part;
use miniss_core::sync::Mutex;
use socket2::SockRef;

use super::kind::StreamKind;
use super::stream::{Stream, current_driver};
use super::unix::SocketFile;
use crate::diagnostics::{self, Event};
use crate::driver::{Op, ShardDriver};
use crate::op::connect::{Accept, connection};
use crate::op::fd::Fd;
use crate::time::sleep;

/// A listening socket: the one implementation of [`TcpListener`](super::TcpListener), and of each
/// other [kind](StreamKind).
pub struct Listener<K: StreamKind> {
    /// The file of a Unix socket, if we made it. It goes first: as long as the socket is open, no
    /// other file has its number.
    pub(super) file: Option<SocketFile>,
    fd: Rc<Fd>,
    /// The multishot accept. The task that holds the lock takes the next connection.
    accepting: Mutex<Option<Op<Accept>>>,
    /// As in [`Accept`].
    ahead_max: u32,
    dropped: Cell<u64>,
    /// Errors of the socket itself since the last connection.
    failures: Cell<u32>,
    kind: PhantomData<K>,
}

/// Connections that are accepted before `accept` is called. More of them wait in the kernel's
/// backlog, where they hold no descriptor, and where the kernel deals with a flood of them.
pub(super) const AHEAD_MAX: i32 = 256;

/// How long accepting rests when there is no descriptor left, and after an error of the socket
/// itself, where it doubles with each error up to [`REST_MAX`].
const REST: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(1);

impl<K: StreamKind> Listener<K> {
    /// Takes over a listener of the standard library's, on this shard. The kernel's backlog stays
    /// as it is; up to 256 connections more are accepted ahead.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::{TcpListener, TcpStream}};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// runtime.block_on(async {
    ///     let listener = TcpListener::from_std(listener)?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_, peer) = listener.accept().await?;
    ///     assert_eq!(stream.local_addr()?, peer);
    /// #   Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(listener: K::StdListener) -> io::Result<Self> {
        let driver = current_driver();
        SockRef::from(&listener).set_nonblocking(driver.is_nonblocking())?;
        Ok(Self::from_fd(listener.into(), driver, AHEAD_MAX))
    }

    pub(crate) fn from_fd(fd: OwnedFd, driver: Rc<ShardDriver>, ahead_max: i32) -> Self {
        Self {
            file: None,
            fd: Rc::new(Fd::new(fd, driver)),
            accepting: Mutex::new(None),
            ahead_max: ahead_max.unsigned_abs(),
            dropped: Cell::new(0),
            failures: Cell::new(0),
            kind: PhantomData,
        }
    }

    /// Gives the socket back as one of the standard library's, and the connections that were
    /// accepted ahead. It waits until the accept in flight was cancelled; peers that connect
    /// meanwhile wait in the backlog. The file of a Unix socket stays.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the socket and those connections.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::TcpListener};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// let (listener, accepted) = runtime.block_on(async {
    ///     TcpListener::bind("127.0.0.1:0").await?.into_std().await
    /// })?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// assert!(accepted.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn into_std(self) -> io::Result<(K::StdListener, Vec<Stream<K>>)> {
        let mut accepted = Vec::new();
        let mut accepting = self.accepting.into_inner();
        if let Some(op) = &accepting {
            op.cancel();
        }
        while let Some(op) = &mut accepting {
            let fd = match poll_fn(|cx| op.poll_part(cx)).await {
                Part::More(completion) => connection(completion),
                Part::End(end) => {
                    accepting = None;
                    end.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
                }
            };
            // An error is the cancel's, or of a connection that is gone.
            accepted.extend(fd.map(|fd| Stream::from_fd(fd, self.fd.driver().clone())));
        }
        if let Some(file) = self.file {
            file.keep();
        }
        let fd =
            Rc::into_inner(self.fd).expect("no accept is in flight, and nothing else shares it");
        let fd = fd.into_owned().expect("a listener is not closed before this");
        SockRef::from(&fd).set_nonblocking(false)?;
        Ok((fd.into(), accepted))
    }

    /// The next connection and its peer's address.
    ///
    /// Connections that end before they are accepted are passed over. When descriptors or memory
    /// run out, it waits until some are free; so an error here means that the socket itself is done
    /// for, for instance because it was [shut down](std::os::fd::AsFd) elsewhere. Calls after such
    /// an error first rest, longer with each, up to a second.
    ///
    /// # Errors
    ///
    /// What the system says of the listening socket.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: a connection that arrives is for the next `accept`.
    pub async fn accept(&self) -> io::Result<(Stream<K>, K::Address)> {
        self.fd.driver().assert_here();
        let mut accepting = self.accepting.lock().await;
        self.rest_after_failures().await;
        loop {
            match self.next_connection(&mut accepting).await {
                Ok(fd) => {
                    self.failures.set(0);
                    let stream = Stream::from_fd(fd, self.fd.driver().clone());
                    match stream.peer_addr() {
                        Ok(peer) => return Ok((stream, peer)),
                        Err(_) => self.count_dropped(),
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(errno) if is_of_the_connection(errno) => self.count_dropped(),
                    // A firewall, a security module or the socket refuses it, perhaps as every one.
                    Some(libc::EPERM | libc::EOPNOTSUPP) => {
                        self.count_dropped();
                        sleep(REST).await;
                    }
                    Some(errno) if is_shortage(errno) => {
                        report_rest(&error);
                        sleep(REST).await;
                    }
                    _ => {
                        self.failures.set(self.failures.get().saturating_add(1));
                        return Err(error);
                    }
                },
            }
        }
    }

    async fn rest_after_failures(&self) {
        let failures = self.failures.get();
        if failures > 0 {
            sleep((REST * (1 << failures.min(16))).min(REST_MAX)).await;
        }
    }

    /// Waits for a completion of the accept, starting it again if it has ended.
    async fn next_connection(&self, accepting: &mut Option<Op<Accept>>) -> io::Result<OwnedFd> {
        loop {
            let part = poll_fn(|cx| {
                let start = || self.fd.driver().start(Accept::new(self.fd.clone(), self.ahead_max));
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

    /// The address it listens on; the way to learn the port number after binding to number 0.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<K::Address> {
        K::address(self.fd.socket()?.local_addr()?)
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
            | libc::ENETUNREACH
            | libc::EINTR
    )
}

/// Errors that pass when descriptors or memory are free again.
fn is_shortage(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
}

/// Reports that accepting rests.
#[cold]
fn report_rest(error: &io::Error) {
    diagnostics::report(
        Event::AcceptRests,
        format_args!(
            "accepting connections rests for {REST:?} at a time: {error}; close some, or raise \
             RLIMIT_NOFILE (ulimit -n)"
        ),
    );
}

/// For options that have no method here: pass it to `socket2::SockRef::from`, for instance. Leave
/// the socket blocking or not, as the driver has it.
///
/// ```
/// # use miniss_linux::{Runtime, net::TcpListener};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use std::os::fd::AsFd;
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let copy = std::net::TcpListener::from(listener.as_fd().try_clone_to_owned()?);
/// assert_eq!(copy.local_addr()?, listener.local_addr()?);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
impl<K: StreamKind> AsFd for Listener<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.lend()
    }
}

impl<K: StreamKind> fmt::Debug for Listener<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(K::LISTENER_NAME);
        if let Ok(address) = self.local_addr() {
            out.field("address", &address);
        }
        out.finish_non_exhaustive()
    }
}
