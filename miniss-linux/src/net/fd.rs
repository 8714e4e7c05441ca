//! A socket's descriptor, shared between its owner and the operations in flight on it.
//!
//! `socket ─▶ [descriptor] ─▶ op ─▶ kernel`
//!
//! Invariant **Open while used**: each operation holds a share, and an entry in the ring names the
//! number only while its operation holds one. So the number is not given to another file under an
//! entry's feet. The one exception is an explicit close (`Connection::close`): it leaves a number
//! that no file ever has, so that no further entry names the old one; then cancels what is in
//! flight, behind all entries that do name it; and only then closes.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use io_uring::types;
use socket2::Socket;

use crate::driver::Driver;

/// What a closed descriptor's number becomes.
const CLOSED: RawFd = -1;

/// An open socket, and the driver of the shard that it belongs to. Its owner and the operations on
/// it share it: what they hold has one of these inside.
pub(crate) struct Fd {
    number: Cell<RawFd>,
    driver: Rc<Driver>,
}

impl Fd {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<Driver>) -> Self {
        Self { number: Cell::new(fd.into_raw_fd()), driver }
    }

    /// The driver of the shard that the socket belongs to.
    pub(crate) fn driver(&self) -> &Rc<Driver> {
        &self.driver
    }

    /// The number, for an entry of the ring.
    pub(crate) fn number(&self) -> types::Fd {
        types::Fd(self.number.get())
    }

    /// The socket, for calls that do not wait.
    pub(crate) fn socket(&self) -> io::Result<SocketRef<'_>> {
        self.check_open()?;
        // SAFETY: *Open while used*: we are borrowed, and the reference never closes the number.
        let socket = unsafe { Socket::from_raw_fd(self.number.get()) };
        Ok(SocketRef { socket: ManuallyDrop::new(socket), _open: PhantomData })
    }

    /// For what begins: `EBADF` if it has been closed.
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.is_closed() { Err(closed()) } else { Ok(()) }
    }

    /// For what goes on: `ECANCELED` if it has been closed meanwhile.
    pub(crate) fn check_still_open(&self) -> io::Result<()> {
        match self.is_closed() {
            true => Err(io::Error::from_raw_os_error(libc::ECANCELED)),
            false => Ok(()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.number.get() == CLOSED
    }

    /// Takes the descriptor out; `None` if that was done before.
    pub(super) fn take(&self) -> Option<OwnedFd> {
        let number = self.number.replace(CLOSED);
        // SAFETY: it was ours, and nobody finds it here any more.
        (number != CLOSED).then(|| unsafe { OwnedFd::from_raw_fd(number) })
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// The error of what begins when it has been closed.
pub(super) fn closed() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// Closes a descriptor and says how that went, which dropping it does not.
pub(super) fn close(fd: OwnedFd) -> io::Result<()> {
    // SAFETY: it was owned, and nobody has it any more.
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
