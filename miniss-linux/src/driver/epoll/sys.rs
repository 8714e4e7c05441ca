//! The gate to epoll: the set of descriptors, and the one call that waits for all of them.
//!
//! Invariant **Arguments outlive the call**: every pointer handed over points at a local that lives
//! until the call returns; none of these calls keeps a pointer.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::driver::sys::Wait;

/// No file has this number.
const NONE: RawFd = -1;
/// Names the timer among the events.
const TIMER: u64 = u64::MAX - 1;
/// Events taken with one call.
const EVENTS_MAX: usize = 128;

/// Readiness of any kind, told once each time that it comes.
const WATCHED: i32 =
    libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLET;

/// An epoll set.
#[derive(Debug)]
pub(super) struct EpollSet {
    /// [`NONE`] once it is closed.
    fd: Cell<RawFd>,
    /// Wakes us at deadlines where the kernel has no wait with nanoseconds (before 5.11, or a
    /// filter does not know it). [`NONE`] until the first deadline.
    timer: Cell<RawFd>,
    has_pwait2: Cell<bool>,
}

impl EpollSet {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let (fd, timer) = (Cell::new(fd), Cell::new(NONE));
        Ok(Self { fd, timer, has_pwait2: Cell::new(true) })
    }

    /// Watches a descriptor; its events carry `data`.
    pub(super) fn add(&self, fd: RawFd, data: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: WATCHED as u32, u64: data };
        // SAFETY: *Arguments outlive the call*: `event` is a local.
        check(unsafe { libc::epoll_ctl(self.fd.get(), libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
        Ok(())
    }

    /// No longer watches a descriptor, nor the file behind it through other descriptors.
    pub(super) fn remove(&self, fd: RawFd) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // It fails if the set is closed, and then there is nothing to remove.
        // SAFETY: *Arguments outlive the call*: `event` is a local.
        let _ = unsafe { libc::epoll_ctl(self.fd.get(), libc::EPOLL_CTL_DEL, fd, &raw mut event) };
    }

    /// Waits, and gives each event, its data and what came, to `take`. A signal ends the wait.
    pub(super) fn wait(&self, wait: Wait, mut take: impl FnMut(u64, u32)) -> io::Result<()> {
        let mut events = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        loop {
            let count = match self.wait_once(wait, &mut events) {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => return Ok(()),
                count => count?,
            };
            for event in &events[..count] {
                // SAFETY: the kernel has written the first `count` events.
                let event: libc::epoll_event = unsafe { event.assume_init_read() };
                if event.u64 != TIMER {
                    take(event.u64, event.events);
                }
            }
            if count < EVENTS_MAX || wait != Wait::No {
                return Ok(());
            }
        }
    }

    fn wait_once(
        &self,
        wait: Wait,
        events: &mut [MaybeUninit<libc::epoll_event>; EVENTS_MAX],
    ) -> io::Result<usize> {
        let Wait::Nanos(nanos) = wait else {
            return self.wait_plain(events, if wait == Wait::No { 0 } else { -1 });
        };
        if self.has_pwait2.get() {
            match self.wait_nanos(events, nanos) {
                // A filter that does not know a call denies it with either.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    self.has_pwait2.set(false);
                }
                result => return result,
            }
        }
        self.set_timer(nanos)?;
        self.wait_plain(events, -1)
    }

    fn wait_plain(
        &self,
        events: &mut [MaybeUninit<libc::epoll_event>; EVENTS_MAX],
        millis: i32,
    ) -> io::Result<usize> {
        let buffer = events.as_mut_ptr().cast();
        // SAFETY: *Arguments outlive the call*: `events` has room for as many as it says.
        let count = unsafe { libc::epoll_wait(self.fd.get(), buffer, EVENTS_MAX as i32, millis) };
        check(count).map(|count| count as usize)
    }

    fn wait_nanos(
        &self,
        events: &mut [MaybeUninit<libc::epoll_event>; EVENTS_MAX],
        nanos: u64,
    ) -> io::Result<usize> {
        let timeout = timespec(nanos);
        // SAFETY: *Arguments outlive the call*: `events` has room for as many as it says, and
        // `timeout` is a local.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.get(),
                events.as_mut_ptr(),
                EVENTS_MAX as i32,
                &raw const timeout,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        check(count as i32).map(|count| count as usize)
    }

    /// The timer goes off after so long.
    fn set_timer(&self, nanos: u64) -> io::Result<()> {
        if self.timer.get() == NONE {
            let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
            // SAFETY: no pointers.
            self.timer.set(check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?);
            self.add(self.timer.get(), TIMER)?;
        }
        let value = libc::itimerspec { it_interval: timespec(0), it_value: timespec(nanos.max(1)) };
        // SAFETY: *Arguments outlive the call*: `value` is a local.
        let set = unsafe {
            libc::timerfd_settime(self.timer.get(), 0, &raw const value, ptr::null_mut())
        };
        check(set).map(drop)
    }

    /// As on a kernel without a wait with nanoseconds.
    #[cfg(test)]
    pub(super) fn forget_pwait2(&self) {
        self.has_pwait2.set(false);
    }

    /// Closes the set.
    pub(super) fn close(&self) {
        for fd in [self.fd.replace(NONE), self.timer.replace(NONE)] {
            if fd != NONE {
                // SAFETY: we opened it, and no longer have it.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
}

impl Drop for EpollSet {
    fn drop(&mut self) {
        self.close();
    }
}

fn timespec(nanos: u64) -> libc::timespec {
    let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    libc::timespec { tv_sec: seconds as i64, tv_nsec: nanos as i64 }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
