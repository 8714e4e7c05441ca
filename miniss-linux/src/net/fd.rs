//! A socket's descriptor, shared between its owner and the operations in flight on it.
//!
//! `socket ─▶ [descriptor] ─▶ op ─▶ kernel`
//!
//! Invariant **Open while used**: each operation holds a share, and an entry in the ring names the number
//! only while its operation holds one. So the number is not given to another file under an entry's feet. The one
//! exception is an explicit close: it first cancels what is in flight, and then leaves a number that no file
//! ever has.

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use io_uring::types;
use socket2::Socket;

use crate::driver::Driver;
use crate::op::cancel::CancelAll;

/// What a closed descriptor's number becomes.
const CLOSED: RawFd = -1;

/// A share of a descriptor.
#[derive(Clone)]
pub(crate) struct Fd(Rc<Inner>);

struct Inner {
    number: Cell<RawFd>,
    driver: Rc<Driver>,
}

impl Fd {
    pub(crate) fn new(fd: OwnedFd, driver: Rc<Driver>) -> Self {
        Self(Rc::new(Inner { number: Cell::new(fd.into_raw_fd()), driver }))
    }

    /// The driver of the shard that the socket belongs to.
    pub(crate) fn driver(&self) -> &Rc<Driver> {
        &self.0.driver
    }

    /// The number, for an entry of the ring.
    pub(crate) fn number(&self) -> types::Fd {
        types::Fd(self.0.number.get())
    }

    /// The socket, for calls that do not wait.
    pub(crate) fn socket(&self) -> io::Result<SocketRef> {
        let number = self.0.number.get();
        if number == CLOSED {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        // SAFETY: *Open while used*: the reference holds a share; it never closes the number.
        let socket = unsafe { Socket::from_raw_fd(number) };
        Ok(SocketRef { socket: ManuallyDrop::new(socket), _share: self.clone() })
    }

    /// Cancels what is in flight on it, then closes it, whoever else holds a share.
    pub(crate) async fn close(self) -> io::Result<()> {
        // Whatever this finds or not: afterwards nothing is in flight.
        let _ = self.driver().start(CancelAll { fd: self.clone() }).await;
        self.0.close()
    }
}

impl Inner {
    fn close(&self) -> io::Result<()> {
        let number = self.number.replace(CLOSED);
        if number == CLOSED {
            return Ok(());
        }
        // SAFETY: it was ours, and nobody finds it here any more.
        if unsafe { libc::close(number) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.close();
    }
}

/// A borrowed view of a socket.
pub(crate) struct SocketRef {
    socket: ManuallyDrop<Socket>,
    _share: Fd,
}

impl Deref for SocketRef {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}
