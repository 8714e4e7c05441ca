//! A socket's descriptor, shared between its owner and the operations in flight on it.
//!
//! Invariant **Open while used**: each operation holds a share, and a request names the number only
//! while its operation holds one. So the kernel never finds another file behind the number of a
//! request. The one exception is an explicit close (`Connection::close`). From its start on,
//! [`Fd::number`] is one that no file ever has, so no further request names the old one. Then it
//! cancels what is in flight, behind all requests that do name it. Only then it closes. A
//! descriptor that is given away (`Connection::take_descriptor`) goes the same way.
//!
//! Invariant **Lent stays open**: once the number was lent as a [`BorrowedFd`], it stays open until
//! its owner is dropped, which the loan does not outlive. A close then puts another file in the
//! place of the socket, one that answers everything with `EBADF`.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::sync::OnceLock;

use socket2::Socket;

use crate::driver::ShardDriver;

/// No file has this number.
const NONE: RawFd = -1;

/// An open socket, and the driver of the shard that it belongs to. Its owner and the operations on
/// it share it: what they hold has one of these inside.
pub(crate) struct Fd {
    /// [`NONE`] once the descriptor was taken out.
    raw: Cell<RawFd>,
    stage: Cell<Stage>,
    is_lent: Cell<bool>,
    driver: Rc<ShardDriver>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// What is in flight is being cancelled.
    Closing,
    Closed,
}

