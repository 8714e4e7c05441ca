//! What ends the sleep of a shard in the kernel.
//!
//! There are two ways. Any thread can write to the shard's eventfd, which the shard's ring watches:
//! that is one system call. A shard can instead have its own ring send a message to the other's,
//! with the enter that it makes anyway. Which one shards use among themselves is a setting; the
//! manual's decisions chapter has the measurement.
//!
//! When a message fails, the kernel hands back the `user_data` that it was sent with. That is the
//! id of the unparker and not its address: on some processors the upper bits of an address carry a
//! tag, and there would be no room for ours.

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
    /// A write to the sleeping shard's eventfd: a system call of its own, made when the calls that
    /// have gathered in a turn are sent.
    #[default]
    EventFd,
    /// A message from ring to ring: no system call of its own, but it leaves with the next enter of
    /// the shard that wakes, at the end of its turn.
    MsgRing,
}

/// Wakes one shard, from any thread. It stays forever, in the shard's executor cell; the eventfd
/// and the ring that it writes to come and go with runtimes.
#[derive(Debug)]
pub(crate) struct Unparker {
    /// A thread that writes to it holds the lock for reading, so that it is not closed meanwhile.
    eventfd: RwLock<Option<OwnedFd>>,
    /// A descriptor of the shard's ring that is valid while the runtime is; -1: none.
    ring_fd: AtomicI32,
    by_message: AtomicBool,
    /// Given when it is first opened.
    id: OnceLock<UnparkerId>,
}

impl Unparker {
    pub(crate) const fn new() -> Self {
        Self {
            eventfd: RwLock::new(None),
            ring_fd: AtomicI32::new(-1),
            by_message: AtomicBool::new(false),
            id: OnceLock::new(),
        }
    }

    /// Any thread can wake the shard from now on, by its eventfd. Returns the eventfd, which stays
    /// open until [`close`](Self::close).
    pub(crate) fn open(&'static self) -> io::Result<RawFd> {
        self.id.get_or_init(|| UnparkerId::of(self));
        let eventfd = make_eventfd()?;
        let fd = eventfd.as_raw_fd();
        *self.eventfd.write().expect("no panic under this lock") = Some(eventfd);
        Ok(fd)
    }

    /// Other shards can wake it as `wake_by` says from now on; `ring_fd` is the shard's own ring.
    pub(crate) fn set_wake_by(&self, wake_by: WakeBy, ring_fd: RawFd) {
        self.by_message.store(wake_by == WakeBy::MsgRing, Ordering::Relaxed);
        self.ring_fd.store(ring_fd, Ordering::Release);
    }

    /// Wakes do nothing from now on, and none is under way any more.
    pub(crate) fn close(&self) {
        self.ring_fd.store(-1, Ordering::Release);
        *self.eventfd.write().expect("no panic under this lock") = None;
    }

    /// What a completion knows this unparker by; `None` if it was never open.
    pub(crate) fn id(&self) -> Option<UnparkerId> {
        self.id.get().copied()
    }

    fn unpark_by_message(&self) -> bool {
        if !self.by_message.load(Ordering::Relaxed) {
            return false;
        }
        let fd = self.ring_fd.load(Ordering::Acquire);
        let Some(id) = self.id().filter(|_| fd >= 0) else { return false };
        try_with_current(|shard| shard.driver.send_wake(fd, id)).unwrap_or(false)
    }

    fn unpark_by_eventfd(&self) {
        let eventfd = self.eventfd.read().expect("no panic under this lock");
        let Some(eventfd) = &*eventfd else { return };
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes and an open descriptor. The write does not block: a counter
        // that is full wakes the shard as well.
        unsafe { libc::write(eventfd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// All unparkers that were ever open, each at the index that is its id. There are as many as there
/// were ever shards at one time.
static UNPARKERS: RwLock<Vec<&'static Unparker>> = RwLock::new(Vec::new());

/// Names an unparker in `user_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnparkerId(u32);

impl UnparkerId {
    fn of(unparker: &'static Unparker) -> Self {
        let mut unparkers = UNPARKERS.write().unwrap_or_else(PoisonError::into_inner);
        unparkers.push(unparker);
        Self(u32::try_from(unparkers.len() - 1).expect("shards are fewer"))
    }

    /// Far fewer bits than an operation's id has.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.0)
    }

    /// The id that has these bits, which came from [`to_bits`](Self::to_bits).
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits as u32)
    }

    /// Wakes the shard by its eventfd, since a message to it has failed.
    #[cold]
    pub(crate) fn unpark(self) {
        let unparkers = UNPARKERS.read().unwrap_or_else(PoisonError::into_inner);
        unparkers[self.0 as usize].unpark_by_eventfd();
    }

    /// Wakes all shards by their eventfds, since a message to any of them may be lost. A shard that
    /// needed no wake looks once and finds nothing.
    #[cold]
    pub(crate) fn unpark_all() {
        let unparkers = UNPARKERS.read().unwrap_or_else(PoisonError::into_inner);
        unparkers.iter().for_each(|unparker| unparker.unpark_by_eventfd());
    }
}

// SAFETY: `is_local` is true only on the thread that has entered the shard whose unparker this is.
// No waker of ours runs in a signal handler.
unsafe impl Unpark for Unparker {
    #[cold]
    fn unpark(&self) {
        if !self.unpark_by_message() {
            self.unpark_by_eventfd();
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
