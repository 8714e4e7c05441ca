//! The system call of each request that may block, made on a thread that may.
//!
//! Invariant **Owned while in flight**: what a request points at stays valid until its terminal
//! completion, and a request is performed only before that. Nothing but the call uses it meanwhile.

use std::io;
use std::ptr;

use libc::{c_int, iovec};

use crate::driver::request::{AT_CURSOR, FileRequest, Request, STATUS_MASK};
use crate::driver::sys::without_signal;

/// Performs a request. The result is what the system call returns, or the number of its error,
/// negated.
///
/// # Safety
/// *Owned while in flight*: the operation that made the request has not ended.
pub(super) unsafe fn perform(request: Request) -> i32 {
    match request {
        Request::Nop => 0,
        // SAFETY: the caller's promise: it points into the operation.
        Request::File(request) => unsafe { perform_on_file(*request) },
        // For tests: all drivers wait without a thread.
        #[cfg(test)]
        Request::Poll { fd, events } => {
            let mut asked = libc::pollfd { fd, events, revents: 0 };
            // SAFETY: `asked` is a local, and there is one.
            unsafe { libc::poll(&raw mut asked, 1, -1) };
            i32::from(asked.revents)
        }
        // No backend sends others here.
        _ => -libc::EOPNOTSUPP,
    }
}

/// # Safety
/// As for [`perform`].
unsafe fn perform_on_file(request: FileRequest) -> i32 {
    use FileRequest::*;
    const HERE: c_int = libc::AT_FDCWD;
    match request {
        Read { fd, buffer, len, offset } => {
            let piece = iovec { iov_base: buffer.cast(), iov_len: len as usize };
            // SAFETY: *Owned while in flight*: `len` writable bytes.
            move_bytes(offset, |at| unsafe { libc::preadv2(fd, &raw const piece, 1, at, 0) })
        }
        ReadVectored { fd, pieces, count, offset } => {
            // SAFETY: *Owned while in flight*: `count` pieces of writable memory.
            move_bytes(offset, |at| unsafe { libc::preadv2(fd, pieces, count as c_int, at, 0) })
        }
        Write { fd, bytes, len, offset } => {
            let piece = iovec { iov_base: bytes.cast_mut().cast(), iov_len: len as usize };
            // SAFETY: *Owned while in flight*: `len` readable bytes.
            let write = |at| unsafe { libc::pwritev2(fd, &raw const piece, 1, at, 0) };
            without_signal(|| move_bytes(offset, write), is_broken)
        }
        WriteVectored { fd, pieces, count, offset } => {
            // SAFETY: *Owned while in flight*: `count` pieces of readable memory.
            let write = |at| unsafe { libc::pwritev2(fd, pieces, count as c_int, at, 0) };
            without_signal(|| move_bytes(offset, write), is_broken)
        }
        Splice { from, offset, to, len } => {
            let mut at = offset as i64;
            let at = if offset == AT_CURSOR { ptr::null_mut() } else { &raw mut at };
            // SAFETY: `at` is a local, or nothing.
            let call = || unsafe { libc::splice(from, at, to, ptr::null_mut(), len as usize, 0) };
            without_signal(|| again(|| call() as c_int), is_broken)
        }
        // SAFETY: no pointers.
        Sync { fd, data_only: true } => again(|| unsafe { libc::fdatasync(fd) }),
        // SAFETY: no pointers.
        Sync { fd, data_only: false } => again(|| unsafe { libc::fsync(fd) }),
        // SAFETY: no pointers.
        SetLen { fd, len } => again(|| unsafe { libc::ftruncate(fd, len as i64) }),
        Allocate { fd, mode, offset, len } => {
            // SAFETY: no pointers.
            again(|| unsafe { libc::fallocate(fd, mode, offset as i64, len as i64) })
        }
        // It returns the number of the error.
        // SAFETY: no pointers.
        Advise { fd, advice, offset, len } => unsafe {
            -libc::posix_fadvise(fd, offset as i64, len, advice)
        },
        Status { fd, path, flags, into } => {
            // SAFETY: *Owned while in flight*: a path, and room for the answer.
            again(|| unsafe { libc::statx(fd, path, flags, STATUS_MASK, into) })
        }
        Open { path, flags, mode } => {
            // SAFETY: *Owned while in flight*: a path.
            again(|| unsafe { libc::openat(HERE, path, flags, mode) })
        }
        // The descriptor is free again also if this fails.
        // SAFETY: no pointers.
        Close { fd } => result_of(unsafe { libc::close(fd) } as isize),
        Rename { from, to, flags } => {
            // SAFETY: *Owned while in flight*: two paths.
            again(|| unsafe { libc::renameat2(HERE, from, HERE, to, flags) })
        }
        Link { original, link } => {
            // SAFETY: *Owned while in flight*: two paths.
            again(|| unsafe { libc::linkat(HERE, original, HERE, link, 0) })
        }
        Symlink { original, link } => {
            // SAFETY: *Owned while in flight*: two paths.
            again(|| unsafe { libc::symlinkat(original, HERE, link) })
        }
        Remove { path, flags } => {
            // SAFETY: *Owned while in flight*: a path.
            again(|| unsafe { libc::unlinkat(HERE, path, flags) })
        }
        MakeDir { path, mode } => {
            // SAFETY: *Owned while in flight*: a path.
            again(|| unsafe { libc::mkdirat(HERE, path, mode) })
        }
        // SAFETY: *Owned while in flight*: the operation made the one for the other.
        Call { function, data } => unsafe { function(data) },
    }
}

/// Moves bytes at an offset, or at the kernel's cursor if the file has no positions.
fn move_bytes(offset: u64, call: impl Fn(i64) -> isize) -> i32 {
    let mut at = offset as i64;
    loop {
        match result_of(call(at)) {
            EINTR => {}
            ESPIPE if at != AT_CURSOR as i64 => at = AT_CURSOR as i64,
            result => return result,
        }
    }
}

fn is_broken(result: &i32) -> bool {
    *result == -libc::EPIPE
}

const EINTR: i32 = -libc::EINTR;
const ESPIPE: i32 = -libc::ESPIPE;

fn again(call: impl Fn() -> c_int) -> i32 {
    loop {
        match result_of(call() as isize) {
            EINTR => {}
            result => return result,
        }
    }
}

/// The kernel moves no more than 2 GiB at a time.
fn result_of(result: isize) -> i32 {
    if result >= 0 {
        return result as i32;
    }
    -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}
