//! What Unix sockets have beyond a stream of bytes: their addresses, the files that show them, and
//! who the peer is.

use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::{self, Path, PathBuf};
use std::time::Duration;
use std::{ffi::OsStr, fmt::Display};

use miniss_core::coop::consume_budget;
use socket2::{Domain, SockAddr, Socket, Type};

use super::kind::{StreamKind, sealed};
use super::listener::Listener;
use super::options::ListenOptions;
use super::stream::{Stream, current_driver, socket_type};
use crate::time::sleep;

/// Unix sockets, as the kind of a [`Stream`].
///
/// ```
/// use miniss_linux::net::{Stream, Unix, UnixStream};
/// let same: fn(UnixStream) -> Stream<Unix> = |stream| stream;
/// ```
#[derive(Debug)]
pub enum Unix {}

impl sealed::Sealed for Unix {}

impl StreamKind for Unix {
    type Address = SocketAddr;
    type Std = net::UnixStream;
    type StdListener = net::UnixListener;

    const STREAM_NAME: &'static str = "UnixStream";
    const LISTENER_NAME: &'static str = "UnixListener";

    fn socket(_: &SockAddr) -> io::Result<Socket> {
        Socket::new(Domain::UNIX, socket_type(Type::STREAM), None)
    }

    /// The kernel takes a path of 108 bytes, and the standard library has none. No connection and
    /// no message is lost for that: their sender has no name then.
    fn address(address: SockAddr) -> io::Result<SocketAddr> {
        match address.as_abstract_namespace() {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(address.as_pathname().unwrap_or(Path::new("")))
                .or_else(|_| SocketAddr::from_pathname("")),
        }
    }
}

/// The address as the kernel has it.
pub(super) fn socket_address(address: &SocketAddr) -> io::Result<SockAddr> {
    match address.as_abstract_name() {
        Some(name) => SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat())),
        None => SockAddr::unix(address.as_pathname().unwrap_or(Path::new(""))),
    }
}

/// A connection between two processes of one machine, or within one. It belongs to the shard that
/// made it, and behaves as a [`TcpStream`](super::TcpStream) does.
///
/// ```
/// use miniss_linux::{Runtime, net::{UnixListener, UnixStream}};
///
/// # let folder = std::env::temp_dir().join(format!("miniss-unix-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("greeter.socket");
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let listener = UnixListener::bind(&path).await?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     client.write_all("hello").await.0?;
///     assert_eq!(server.recv().await?[..], *b"hello");
///     drop(listener);
///     assert!(!path.exists());
/// #   std::fs::remove_dir(&folder)?;
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub type UnixStream = Stream<Unix>;

/// A listening Unix socket, which belongs to the shard that made it.
///
/// The file that it made for its address is removed when it is dropped, if it is still there. A
/// program that was killed leaves its file behind, and the next [`bind`](Listener::bind) fails:
/// whether someone still listens on it, only you can know.
pub type UnixListener = Listener<Unix>;

impl UnixStream {
    /// Connects to the socket behind the file `path`. If the listener's backlog is full, it waits
    /// for room.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound` without a file, `ConnectionRefused` if no one listens on
    /// it, `InvalidInput` if the path is longer than the 107 bytes that the kernel has room for.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping it cancels the connect and closes the socket.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        consume_budget().await;
        connect(SockAddr::unix(path)?).await
    }

    /// Connects to `address`, which may be an abstract name; otherwise as
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::{UnixListener, UnixStream}};
    /// # let runtime = Runtime::builder().shards(1).build().unwrap();
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// # let name = format!("miniss-{}", std::process::id());
    /// let address = SocketAddr::from_abstract_name(&name)?;
    /// runtime.block_on(async {
    ///     let listener = UnixListener::bind_addr(&address).await?;
    ///     let stream = UnixStream::connect_addr(&address).await?;
    ///     assert_eq!(stream.peer_addr()?.as_abstract_name(), Some(name.as_bytes()));
    /// #   drop(listener);
    /// #   Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        consume_budget().await;
        connect(socket_address(address)?).await
    }

    /// Two connected streams without a name.
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
    /// # use miniss_linux::{Runtime, net::UnixStream};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// ours.write_all("ping").await.0?;
    /// assert_eq!(theirs.recv().await?[..], *b"ping");
    /// assert!(ours.local_addr()?.is_unnamed());
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = Socket::pair(Domain::UNIX, socket_type(Type::STREAM), None)?;
        let driver = current_driver();
        Ok((Self::from_fd(a.into(), driver.clone()), Self::from_fd(b.into(), driver)))
    }

    /// The process at the other end, as it was when it connected, listened or made the pair.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UnixStream};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (ours, _theirs) = UnixStream::pair()?;
    /// assert_eq!(ours.peer_cred()?.pid, Some(std::process::id()));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn peer_cred(&self) -> io::Result<UCred> {
        let socket = self.connection.fd.socket()?;
        let mut found = MaybeUninit::<libc::ucred>::uninit();
        let mut len = size_of::<libc::ucred>() as libc::socklen_t;
        let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        let place = found.as_mut_ptr().cast();
        // SAFETY: the kernel writes no more than `len` bytes, for which there is room.
        let answer =
            unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, place, &raw mut len) };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it has written all of them, a C struct of three numbers.
        let libc::ucred { pid, uid, gid } = unsafe { found.assume_init() };
        Ok(UCred { uid, gid, pid: u32::try_from(pid).ok().filter(|&pid| pid != 0) })
    }
}