impl Fd {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<ShardDriver>) -> Self {
        let (raw, stage) = (Cell::new(fd.into_raw_fd()), Cell::new(Stage::Open));
        Self { raw, stage, is_lent: Cell::new(false), driver }
    }

    /// The driver of the shard that the socket belongs to.
    pub(crate) fn driver(&self) -> &Rc<ShardDriver> {
        &self.driver
    }

    /// The number, for a request.
    pub(crate) fn number(&self) -> RawFd {
        if self.is_closed() { NONE } else { self.raw.get() }
    }

    /// The socket, for calls that do not wait.
    pub(crate) fn socket(&self) -> io::Result<SocketRef<'_>> {
        self.check_open()?;
        // SAFETY: *Open while used*: we are borrowed, and the reference never closes the number.
        Ok(unsafe { self.socket_ref() })
    }

    /// # Safety
    /// There is a file behind the number as long as the reference is used.
    unsafe fn socket_ref(&self) -> SocketRef<'_> {
        // SAFETY: the caller's promise.
        let socket = unsafe { Socket::from_raw_fd(self.raw.get()) };
        SocketRef { socket: ManuallyDrop::new(socket), _open: PhantomData }
    }

    /// Lends the number.
    ///
    /// # Panics
    ///
    /// If it is closed, and there is no descriptor left for a file to stand in its place.
    pub(crate) fn lend(&self) -> BorrowedFd<'_> {
        if self.is_closed() {
            return closed_file().expect("a descriptor to stand for a closed socket").as_fd();
        }
        self.is_lent.set(true);
        // SAFETY: *Lent stays open*, and we are borrowed by our owner.
        unsafe { BorrowedFd::borrow_raw(self.raw.get()) }
    }

    /// For an operation that begins: `EBADF` if the socket was closed before.
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.is_closed() { Err(closed()) } else { Ok(()) }
    }

    /// For an operation that goes on: `ECANCELED` if the socket was closed meanwhile.
    pub(crate) fn check_still_open(&self) -> io::Result<()> {
        match self.is_closed() {
            true => Err(io::Error::from_raw_os_error(libc::ECANCELED)),
            false => Ok(()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stage.get() != Stage::Open
    }

    /// From now on no request may name the number. `false` if a close had begun before.
    pub(crate) fn start_close(&self) -> bool {
        let is_first = !self.is_closed();
        if is_first {
            self.stage.set(Stage::Closing);
        }
        is_first
    }

    /// Closes the number, which no request names any more, if that was not done before.
    pub(crate) fn finish_close(&self) -> io::Result<()> {
        if self.stage.replace(Stage::Closed) != Stage::Closing {
            return Ok(());
        }
        if self.is_lent.get() {
            self.driver.forget(self.raw.get());
            self.put_closed_file();
            return Ok(());
        }
        self.take().map_or(Ok(()), close)
    }

    /// Puts the closed file in the place of the socket. If there is none, the peer sees the end all
    /// the same, and the socket is closed when its owner is dropped.
    fn put_closed_file(&self) {
        let raw = self.raw.get();
        let is_replaced = closed_file().is_ok_and(|closed| {
            // SAFETY: no pointers. The socket's number is ours, and stays open: *Lent stays open*.
            unsafe { libc::dup3(closed.as_raw_fd(), raw, libc::O_CLOEXEC) == raw }
        });
        if !is_replaced {
            // SAFETY: *Lent stays open*.
            let _ = unsafe { self.socket_ref() }.shutdown(Shutdown::Both);
        }
    }

    /// Takes the descriptor out of a file that is being closed; `None` if that was done before. If
    /// it is lent, the closed file is put in its place.
    pub(crate) fn take_closing(&self) -> Option<OwnedFd> {
        if self.stage.replace(Stage::Closed) != Stage::Closing {
            return None;
        }
        if !self.is_lent.get() {
            return self.take();
        }
        // SAFETY: *Lent stays open*.
        let copy = unsafe { BorrowedFd::borrow_raw(self.raw.get()) }.try_clone_to_owned();
        self.put_closed_file();
        copy.ok()
    }

    /// The owner is dropped, so no loan lives any more.
    pub(crate) fn end_loans(&self) {
        self.is_lent.set(false);
    }

    /// The number, whatever has become of it.
    pub(crate) fn raw_number(&self) -> RawFd {
        self.raw.get()
    }

    /// Takes the descriptor out; `None` if that was done before.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        let raw = self.raw.replace(NONE);
        self.driver.forget(raw);
        // SAFETY: it was ours, and is not here any more.
        (raw != NONE).then(|| unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// The descriptor of a socket that was not closed.
    pub(crate) fn into_owned(self) -> Option<OwnedFd> {
        self.take()
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// The error of an operation that begins on a closed socket.
pub(crate) fn closed() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// Whether an operation of a socket failed because it was in progress when the socket was
/// [closed](crate::net::TcpStream::close) (`ECANCELED`).
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// use miniss_linux::{net::is_cancelled, spawn};
/// use std::rc::Rc;
///
/// let stream = Rc::new(stream);
/// let reader = spawn({
///     let stream = stream.clone();
///     async move { stream.recv().await }
/// });
/// miniss_linux::yield_now().await; // it begins to wait
/// stream.close().await?;
/// assert!(is_cancelled(&reader.await.unwrap().unwrap_err()));
/// # Ok(()) });
/// ```
pub fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECANCELED)
}

/// Whether an operation of a socket failed because the socket had been
/// [closed](crate::net::TcpStream::close) before it began (`EBADF`).
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// stream.close().await?;
/// let error = stream.write_all("too late").await.0.unwrap_err();
/// assert!(miniss_linux::net::is_closed(&error));
/// # Ok(()) });
/// ```
pub fn is_closed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADF)
}

/// A file that cannot be used for anything: every call on it but closing it answers `EBADF`.
fn closed_file() -> io::Result<&'static OwnedFd> {
    static CLOSED: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(closed) = CLOSED.get() {
        return Ok(closed);
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open("/")?;
    Ok(CLOSED.get_or_init(|| file.into()))
}

/// Closes a descriptor and returns the error, which dropping it does not.
pub(super) fn close(fd: OwnedFd) -> io::Result<()> {
    // SAFETY: it was owned, and no one has it any more.
    if unsafe { libc::close(fd.into_raw_fd()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A borrowed view of a socket.
pub(crate) struct SocketRef<'a> {
    socket: ManuallyDrop<Socket>,
    _open: PhantomData<&'a Fd>,
}

impl Deref for SocketRef<'_> {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}
