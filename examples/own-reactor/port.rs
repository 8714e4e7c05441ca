//! A port to Linux over `ppoll`: an unparker and a reactor, all that miniss-core asks for.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ [reactor] ─▶ kernel`
//!
//! A future that waits for a descriptor leaves its waker in the [`PollSet`]. The reactor hands the
//! set to the kernel and wakes the futures whose descriptors are ready. One more descriptor is
//! always in it: the unparker's eventfd, which other threads write to.

use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::ptr;
use std::rc::Rc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use miniss_core::time::Instant;
use miniss_core::timer::Wheel;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// Wakes a thread that sleeps in `ppoll`.
pub struct Unparker {
    eventfd: File,
    /// The thread of the executor; zero while there is none.
    owner: AtomicU64,
}

impl Unparker {
    fn new() -> Self {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        assert!(fd >= 0, "no eventfd: {}", std::io::Error::last_os_error());
        // SAFETY: a new descriptor, which no one else owns.
        Self { eventfd: unsafe { File::from_raw_fd(fd) }, owner: AtomicU64::new(0) }
    }
}

// SAFETY: `owner` names a thread only while its executor is there, and no signal handler wakes.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        // It fails only after 2^64 writes that no one read, and then it is readable anyway.
        let _ = (&self.eventfd).write(&1_u64.to_ne_bytes());
    }

    fn is_local(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_thread()
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        Instant::from_nanos(START.elapsed().as_nanos() as u64)
    }
}

/// The number of this thread: never zero, and never another's.
fn this_thread() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local!(static THIS: u64 = 1 + LAST.fetch_add(1, Ordering::Relaxed));
    THIS.with(|this| *this)
}

/// Who waits for which descriptor. Cloned, it is the same set.
#[derive(Clone, Default)]
pub struct PollSet(Rc<RefCell<Vec<(RawFd, Waker)>>>);

impl PollSet {
    /// Waits until `source` can be read, or has ended.
    ///
    /// # Cancellation
    ///
    /// Dropping it while it waits leaves a waker behind, which costs at most one wake for nothing.
    pub async fn readable(&self, source: impl AsFd) {
        let fd = source.as_fd().as_raw_fd();
        let mut is_first = true;
        poll_fn(|cx| {
            if !is_first {
                return Poll::Ready(());
            }
            is_first = false;
            self.0.borrow_mut().push((fd, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// The reactor of one executor.
pub struct Port {
    unparker: &'static Unparker,
    poll_set: PollSet,
}

impl Port {
    /// An executor for this thread, whose tasks wait in `poll_set`. Its executor cell is leaked,
    /// since wakers may point there forever.
    pub fn executor(poll_set: PollSet) -> Executor<Self> {
        let cell: &'static ExecutorCell<Unparker> =
            Box::leak(Box::new(ExecutorCell::new(Unparker::new())));
        let port = Self { unparker: cell.unparker(), poll_set };
        let executor = Executor::new(cell, port).expect("a new cell is free");
        cell.unparker().owner.store(this_thread(), Ordering::Relaxed);
        executor
    }

    /// Blocks until a descriptor is ready or `deadline` passes, and wakes the futures whose
    /// descriptors are.
    fn wait(&self, deadline: Option<Instant>) -> usize {
        let mut waits = self.poll_set.0.borrow_mut();
        let fds = waits.iter().map(|(fd, _)| *fd).chain([self.unparker.eventfd.as_raw_fd()]);
        let to_poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds: Vec<_> = fds.map(to_poll).collect();
        ppoll(&mut fds, deadline.map(|deadline| deadline - self.unparker.now()));
        if fds.last().is_some_and(|unparker| unparker.revents != 0) {
            // The write is taken back. There was one, so this neither blocks nor fails.
            let _ = (&self.unparker.eventfd).read(&mut [0; 8]);
        }
        let mut ready = fds.iter().map(|fd| fd.revents != 0);
        let woken = waits.extract_if(.., |_| ready.next() == Some(true));
        woken.map(|(_, waker)| waker.wake()).count()
    }
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        self.wait(Some(Instant::ZERO))
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        // An unpark from here on writes to the eventfd, and then `ppoll` does not block.
        if idle.confirmed() {
            self.wait(deadline);
        }
    }
}

impl Drop for Port {
    /// The executor ends with its port.
    fn drop(&mut self) {
        self.unparker.owner.store(0, Ordering::Relaxed);
    }
}

/// The system call. That it failed, or a signal came, shows in nothing being ready.
fn ppoll(fds: &mut [libc::pollfd], timeout: Option<std::time::Duration>) {
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = fds.len() as libc::nfds_t;
    // SAFETY: `fds` are as many as are named, `time` is null or lives through the call, and no
    // signal mask is given.
    unsafe { libc::ppoll(fds.as_mut_ptr(), count, time, ptr::null()) };
}
