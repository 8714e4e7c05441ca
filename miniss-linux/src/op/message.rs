//! Messages: several buffers as one, with an address and descriptors beside them. One receive and
//! one send serve vectored reads and writes of streams, datagrams of every kind, and descriptors
//! that are passed.
//!
//! A received descriptor has an owner from the moment that its completion is looked at. What is not
//! handed on is closed.
//!
//! A datagram that waits for its receiver has one form, wherever it waits: that in which a driver
//! puts it into a buffer of the pool ([`MessageHead`]).

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::rc::Rc;

use miniss_core::op::{Completion, Operation};
use socket2::{SockAddr, SockAddrStorage};

use super::connection::{Connection, OrphanEnd, WriteTurn};
use super::fd::Fd;
use crate::buf::{BufResult, IoVecBuf, IoVecBufMut, IoVecs};
use crate::driver::{MESSAGE_NAME_BYTES, MessageHead, Prepare, Request, result_of};

/// Descriptors that one message carries at most: the kernel's `SCM_MAX_FD`.
pub(crate) const FDS_MAX: usize = 253;

/// What came beside the bytes of a message.
pub(crate) struct Envelope {
    /// The bytes that there was room for.
    pub(crate) len: usize,
    /// The bytes that were sent.
    pub(crate) len_sent: usize,
    pub(crate) flags: i32,
    pub(crate) from: SockAddr,
    pub(crate) fds: Vec<OwnedFd>,
}

impl Envelope {
    /// Puts it down; the bytes are to follow.
    fn write(&self, to: &mut Vec<u8>) {
        let len = MESSAGE_NAME_BYTES.min(self.from.len() as usize);
        let head = MessageHead {
            name_len: len as u32,
            len_sent: self.len_sent as u32,
            flags: self.flags as u32,
        };
        to.extend_from_slice(&head.to_bytes());
        // SAFETY: an address is more bytes than these, all of them initialised.
        to.extend_from_slice(unsafe {
            std::slice::from_raw_parts(self.from.as_ptr().cast::<u8>(), MESSAGE_NAME_BYTES)
        });
    }

    /// What stands at the front of a message that was kept or came into the pool; how many bytes
    /// of it follow is not said there.
    pub(crate) fn parse(message: &[u8]) -> io::Result<Self> {
        let head = MessageHead::parse(message).ok_or(io::ErrorKind::InvalidData)?;
        let mut from = SockAddrStorage::zeroed();
        let len = MESSAGE_NAME_BYTES.min(head.name_len as usize);
        // SAFETY: a part of the memory, which any bytes are.
        let place: &mut [u8; MESSAGE_NAME_BYTES] = unsafe { from.view_as() };
        place[..len].copy_from_slice(&message[MessageHead::BYTES..][..len]);
        // SAFETY: so much of it was written, and the rest is zero.
        let from = unsafe { SockAddr::new(from, len as libc::socklen_t) };
        let (len_sent, flags) = (head.len_sent as usize, head.flags as i32);
        Ok(Self { len: 0, len_sent, flags, from, fds: Vec::new() })
    }

    /// Of bytes of a stream that were kept.
    pub(crate) fn of_stream(len: usize, fds: Vec<OwnedFd>, fds_max: usize) -> Self {
        // SAFETY: no bytes of an address are one.
        let from = unsafe { SockAddr::new(SockAddrStorage::zeroed(), 0) };
        let mut envelope = Self { len, len_sent: len, flags: 0, from, fds: Vec::new() };
        envelope.put_fds(fds, fds_max);
        envelope
    }

    /// These descriptors came with it, and so many of them are wanted.
    pub(crate) fn put_fds(&mut self, mut fds: Vec<OwnedFd>, max: usize) {
        if fds.len() > max {
            fds.truncate(max);
            self.flags |= libc::MSG_CTRUNC;
        }
        self.fds = fds;
    }
}

