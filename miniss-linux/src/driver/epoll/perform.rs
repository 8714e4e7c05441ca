//! The system call of each request, made so that it does not wait.
//!
//! Invariant **Owned while in flight**: what a request points at stays valid until its terminal
//! completion, and a request is performed only before that.

use std::io;
use std::os::fd::RawFd;

use miniss_core::op::Completion;

use crate::driver::buffers::BufferPool;
use crate::driver::request::{
    MESSAGE_NAME_BYTES, MESSAGE_OFFSET, MessageHead, Request, flags_naming,
};

/// What has come of a request.
pub(super) enum Step {
    /// It is done for now, and goes on.
    Part(Completion, After),
    End(Completion, After),
    /// Not now.
    Blocked,
    /// A connect has begun; the request that takes its place asks how it went.
    Begun(Request),
}

/// What is known of the descriptor behind a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Unknown,
    /// A byte stream gave less than there was room for.
    Short,
}

/// Performs a request on a descriptor, once. `pool` is there for those that need it.
///
/// # Safety
/// *Owned while in flight*: the operation that made the request has not ended.
#[inline(always)]
pub(super) unsafe fn perform(request: Request, pool: Option<&BufferPool>) -> Step {
    match request {
        Request::Nop | Request::Cancel { .. } => ended(0),
        Request::File(_) => unreachable!("it may block"),
        Request::Recv { fd, buffer, len, flags } => {
            let takes = flags & libc::MSG_PEEK == 0;
            let flags = flags | libc::MSG_DONTWAIT;
            // SAFETY: *Owned while in flight*: `len` writable bytes.
            let call = || unsafe { libc::recv(fd, buffer.cast(), len as usize, flags) };
            end_of(again_if_interrupted(call), |count| after_receiving(count, len, takes))
        }
        // SAFETY: no pointers.
        Request::RecvPool { fd } => recv_pool(fd, pool),
        Request::RecvPoolOnce { fd } => match recv_pool(fd, pool) {
            Step::Part(completion, after) => Step::End(completion, after),
            other => other,
        },
        Request::RecvMsgPool { fd } => recv_msg_pool(fd, pool),
        Request::RecvMsg { fd, header, flags } => {
            // SAFETY: *Owned while in flight*: a header that names writable memory.
            let call = || unsafe { libc::recvmsg(fd, header, flags | libc::MSG_DONTWAIT) };
            end_of(again_if_interrupted(call), |_| After::Unknown)
        }
        Request::Send { fd, bytes, len, flags }
        | Request::SendZeroCopy { fd, bytes, len, flags } => {
            let flags = flags | libc::MSG_DONTWAIT;
            // SAFETY: *Owned while in flight*: `len` readable bytes.
            let call = || unsafe { libc::send(fd, bytes.cast(), len as usize, flags) };
            end_of(again_if_interrupted(call), |_| After::Unknown)
        }
        Request::SendMsg { fd, header, flags } => {
            // SAFETY: *Owned while in flight*: a header that names readable memory.
            let call = || unsafe { libc::sendmsg(fd, header, flags | libc::MSG_DONTWAIT) };
            match again_if_interrupted(call) {
                Err(errno @ libc::EAGAIN) if flags & libc::MSG_DONTWAIT != 0 => ended(-errno),
                result => end_of(result, |_| After::Unknown),
            }
        }
        Request::Accept { fd, flags } => end_of(accept(fd, flags), |_| After::Unknown),
        Request::AcceptMany { fd, flags } => match accept(fd, flags) {
            Ok(accepted) => part(accepted as i32, 0, After::Unknown),
            error => end_of(error, |_| After::Unknown),
        },
        Request::Connect { fd, address, .. } if address.is_null() => connected(fd),
        Request::Connect { fd, address, len } => {
            // SAFETY: *Owned while in flight*: an address of `len` bytes.
            match check(unsafe { libc::connect(fd, address, len) } as isize) {
                // It goes on by itself.
                Err(libc::EINPROGRESS | libc::EINTR) => {
                    Step::Begun(Request::Connect { fd, address: std::ptr::null(), len: 0 })
                }
                // A Unix socket has no room for it, and no event tells when there is.
                Err(errno) => ended(-errno),
                Ok(_) => ended(0),
            }
        }
        Request::Poll { fd, events } => match poll(fd, events) {
            Ok(0) => Step::Blocked,
            Ok(found) => ended(found as i32),
            Err(errno) => ended(-errno),
        },
    }
}

/// Receives into a buffer of the pool.
#[inline]
pub(super) fn recv_pool(fd: RawFd, pool: Option<&BufferPool>) -> Step {
    let flags = libc::MSG_DONTWAIT;
    let Some((pool, (id, memory))) = pool.and_then(|pool| Some((pool, pool.take()?))) else {
        return without_buffer(fd);
    };
    let len = pool.buffer_bytes();
    // SAFETY: *One holder*: the buffer is ours, and has so many bytes.
    let call = || unsafe { libc::recv(fd, memory.cast(), len as usize, flags) };
    match again_if_interrupted(call) {
        Ok(count) if count > 0 => {
            part(count as i32, flags_naming(id), after_receiving(count, len, true))
        }
        other => {
            pool.take_back(id);
            end_of(other, |_| After::Unknown)
        }
    }
}

