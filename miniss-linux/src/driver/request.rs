//! What an operation asks of the kernel, as a value: numbers and addresses, and nothing of any one
//! kernel interface.
//!
//! Whichever driver fulfils a request, its completions say the same. The result is what the system
//! call of that name returns, or the number of its error, negated. `ECANCELED` means that it was
//! cancelled before it did anything.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

use miniss_core::op::{Completion, OpId, Operation};

/// What an operation asks for. Pointers in it point into the operation, which stays in its slot
/// until the terminal completion (*Owned while in flight*).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    /// Nothing: it completes with 0.
    Nop,
    /// Receives from a byte stream, once there is something.
    Recv { fd: RawFd, buffer: *mut u8, len: u32, flags: i32 },
    /// Receives from a byte stream into buffers of the pool, again and again. Each part names its
    /// buffer ([`buffer_of`]). It ends with the stream, with an error, or with `ENOBUFS` if all
    /// buffers are held, whether there are bytes or not.
    RecvPool { fd: RawFd },
    /// Waits for bytes, receives some into one buffer of the pool, and ends. `ENOBUFS`: there are
    /// bytes, and all buffers are held.
    RecvPoolOnce { fd: RawFd },
    /// Receives a message.
    RecvMsg { fd: RawFd, header: *mut libc::msghdr, flags: i32 },
    /// Sends, once there is room.
    Send { fd: RawFd, bytes: *const u8, len: u32, flags: i32 },
    /// Sends a message.
    SendMsg { fd: RawFd, header: *const libc::msghdr, flags: i32 },
    /// Accepts a connection.
    Accept { fd: RawFd, flags: i32 },
    /// Accepts one connection after the other; each part is one.
    AcceptMany { fd: RawFd, flags: i32 },
    /// Connects a socket.
    Connect { fd: RawFd, address: *const libc::sockaddr, len: libc::socklen_t },
    /// Waits until one of `events` is there, as `poll(2)` does; the result tells which.
    Poll { fd: RawFd, events: i16 },
    /// Cancels an operation. The result says whether it was in flight, and is of no use: that one's
    /// own completion tells.
    Cancel { id: OpId },
}

/// An operation that can be made a request.
pub(crate) trait Prepare: Operation {
    /// The request; pointers in it may point into `self`, which stays where it is from here on.
    fn prepare(&mut self) -> Request;
}

/// The bit of a completion's flags that says that it names a provided buffer, by the 16 topmost
/// bits. io_uring has them there.
const NAMES_BUFFER: u32 = 1;
const BUFFER_SHIFT: u32 = 16;

/// The provided buffer that holds what was received, if it is in one.
pub(crate) fn buffer_of(completion: Completion) -> Option<u16> {
    let names_one = completion.flags & NAMES_BUFFER != 0;
    names_one.then_some((completion.flags >> BUFFER_SHIFT) as u16)
}

/// The flags of a completion that names a buffer.
pub(super) fn flags_naming(buffer: u16) -> u32 {
    NAMES_BUFFER | u32::from(buffer) << BUFFER_SHIFT
}

/// What an operation has come to: a count or another number, or the system's error.
pub(crate) fn result_of(completion: Completion) -> io::Result<usize> {
    if completion.result < 0 {
        Err(io::Error::from_raw_os_error(-completion.result))
    } else {
        Ok(completion.result as usize)
    }
}