/// A receive of a message. If no one waits any more, it is kept for the next receive.
pub(crate) struct RecvMsg<V> {
    connection: Rc<Connection>,
    buffers: V,
    flags: i32,
    fds_max: usize,
    iovecs: IoVecs,
    header: libc::msghdr,
    from: SockAddrStorage,
    /// Where the kernel puts the descriptors.
    control: Vec<u64>,
}

impl<V: IoVecBufMut> RecvMsg<V> {
    /// Of a stream: the bytes are part of it.
    pub(crate) fn of_stream(connection: Rc<Connection>, buffers: V, fds_max: usize) -> Self {
        Self {
            connection,
            buffers,
            flags: libc::MSG_CMSG_CLOEXEC,
            fds_max: fds_max.min(FDS_MAX),
            iovecs: IoVecs::new(),
            header: empty_header(),
            from: SockAddrStorage::zeroed(),
            control: Vec::new(),
        }
    }

    /// Of a socket of datagrams. Of the flags it may have `MSG_PEEK`.
    pub(crate) fn new(connection: Rc<Connection>, buffers: V, flags: i32, fds_max: usize) -> Self {
        let message = Self::of_stream(connection, buffers, fds_max);
        // The kernel tells how long it was, however much of it fits.
        Self { flags: message.flags | flags | libc::MSG_TRUNC, ..message }
    }

    fn has(&self, flag: i32) -> bool {
        self.flags & flag != 0
    }
}

impl<V: IoVecBufMut> Operation for RecvMsg<V> {
    type Output = BufResult<Envelope, V>;

    fn settle(mut self, completion: Completion) -> Self::Output {
        let len_sent = match result_of(completion) {
            Ok(len_sent) => len_sent,
            Err(error) => return (Err(error), self.buffers),
        };
        // SAFETY: the kernel has written the control messages, and no one has looked before.
        let fds = unsafe { take_fds(&self.header) };
        let len = len_sent.min(room(&self.iovecs));
        // SAFETY: the kernel has filled the buffers front to back, with `len` bytes.
        unsafe { self.buffers.set_len_all(len) };
        // SAFETY: the kernel has written so much of it, and the rest is zero.
        let from = unsafe { SockAddr::new(self.from, self.header.msg_namelen) };
        let flags = self.header.msg_flags;
        (Ok(Envelope { len, len_sent, flags, from, fds }), self.buffers)
    }

    fn settle_orphan(self, completion: Completion) {
        let connection = self.connection.clone();
        let ended = OrphanEnd::new(&connection);
        if self.has(libc::MSG_PEEK) {
            return ended.keep(Ok(Vec::new()));
        }
        let is_datagram = self.has(libc::MSG_TRUNC);
        let (result, buffers) = self.settle(completion);
        ended.keep(result.map(|mut envelope| {
            let mut kept = Vec::new();
            if is_datagram {
                envelope.write(&mut kept);
            }
            let mut rest = envelope.len;
            buffers.for_each_init(|part| {
                let part = &part[..part.len().min(rest)];
                kept.extend_from_slice(part);
                rest -= part.len();
            });
            connection.keep_fds(mem::take(&mut envelope.fds));
            kept
        }));
    }
}

impl<V: IoVecBufMut> Prepare for RecvMsg<V> {
    fn prepare(&mut self) -> Request {
        self.iovecs.scatter(&mut self.buffers);
        self.header = header_of(&self.iovecs);
        self.header.msg_name = (&raw mut self.from).cast();
        self.header.msg_namelen = MESSAGE_NAME_BYTES as libc::socklen_t;
        if self.fds_max > 0 {
            self.control = memory_for(self.fds_max);
            self.header.msg_control = self.control.as_mut_ptr().cast();
            self.header.msg_controllen = control_len(self.fds_max) as _;
        }
        let fd = self.connection.fd.number();
        Request::RecvMsg { fd, header: &raw mut self.header, flags: self.flags }
    }
}

