//! The system call of each request that may block, made on a thread that may.

use crate::driver::request::Request;

/// Performs a request. The result is what the system call returns, or the number of its error,
/// negated.
///
/// # Safety
/// *Owned while in flight*: the operation that made the request has not ended.
pub(super) unsafe fn perform(request: Request) -> i32 {
    match request {
        Request::Nop => 0,
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
