//! Waits for the children that no one waits for any more: an ended child stays in the table of the
//! kernel until its parent has asked how it ended.
//!
//! One thread for the process, which is there as long as there are such children. It outlives
//! runtimes, since a child does, too.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::driver::make_eventfd;
use crate::topology::unpinned;

/// How long it sleeps where the kernel does not tell of an end, in milliseconds.
const LOOK_EVERY_MS: i32 = 50;
/// A child whose debugger keeps its status has ended and cannot be reaped: that is not asked more
/// often than this.
const REST: Duration = Duration::from_millis(1);

struct Orphans {
    children: Vec<Child>,
    has_thread: bool,
    /// Ends the sleep of the thread; there while it sleeps, unless it was refused.
    news: Option<OwnedFd>,
}

static ORPHANS: Mutex<Orphans> =
    Mutex::new(Orphans { children: Vec::new(), has_thread: false, news: None });

fn orphans() -> MutexGuard<'static, Orphans> {
    // A thread that panicked under the lock left nothing half done.
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over a child that has not ended.
pub(super) fn adopt(child: Child) {
    let mut orphans = orphans();
    orphans.children.push(child);
    if let Some(news) = &orphans.news {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight readable bytes and an open descriptor; it does not wait.
        unsafe { libc::write(news.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
    if !orphans.has_thread {
        let start = || thread::Builder::new().name("miniss-reaper".into()).spawn(reap);
        // Where no thread can be started, the next child that is adopted tries again.
        orphans.has_thread = unpinned(start).is_ok();
    }
}

/// What the thread does.
fn reap() {
    loop {
        let (pidfds, news) = {
            let mut orphans = orphans();
            // An error means that someone else has waited for it.
            orphans.children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            if orphans.children.is_empty() {
                (orphans.has_thread, orphans.news) = (false, None);
                return;
            }
            let pidfds: io::Result<Vec<_>> =
                orphans.children.iter().map(|child| open_pidfd(child.id())).collect();
            orphans.news = make_eventfd().ok();
            (pidfds, orphans.news.as_ref().map(OwnedFd::as_raw_fd))
        };
        sleep_until_one_ends(pidfds.ok(), news);
        thread::sleep(REST);
    }
}

/// Until a child has ended or another one was adopted. The descriptor of the news stays open: this
/// thread alone replaces it.
fn sleep_until_one_ends(pidfds: Option<Vec<OwnedFd>>, news: Option<RawFd>) {
    let is_told = pidfds.is_some() && news.is_some();
    let pidfds = pidfds.unwrap_or_default();
    let fds = pidfds.iter().map(OwnedFd::as_raw_fd).chain(news);
    let mut polled: Vec<_> =
        fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let timeout = if is_told { -1 } else { LOOK_EVERY_MS };
    // SAFETY: a local list, and its length.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
}

/// A descriptor of a child that was not waited for, by which its end is told.
pub(super) fn open_pidfd(process: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fresh, and no one else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