/// A gathering send of what is left of the buffers: the next bytes of a stream, or a message.
pub(crate) struct SendMsg<V, F = OwnedFd> {
    turn: WriteTurn,
    pub(crate) buffers: V,
    /// Where it goes, if the socket does not know.
    address: Option<SockAddr>,
    /// Descriptors that go with it. They stay open until it has ended.
    fds: Vec<F>,
    /// Bytes at the front that have been sent before.
    done: usize,
    flags: i32,
    iovecs: IoVecs,
    header: libc::msghdr,
    control: Vec<u64>,
}

impl<V: IoVecBuf> SendMsg<V> {
    /// Of a stream.
    pub(crate) fn new(turn: WriteTurn, buffers: V) -> Self {
        Self::with(turn, buffers, None, Vec::new())
    }

    /// So much of it has been sent before.
    pub(crate) fn after(self, done: usize) -> Self {
        Self { done, ..self }
    }
}

impl<V: IoVecBuf, F: AsFd + 'static> SendMsg<V, F> {
    pub(crate) fn with(
        turn: WriteTurn,
        buffers: V,
        address: Option<SockAddr>,
        fds: Vec<F>,
    ) -> Self {
        let (iovecs, header) = (IoVecs::new(), empty_header());
        let (done, flags, control) = (0, 0, Vec::new());
        Self { turn, buffers, address, fds, done, flags, iovecs, header, control }
    }

    /// It does not wait for room, and ends with `EAGAIN` if there is none.
    pub(crate) fn at_once(self) -> Self {
        Self { flags: libc::MSG_DONTWAIT, ..self }
    }

    /// Whether it names a Unix socket to send to.
    pub(crate) fn names_unix(&self) -> bool {
        self.address.as_ref().is_some_and(SockAddr::is_unix)
    }
}

impl<V: IoVecBuf, F: AsFd + 'static> Operation for SendMsg<V, F> {
    /// The send itself comes back, so that it can go on.
    type Output = (io::Result<usize>, Self);

    fn settle(self, completion: Completion) -> Self::Output {
        (result_of(completion), self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.turn.cancelled_after(self.done + result_of(completion).unwrap_or(0));
    }
}

impl<V: IoVecBuf, F: AsFd + 'static> Prepare for SendMsg<V, F> {
    fn prepare(&mut self) -> Request {
        self.iovecs.gather(&self.buffers);
        self.iovecs.advance(self.done);
        self.header = header_of(&self.iovecs);
        if let Some(address) = &self.address {
            self.header.msg_name = address.as_ptr().cast_mut().cast();
            self.header.msg_namelen = address.len();
        }
        if !self.fds.is_empty() {
            self.control = control_with(&self.fds);
            self.header.msg_control = self.control.as_mut_ptr().cast();
            self.header.msg_controllen = control_len(self.fds.len()) as _;
        }
        let (fd, header) = (self.turn.fd.number(), &raw const self.header);
        Request::SendMsg { fd, header, flags: libc::MSG_NOSIGNAL | self.flags }
    }
}

/// Messages that one call sends at most. So long the shard does nothing else: 64 take a tenth of a
/// millisecond.
pub(crate) const BATCH_MAX: usize = 64;

/// Sends each of the buffers from `done` on as a message, as far as there is room now, and tells
/// how many. An error is that of the first. Without addresses they go where the socket is
/// connected to.
pub(crate) fn send_many<V: IoVecBuf>(
    fd: &Fd,
    buffers: &V,
    addresses: &[SockAddr],
    done: usize,
) -> io::Result<usize> {
    let mut pieces = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH_MAX];
    let mut messages = [libc::mmsghdr { msg_hdr: empty_header(), msg_len: 0 }; BATCH_MAX];
    let (mut places, mut before) = (pieces.iter_mut().zip(&mut messages), 0);
    let mut count = 0;
    buffers.for_each_init(|bytes| {
        if before < done {
            before += 1;
        } else if let Some((piece, message)) = places.next() {
            piece.iov_base = bytes.as_ptr().cast_mut().cast();
            piece.iov_len = bytes.len();
            (message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen) = (piece, 1);
            if let Some(address) = addresses.get(done + count) {
                message.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
                message.msg_hdr.msg_namelen = address.len();
            }
            count += 1;
        }
    });
    // SAFETY: each names one of the pieces, a buffer and an address, which are borrowed here.
    unsafe { fd.driver().send_many(fd.number(), &mut messages[..count]) }
}

