//! The port: a process that blocks in `ppoll` while it is idle.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ [reactor] ─▶ kernel`
//!
//! A future waits for a descriptor by leaving its waker in the [`PollSet`]; the reactor hands the
//! set to the kernel and wakes whose descriptor is ready.
//!
//! Invariant **One thread**: the process never starts another, and takes no signal that it handles.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;

use miniss_core::time::Instant;
use miniss_core::timer::Wheel;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

use crate::sys::{self, PollFd};

/// Futures that may wait for a descriptor at a time.
const WAITS_MAX: usize = 4;

/// The unparker of a process that has no other thread to call it.
pub struct Unparker {
    has_executor: AtomicBool,
}

impl Unparker {
    /// An unparker without an executor.
    pub const fn new() -> Self {
        Self { has_executor: AtomicBool::new(false) }
    }
}

// SAFETY: *One thread*, so the caller of `is_local` is on the executor's, if there is an executor.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}

    fn is_local(&self) -> bool {
        self.has_executor.load(Ordering::Relaxed)
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        sys::now()
    }
}

/// Who waits for which descriptor.
pub struct PollSet {
    waits: RefCell<[Option<(i32, Waker)>; WAITS_MAX]>,
}

impl PollSet {
    /// A set in which no one waits.
    pub const fn new() -> Self {
        Self { waits: RefCell::new([const { None }; WAITS_MAX]) }
    }

    /// Waits until `fd` can be read.
    ///
    /// # Cancellation
    ///
    /// Dropping it while it waits leaves a waker behind, which costs at most one wake for nothing.
    ///
    /// # Panics
    ///
    /// If too many wait already.
    pub fn readable(&self, fd: i32) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            if PollFd::poll(&mut [PollFd::readable(fd)], Some(Duration::ZERO)) == 1 {
                return Poll::Ready(());
            }
            self.wake_later(fd, cx.waker());
            Poll::Pending
        })
    }

    /// Another part of the task may have woken it; then it waits here already.
    fn wake_later(&self, fd: i32, waker: &Waker) {
        let mut waits = self.waits.borrow_mut();
        if waits.iter().flatten().any(|(other, known)| *other == fd && known.will_wake(waker)) {
            return;
        }
        let free = waits.iter_mut().find(|wait| wait.is_none());
        *free.expect("few enough futures wait for descriptors") = Some((fd, waker.clone()));
    }
}

/// The reactor of one executor.
pub struct Port<'a> {
    unparker: &'static Unparker,
    poll_set: &'a PollSet,
}

impl<'a> Port<'a> {
    /// An executor on `cell` whose tasks wait in `poll_set`.
    ///
    /// # Panics
    ///
    /// If the executor cell has an executor already.
    pub fn executor(
        cell: &'static ExecutorCell<Unparker>,
        poll_set: &'a PollSet,
    ) -> Executor<Self> {
        let unparker = cell.unparker();
        let executor = Executor::new(cell, Self { unparker, poll_set });
        let executor = executor.expect("one executor at a time uses an executor cell");
        unparker.has_executor.store(true, Ordering::Relaxed);
        executor
    }

    /// Waits for a descriptor, for `timeout` at most, and wakes whose are ready.
    fn wait(&self, timeout: Option<Duration>) -> usize {
        let mut waits = self.poll_set.waits.borrow_mut();
        let mut fds = [PollFd::NONE; WAITS_MAX];
        for (fd, wait) in fds.iter_mut().zip(waits.iter()) {
            *fd = wait.as_ref().map_or(PollFd::NONE, |(wanted, _)| PollFd::readable(*wanted));
        }
        PollFd::poll(&mut fds, timeout);
        let ready = waits.iter_mut().zip(&fds).filter(|(_, fd)| fd.is_ready());
        ready.filter_map(|(wait, _)| wait.take()).map(|(_, waker)| waker.wake()).count()
    }
}

impl Reactor for Port<'_> {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        self.wait(Some(Duration::ZERO))
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        if idle.confirmed() {
            self.wait(deadline.map(|deadline| deadline - sys::now()));
        }
    }
}

impl Drop for Port<'_> {
    /// The executor ends with its port.
    fn drop(&mut self) {
        self.unparker.has_executor.store(false, Ordering::Relaxed);
    }
}
