//! What a point asks of the kernel and of the allocator: the one gate to libc here.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// Bytes that this process has taken from the heap, what the allocator adds to each piece included.
/// Of the main thread's heap, and of large pieces on all threads.
pub fn heap_bytes() -> usize {
    // SAFETY: no pointers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// Lets this process, and those that it starts, open at least `count` files.
///
/// # Errors
///
/// In a sentence, if that many are not allowed.
pub fn allow_open_files(count: u64) -> Result<(), String> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a writable limit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if limit.rlim_cur >= count {
        return Ok(());
    }
    limit.rlim_cur = count;
    limit.rlim_max = limit.rlim_max.max(count);
    // SAFETY: a readable limit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(format!(
            "{count} open files are needed, and the limit cannot be raised: {}; see `ulimit -n`",
            io::Error::last_os_error()
        )),
    }
}

/// Lets so many connections wait to be accepted; what the standard library asks for is less than a
/// client makes while a server is busy.
pub fn set_backlog(listener: &TcpListener, connections: u16) {
    // SAFETY: an open socket that listens, which may be told so again.
    unsafe { libc::listen(listener.as_raw_fd(), connections.into()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_from_the_heap_is_seen() {
        // Other tests of this process take and give back meanwhile, but not half as much.
        let before = heap_bytes();
        let bytes = std::hint::black_box(vec![0_u8; 256 << 20]);
        assert!(heap_bytes() >= before + bytes.len() / 2);
    }

    #[test]
    fn too_many_files_are_a_sentence() {
        assert!(allow_open_files(3).is_ok());
        assert!(allow_open_files(u64::MAX - 1).unwrap_err().contains("ulimit"));
    }
}