/// Connects at once, or tries again after a rest. No event tells that a listener has room. io_uring
/// would keep a thread of the kernel for each connect, and a cancel can miss it on its way there.
pub(super) async fn connect<K: StreamKind>(address: SockAddr) -> io::Result<Stream<K>> {
    let driver = current_driver();
    let socket = K::socket(&address)?;
    socket.set_nonblocking(true)?;
    let mut rest = REST_MIN;
    while let Err(error) = socket.connect(&address) {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(error);
        }
        sleep(rest).await;
        rest = (rest * 2).min(REST_MAX);
    }
    socket.set_nonblocking(driver.is_nonblocking())?;
    Ok(Stream::from_fd(socket.into(), driver))
}

/// How long a connect rests before it tries again: at first, and at most.
const REST_MIN: Duration = Duration::from_millis(1);
const REST_MAX: Duration = Duration::from_millis(50);

/// A process and its user, as [`UnixStream::peer_cred`](Stream::peer_cred) finds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UCred {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process, unless it is in a namespace that we cannot look into. It may have ended, and
    /// another process may have its number now.
    pub pid: Option<u32>,
}

impl UnixListener {
    /// Makes the socket file `path` and listens.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind_unix`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        ListenOptions::new().bind_unix(&SocketAddr::from_pathname(path)?).await
    }

    /// Binds to `address`, which may be an abstract name, and listens.
    ///
    /// # Errors
    ///
    /// As for [`ListenOptions::bind_unix`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// It does not wait.
    pub async fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        ListenOptions::new().bind_unix(address).await
    }
}

/// A Unix socket of that kind, bound to `address`, and the file that this has made.
pub(super) fn bind(address: &SocketAddr, kind: Type) -> io::Result<(Socket, Option<SocketFile>)> {
    let kernel_address = socket_address(address)?;
    let socket = Socket::new(Domain::UNIX, socket_type(kind), None)?;
    socket.bind(&kernel_address).map_err(|error| explain(error, address))?;
    Ok((socket, address.as_pathname().map(SocketFile::new).transpose()?))
}

/// A name in use is an error that says what to do.
fn explain(error: io::Error, address: &SocketAddr) -> io::Error {
    let in_use = |name: &dyn Display, remedy: &str| {
        io::Error::new(io::ErrorKind::AddrInUse, format!("bind: {name} {remedy}"))
    };
    match (error.kind(), address.as_pathname(), address.as_abstract_name()) {
        (io::ErrorKind::AddrInUse, Some(path), _) => in_use(
            &path.display(),
            "exists; if no process listens on it any more, remove the file and bind again",
        ),
        (io::ErrorKind::AddrInUse, _, Some(name)) => {
            in_use(&name.escape_ascii(), "is the name of another socket, which is still open")
        }
        _ => error,
    }
}

/// The file of a socket that made it. It goes with the socket, unless another has its name by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Its device and its number there.
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let path = path::absolute(path)?;
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    /// Leaves the file where it is.
    pub(super) fn keep(mut self) {
        mem::take(&mut self.path);
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // If it cannot be removed, the next bind says what to do.
            let _ = fs::remove_file(&self.path);
        }
    }
}
