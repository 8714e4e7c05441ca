//! What an operation asks of the kernel, as a value: numbers and addresses, and nothing of any one
//! kernel interface.
//!
//! Whichever driver fulfils a request, its completions say the same. The result is what the system
//! call of that name returns, or the number of its error, negated. `ECANCELED` means that it was
//! cancelled before it did anything.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::RawFd;

use libc::{c_char, c_int, iovec};
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
    /// Receives messages into buffers of the pool, again and again, each behind a [`MessageHead`].
    /// Otherwise as [`RecvPool`](Self::RecvPool); a message without bytes may end it.
    RecvMsgPool { fd: RawFd },
    /// Receives a message.
    RecvMsg { fd: RawFd, header: *mut libc::msghdr, flags: i32 },
    /// Sends, once there is room.
    Send { fd: RawFd, bytes: *const u8, len: u32, flags: i32 },
    /// Sends without a copy. A part brings the result; it ends when the bytes are no longer read.
    SendZeroCopy { fd: RawFd, bytes: *const u8, len: u32, flags: i32 },
    /// Sends a message, once there is room; with `MSG_DONTWAIT` now, or it ends with `EAGAIN`.
    SendMsg { fd: RawFd, header: *const libc::msghdr, flags: i32 },
    /// Accepts a connection.
    Accept { fd: RawFd, flags: i32 },
    /// Accepts one connection after the other; each part is one.
    AcceptMany { fd: RawFd, flags: i32 },
    /// Connects a socket.
    Connect { fd: RawFd, address: *const libc::sockaddr, len: libc::socklen_t },
    /// Waits until one of `events` is there, as `poll(2)` does; the result tells which.
    Poll { fd: RawFd, events: i16 },
    /// Something of a file, which may block.
    File(*const FileRequest),
    /// Cancels an operation. The result says whether it was in flight, and is of no use: that one's
    /// own completion tells.
    Cancel { id: OpId },
}

/// What is asked of a file. Paths end with a zero, and begin where the process is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FileRequest {
    /// Reads at an offset, or [`AT_CURSOR`]. A file without positions, such as a pipe, gives what
    /// comes next.
    Read {
        fd: RawFd,
        buffer: *mut u8,
        len: u32,
        offset: u64,
    },
    ReadVectored {
        fd: RawFd,
        pieces: *const iovec,
        count: u32,
        offset: u64,
    },
    /// Writes at an offset, or [`AT_CURSOR`], or at the end of a file that is appended to. A file
    /// without positions takes it as what comes next.
    Write {
        fd: RawFd,
        bytes: *const u8,
        len: u32,
        offset: u64,
    },
    WriteVectored {
        fd: RawFd,
        pieces: *const iovec,
        count: u32,
        offset: u64,
    },
    /// Moves bytes without a copy, to or from a pipe. What has no offset is [`AT_CURSOR`].
    Splice {
        from: RawFd,
        offset: u64,
        to: RawFd,
        len: u32,
    },
    /// Waits until what was written is on the disk.
    Sync {
        fd: RawFd,
        data_only: bool,
    },
    SetLen {
        fd: RawFd,
        len: u64,
    },
    /// As `fallocate(2)`.
    Allocate {
        fd: RawFd,
        mode: c_int,
        offset: u64,
        len: u64,
    },
    /// As `posix_fadvise(2)`.
    Advise {
        fd: RawFd,
        advice: c_int,
        offset: u64,
        len: i64,
    },
    /// As `statx(2)`, all that is there without asking for more than the basics.
    Status {
        fd: RawFd,
        path: *const c_char,
        flags: c_int,
        into: *mut libc::statx,
    },
    Open {
        path: *const c_char,
        flags: c_int,
        mode: u32,
    },
    Close {
        fd: RawFd,
    },
    /// As `renameat2(2)`.
    Rename {
        from: *const c_char,
        to: *const c_char,
        flags: u32,
    },
    Link {
        original: *const c_char,
        link: *const c_char,
    },
    Symlink {
        original: *const c_char,
        link: *const c_char,
    },
    /// As `unlinkat(2)`.
    Remove {
        path: *const c_char,
        flags: c_int,
    },
    MakeDir {
        path: *const c_char,
        mode: u32,
    },
    /// Something that no driver has a request for. It is given `data`, and returns a result as a
    /// completion has it.
    Call {
        function: unsafe fn(*mut ()) -> i32,
        data: *mut (),
    },
}

/// The offset that stands for the cursor that the kernel keeps, and moves.
pub(crate) const AT_CURSOR: u64 = u64::MAX;

/// What a [`Status`](FileRequest::Status) asks for.
pub(crate) const STATUS_MASK: u32 =
    libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_DIOALIGN;

const _: () = assert!(size_of::<FileRequest>() <= 32, "a read takes no more than a slot has");

/// An operation that can be made a request.
pub(crate) trait Prepare: Operation {
    /// Whether a plain system call for it may wait for a disk. Then a backend that has no other way
    /// leaves the request to [threads](super::blocking).
    const MAY_BLOCK: bool = false;

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

/// What stands at the front of a buffer of the pool that holds a message, in the form of io_uring's
/// `struct io_uring_recvmsg_out`. Room for the sender's address follows, and at [`MESSAGE_OFFSET`]
/// the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageHead {
    pub(crate) name_len: u32,
    /// The bytes that were sent, however many of them there was room for.
    pub(crate) len_sent: u32,
    pub(crate) flags: u32,
}

/// The room for an address: that of a Unix socket is the longest, with 110 bytes.
pub(crate) const MESSAGE_NAME_BYTES: usize = 112;
pub(crate) const MESSAGE_OFFSET: usize = MessageHead::BYTES + MESSAGE_NAME_BYTES;

impl MessageHead {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let words = [self.name_len, 0, self.len_sent, self.flags];
        let mut bytes = [0; Self::BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// `None`: it is too short for a message.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        message.get(..MESSAGE_OFFSET)?;
        let (words, _) = message.as_chunks();
        let word = |index: usize| u32::from_ne_bytes(words[index]);
        Some(Self { name_len: word(0), len_sent: word(2), flags: word(3) })
    }
}

/// What an operation has come to: a count or another number, or the system's error.
pub(crate) fn result_of(completion: Completion) -> io::Result<usize> {
    if completion.result < 0 {
        Err(io::Error::from_raw_os_error(-completion.result))
    } else {
        Ok(completion.result as usize)
    }
}