/// Receives a message into a buffer of the pool, behind its head.
fn recv_msg_pool(fd: RawFd, pool: Option<&BufferPool>) -> Step {
    let Some((pool, (id, memory))) = pool.and_then(|pool| Some((pool, pool.take()?))) else {
        return ended(-libc::ENOBUFS);
    };
    // SAFETY: a plain C struct of numbers and nullable pointers.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    let room = pool.buffer_bytes() as usize - MESSAGE_OFFSET;
    let iov_base = memory.wrapping_add(MESSAGE_OFFSET).cast();
    let mut iovec = libc::iovec { iov_base, iov_len: room };
    header.msg_name = memory.wrapping_add(MessageHead::BYTES).cast();
    header.msg_namelen = MESSAGE_NAME_BYTES as libc::socklen_t;
    (header.msg_iov, header.msg_iovlen) = (&raw mut iovec, 1);
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: *One holder*: the buffer is ours, and has room for all three.
    match again_if_interrupted(|| unsafe { libc::recvmsg(fd, &raw mut header, flags) }) {
        Ok(len_sent) => {
            let (name_len, flags) = (header.msg_namelen, header.msg_flags as u32);
            let head = MessageHead { name_len, len_sent: len_sent as u32, flags }.to_bytes();
            // SAFETY: as above.
            unsafe { memory.copy_from_nonoverlapping(head.as_ptr(), head.len()) };
            let len = MESSAGE_OFFSET + room.min(len_sent as usize);
            part(len as i32, flags_naming(id), After::Unknown)
        }
        error => {
            pool.take_back(id);
            end_of(error, |_| After::Unknown)
        }
    }
}

/// All buffers are held: whether that matters yet.
fn without_buffer(fd: RawFd) -> Step {
    let mut byte = 0_u8;
    let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
    // SAFETY: one writable byte.
    let call = || unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, flags) };
    match again_if_interrupted(call) {
        Ok(count) if count > 0 => ended(-libc::ENOBUFS),
        other => end_of(other, |_| After::Unknown),
    }
}

fn after_receiving(count: isize, room: u32, takes: bool) -> After {
    if takes && count > 0 && count < room as isize { After::Short } else { After::Unknown }
}

/// No flag of the call says that it is not to wait, and someone else may have made the listener
/// blocking, through another descriptor of it.
fn accept(fd: RawFd, flags: i32) -> Result<isize, i32> {
    if poll(fd, libc::POLLIN)? == 0 {
        return Err(libc::EAGAIN);
    }
    let flags = flags | libc::SOCK_NONBLOCK;
    let (address, len) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the connection is asked for the address.
    again_if_interrupted(|| unsafe { libc::accept4(fd, address, len, flags) } as isize)
}

/// How a connect that had begun went.
fn connected(fd: RawFd) -> Step {
    match poll(fd, libc::POLLOUT) {
        Ok(0) => return Step::Blocked,
        Err(errno) => return ended(-errno),
        Ok(_) => {}
    }
    let mut errno = 0_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    let value = (&raw mut errno).cast();
    // SAFETY: `errno` and `len` are locals, and `len` says how large the first is.
    let asked =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, value, &raw mut len) };
    match check(asked as isize) {
        Ok(_) => ended(-errno),
        Err(errno) => ended(-errno),
    }
}

/// Which of `events` are there, and errors besides.
fn poll(fd: RawFd, events: i16) -> Result<i16, i32> {
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: `asked` is a local, and there is one.
    again_if_interrupted(|| unsafe { libc::poll(&raw mut asked, 1, 0) } as isize)?;
    if asked.revents & libc::POLLNVAL != 0 { Err(libc::EBADF) } else { Ok(asked.revents) }
}

/// Whether the descriptor is a TCP socket.
pub(super) fn is_tcp(fd: RawFd) -> bool {
    let mut protocol = 0_i32;
    let mut len = size_of::<i32>() as libc::socklen_t;
    let value = (&raw mut protocol).cast();
    // SAFETY: `protocol` and `len` are locals, and `len` says how large the first is.
    let asked =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, value, &raw mut len) };
    asked == 0 && protocol == libc::IPPROTO_TCP
}

fn part(result: i32, flags: u32, after: After) -> Step {
    Step::Part(Completion { result, flags }, after)
}

fn ended(result: i32) -> Step {
    Step::End(Completion { result, flags: 0 }, After::Unknown)
}

/// The end of a request by a call that was made.
fn end_of(result: Result<isize, i32>, after: impl FnOnce(isize) -> After) -> Step {
    match result {
        Err(libc::EAGAIN) => Step::Blocked,
        Err(errno) => ended(-errno),
        // The kernel moves no more than 2 GiB at a time.
        Ok(count) => Step::End(Completion { result: count as i32, flags: 0 }, after(count)),
    }
}

#[cfg(test)]
thread_local! {
    /// System calls made for requests.
    pub(super) static CALLS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn again_if_interrupted(mut call: impl FnMut() -> isize) -> Result<isize, i32> {
    #[cfg(test)]
    CALLS.with(|calls| calls.set(calls.get() + 1));
    loop {
        match check(call()) {
            Err(libc::EINTR) => {}
            result => return result,
        }
    }
}

fn check(result: isize) -> Result<isize, i32> {
    if result >= 0 {
        return Ok(result);
    }
    Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
