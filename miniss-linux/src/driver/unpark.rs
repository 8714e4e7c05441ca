//! What ends the sleep of a shard in the kernel.
//!
//! Any thread writes to the shard's eventfd, which the shard's ring watches. That is one system
//! call, made at once: a shard whose turn goes on for long holds no wake of another back. A message
//! from ring to ring would leave with the sender's next enter, and did; the manual's decisions
//! chapter says why that went.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::RwLock;

use miniss_core::time::Instant;
use miniss_core::timer::Wheel;
use miniss_core::{Clock, Unpark};

use super::clock::ShardClock;
use crate::runtime::is_local;

/// Wakes one shard, from any thread. It stays forever, in the shard's executor cell; the eventfd
/// that it writes to comes and goes with runtimes.
#[derive(Debug)]
pub(crate) struct Unparker {
    /// A thread that writes to it holds the lock for reading, so that it is not closed meanwhile.
    eventfd: RwLock<Option<OwnedFd>>,
    pub(crate) clock: ShardClock,
}

impl Unparker {
    pub(crate) const fn new() -> Self {
        Self { eventfd: RwLock::new(None), clock: ShardClock::new() }
    }

    /// Any thread can wake the shard from now on. Returns the eventfd, which stays open until
    /// [`close`](Self::close).
    pub(crate) fn open(&self) -> io::Result<RawFd> {
        let eventfd = make_eventfd()?;
        let fd = eventfd.as_raw_fd();
        *self.eventfd.write().expect("no panic under this lock") = Some(eventfd);
        Ok(fd)
    }

    /// Wakes do nothing from now on, and none is under way any more. The clock goes.
    pub(crate) fn close(&self) {
        self.clock.go();
        *self.eventfd.write().expect("no panic under this lock") = None;
    }
}

// SAFETY: `is_local` is true only on the thread that has entered the shard whose unparker this is.
// No waker of ours runs in a signal handler.
unsafe impl Unpark for Unparker {
    #[cold]
    fn unpark(&self) {
        let eventfd = self.eventfd.read().expect("no panic under this lock");
        let Some(eventfd) = &*eventfd else { return };
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes and an open descriptor. The write does not block: a counter
        // that is full wakes the shard as well.
        unsafe { libc::write(eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    #[inline]
    fn is_local(&self) -> bool {
        is_local(self)
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    #[inline]
    fn now(&self) -> Instant {
        self.clock.now()
    }
}

/// A counter that does not wait, neither for a reader nor for a writer.
pub(crate) fn make_eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fresh, and no one else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