/// A message header that names nothing.
fn empty_header() -> libc::msghdr {
    // SAFETY: a plain C struct of numbers and nullable pointers.
    unsafe { mem::zeroed() }
}

fn header_of(iovecs: &IoVecs) -> libc::msghdr {
    let mut header = empty_header();
    let iovecs = iovecs.as_slice();
    header.msg_iov = iovecs.as_ptr().cast_mut();
    header.msg_iovlen = iovecs.len() as _;
    header
}

/// The bytes that the kernel has room for: of very many buffers, it is given only the first.
fn room(iovecs: &IoVecs) -> usize {
    iovecs.as_slice().iter().fold(0, |sum, piece| sum.saturating_add(piece.iov_len))
}

/// The bytes of a control message with so many descriptors.
fn control_len(fds: usize) -> usize {
    // SAFETY: it only computes.
    unsafe { libc::CMSG_LEN((fds * size_of::<RawFd>()) as u32) as usize }
}

/// Memory for a control message with so many descriptors, aligned as its head wants it.
fn memory_for(fds: usize) -> Vec<u64> {
    const { assert!(align_of::<libc::cmsghdr>() <= align_of::<u64>()) };
    vec![0; control_len(fds).div_ceil(size_of::<u64>())]
}

/// A control message with the descriptors.
fn control_with<F: AsFd>(fds: &[F]) -> Vec<u64> {
    let mut control = memory_for(fds.len());
    let head = control.as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: the memory is aligned and has room for the head and for each of the descriptors.
    unsafe {
        (*head).cmsg_len = control_len(fds.len()) as _;
        (*head).cmsg_level = libc::SOL_SOCKET;
        (*head).cmsg_type = libc::SCM_RIGHTS;
        let data = libc::CMSG_DATA(head).cast::<RawFd>();
        for (index, fd) in fds.iter().enumerate() {
            data.add(index).write_unaligned(fd.as_fd().as_raw_fd());
        }
    }
    control
}

/// The descriptors that came with a message. Each control message is looked at, also those that we
/// did not ask for, as no one else would close what they bring.
///
/// # Safety
/// The kernel has written the control messages of the header, and their memory is still there. It
/// is the first look.
unsafe fn take_fds(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: the kernel has written `msg_controllen` bytes.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: `at` is null or a control message that the kernel has written.
    while let Some(control) = unsafe { at.as_ref() } {
        // SAFETY: as above, and the caller's promise.
        let brought = || unsafe { descriptors_of(control) };
        match (control.cmsg_level, control.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => fds.extend(brought()),
            (libc::SOL_SOCKET, SCM_PIDFD) => drop(brought()),
            _ => {}
        }
        // SAFETY: as above.
        at = unsafe { libc::CMSG_NXTHDR(header, at) };
    }
    fds
}

/// Brings a descriptor of the sending process to a socket that someone has set `SO_PASSPIDFD` on.
const SCM_PIDFD: i32 = 4;

/// # Safety
/// A control message that the kernel has written, with descriptors. It is the first look.
unsafe fn descriptors_of(control: &libc::cmsghdr) -> Vec<OwnedFd> {
    let bytes = (control.cmsg_len as u64).saturating_sub(control_len(0) as u64) as usize;
    // SAFETY: it only computes.
    let data = unsafe { libc::CMSG_DATA(control) }.cast::<RawFd>();
    // SAFETY: so many numbers are in it.
    let numbers =
        (0..bytes / size_of::<RawFd>()).map(|at| unsafe { data.add(at).read_unaligned() });
    // An error stands where there is no descriptor.
    let opened = numbers.filter(|&number| number >= 0);
    // SAFETY: the kernel has opened each for us, and this is the first look.
    opened.map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}
