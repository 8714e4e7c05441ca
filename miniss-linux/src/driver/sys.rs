//! What drivers ask of the system besides their kernel interface: the clock, the page, the limit of
//! locked memory, batches of messages.
//!
//! Invariant **Arguments outlive the call**: every pointer handed over points at a local that lives
//! until the call returns; none of these calls keeps a pointer.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use miniss_core::time::Instant;

/// The bytes of a page of memory, which the kernel wants a ring of buffers aligned to: 4, 16 or 64
/// KiB, as it was built.
pub(super) fn page_bytes() -> usize {
    // SAFETY: no pointers.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("POSIX demands an answer")
}

/// How many bytes all processes of the user may lock together. `None`: any number.
pub(super) fn memlock_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: 0 };
    // SAFETY: *Arguments outlive the call*: `limit` is a local.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) };
    debug_assert_eq!(result, 0, "the limit is always there");
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// How long to wait for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not at all.
    No,
    /// Until there is one.
    Forever,
    /// At most so many nanoseconds.
    Nanos(u64),
}

/// The time on `CLOCK_MONOTONIC`.
#[inline]
pub(crate) fn now() -> Instant {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: *Arguments outlive the call*: `time` is a local.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    debug_assert_eq!(result, 0, "CLOCK_MONOTONIC is always there");
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Sends messages without waiting; tells how many. An error is that of the first.
///
/// # Safety
/// What the messages name is valid.
pub(super) unsafe fn send_many(fd: RawFd, messages: &mut [libc::mmsghdr]) -> io::Result<usize> {
    let (count, flags) = (messages.len() as u32, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    // SAFETY: *Arguments outlive the call*: so many headers, and the caller's promise.
    let sent = unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), count, flags as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Makes a write whose `SIGPIPE` comes to no one. A program of Rust ignores it from its start, but
/// its main function may be that of another language.
pub(crate) fn without_signal<T>(
    write: impl FnOnce() -> T,
    is_broken: impl FnOnce(&T) -> bool,
) -> T {
    if is_ignored(libc::SIGPIPE) {
        return write();
    }
    let broken_pipe = mask_of(libc::SIGPIPE);
    let (mut former, mut pending) = (broken_pipe, broken_pipe);
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: *Arguments outlive the call*, and all masks are valid. The thread's is put back.
    unsafe {
        libc::sigpending(&raw mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const broken_pipe, &raw mut former);
        let result = write();
        let is_ours = libc::sigismember(&raw const pending, libc::SIGPIPE) == 0;
        if is_ours && is_broken(&result) {
            libc::sigtimedwait(&raw const broken_pipe, ptr::null_mut(), &raw const no_time);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const former, ptr::null_mut());
        result
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: a plain C struct of numbers and a nullable function.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place for the answer, and nothing to set.
    let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn mask_of(signal: i32) -> libc::sigset_t {
    // SAFETY: a bit set; all zero is the empty one.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid set and a valid signal.
    unsafe { libc::sigaddset(&raw mut mask, signal) };
    mask
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_goes_on_where_a_second_ends() {
        let mut last = now();
        let end = last + Duration::from_millis(1_100);
        while last < end {
            sleep(Duration::from_millis(10));
            let next = now();
            assert!(next >= last + Duration::from_millis(10));
            last = next;
        }
    }
}
