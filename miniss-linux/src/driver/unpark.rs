//! The unparker of a shard: ends its sleep in the kernel.
//!
//! Two ways, both built in. Any thread can write to the shard's eventfd, which the shard's ring
//! watches: one system call for the waker. A shard can instead have its own ring post a message to
//! the other's, with the enter it makes anyway. Which one shards use among themselves is a setting;
//! the manual's decisions chapter has the measurement.
//!
//! The kernel hands the number of an unparker back with a message that failed. A number, since an
//! address need not fit: on some processors its upper bits carry a tag.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use miniss_core::time::Instant;
use miniss_core::{Clock, Unpark};

use super::sys::now;
use crate::runtime::{is_local, try_with_current};

/// How shards of one runtime wake each other. Foreign threads always use the eventfd.
///
/// ```
/// use miniss_linux::{WakeBy, Runtime};
/// let runtime = Runtime::builder().shards(1).wake_by(WakeBy::EventFd).build().unwrap();
/// runtime.block_on(async {});
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WakeBy {
    /// A write to the sleeper's eventfd: a system call of its own, made when the calls that have
    /// gathered in a turn are sent.
    #[default]
    EventFd,
    /// A message from ring to ring: no system call of its own, but it leaves with the waker's
    /// next enter, at the end of its turn.
    MsgRing,
}

/// What must be reachable from everywhere to wake a shard. It stays forever, in the shard's
/// executor cell; what it rings comes and goes with runtimes.
#[derive(Debug)]
pub(crate) struct Unparker {
    /// Held for reading during a ring, so that it is not closed under the ringer's hands.
    eventfd: RwLock<Option<OwnedFd>>,
    /// A descriptor of the shard's ring that is valid while the runtime is; -1: none.
    ring_fd: AtomicI32,
    by_message: AtomicBool,
    /// Given when it first hangs.
    name: OnceLock<UnparkerName>,
}

/// What an unparker is given when a shard starts.
#[derive(Debug)]
pub(crate) struct UnparkerPost {
    pub(crate) ring_fd: RawFd,
    pub(crate) kind: WakeBy,
}

impl Unparker {
    pub(crate) const fn new() -> Self {
        Self {
            eventfd: RwLock::new(None),
            ring_fd: AtomicI32::new(-1),
            by_message: AtomicBool::new(false),
            name: OnceLock::new(),
        }
    }

    /// Hangs the unparker: foreign threads can ring from now on. Returns the eventfd, which stays
    /// open until [`take_down`](Self::take_down).
    pub(crate) fn hang(&'static self) -> io::Result<RawFd> {
        self.name.get_or_init(|| UnparkerName::of(self));
        let eventfd = make_eventfd()?;
        let fd = eventfd.as_raw_fd();
        *self.eventfd.write().expect("no panic under this lock") = Some(eventfd);
        Ok(fd)
    }

    /// Shards can ring by message from now on, if that is wanted.
    pub(crate) fn post(&self, post: &UnparkerPost) {
        self.by_message.store(post.kind == WakeBy::MsgRing, Ordering::Relaxed);
        self.ring_fd.store(post.ring_fd, Ordering::Release);
    }

    /// Rings do nothing from now on; none is under way any more.
    pub(crate) fn take_down(&self) {
        self.ring_fd.store(-1, Ordering::Release);
        *self.eventfd.write().expect("no panic under this lock") = None;
    }

    /// What a completion knows this unparker by, once it has hung.
    pub(crate) fn name(&self) -> Option<UnparkerName> {
        self.name.get().copied()
    }

    fn ring_by_message(&self) -> bool {
        if !self.by_message.load(Ordering::Relaxed) {
            return false;
        }
        let fd = self.ring_fd.load(Ordering::Acquire);
        let Some(name) = self.name().filter(|_| fd >= 0) else { return false };
        try_with_current(|shard| shard.driver.ring_other(fd, name)).unwrap_or(false)
    }

    fn ring_by_eventfd(&self) {
        let eventfd = self.eventfd.read().expect("no panic under this lock");
        let Some(eventfd) = &*eventfd else { return };
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes and an open descriptor. It is non-blocking: a counter that
        // is full is as good as rung.
        unsafe { libc::write(eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// All unparkers that have ever hung, each at the place of its number. There are as many as there
/// were ever shards at one time.
static UNPARKERS: RwLock<Vec<&'static Unparker>> = RwLock::new(Vec::new());

/// The number of an unparker, as the kernel hands it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnparkerName(u32);

impl UnparkerName {
    fn of(unparker: &'static Unparker) -> Self {
        let mut unparkers = UNPARKERS.write().unwrap_or_else(PoisonError::into_inner);
        unparkers.push(unparker);
        Self(u32::try_from(unparkers.len() - 1).expect("shards are fewer"))
    }

    /// Far fewer bits than an operation's id has.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.0)
    }

    /// The name that has these bits, which came from [`to_bits`](Self::to_bits).
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits as u32)
    }

    /// Rings by eventfd, since the other way has failed.
    #[cold]
    pub(crate) fn ring(self) {
        let unparkers = UNPARKERS.read().unwrap_or_else(PoisonError::into_inner);
        unparkers[self.0 as usize].ring_by_eventfd();
    }

    /// As [`ring`](Self::ring), for whoever may have been rung in vain. The others look once for
    /// nothing.
    #[cold]
    pub(crate) fn ring_all() {
        let unparkers = UNPARKERS.read().unwrap_or_else(PoisonError::into_inner);
        unparkers.iter().for_each(|unparker| unparker.ring_by_eventfd());
    }
}

// SAFETY: `is_local` is true only on the thread that has entered the shard whose unparker this is,
// and signal handlers are not ours to run wakers in.
unsafe impl Unpark for Unparker {
    #[cold]
    fn unpark(&self) {
        if !self.ring_by_message() {
            self.ring_by_eventfd();
        }
    }

    #[inline]
    fn is_local(&self) -> bool {
        is_local(self)
    }
}

impl Clock for Unparker {
    #[inline]
    fn now(&self) -> Instant {
        now()
    }
}

fn make_eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fresh, and no one else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
