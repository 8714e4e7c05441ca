//! The ring: the two queues shared with the kernel, and entries that wait for room.
//!
//! Nothing that was pushed is ever lost or reordered. When the submission queue is full we submit;
//! when the kernel will not take more just now (`EBUSY`, `EAGAIN`), entries wait in a queue of ours
//! and go first next time.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, cqueue, squeue};

use super::setup::Features;
use super::sys::EnterFd;
use crate::driver::backend::BackendStats;
use crate::driver::sys::Wait;

/// A single entry waits for the end of the turn, where it takes no system call of its own.
const EARLY_MIN: usize = 2;

/// A ring of the thread that made it.
pub(in crate::driver) struct Ring {
    ring: IoUring,
    pub(super) enter_fd: EnterFd,
    pub(in crate::driver) waiting: VecDeque<squeue::Entry>,
    pub(in crate::driver) stats: BackendStats,
    /// Entries that were submitted early since completions were last taken.
    early: usize,
    /// An overflow was found and is to be reported.
    overflowed: bool,
}

impl Ring {
    pub(in crate::driver) fn new(ring: IoUring, features: &Features) -> Self {
        let enter_fd = EnterFd::new(ring.as_raw_fd(), features.no_iowait);
        let (waiting, stats) = (VecDeque::new(), BackendStats::default());
        Self { ring, enter_fd, waiting, stats, early: 0, overflowed: false }
    }

    /// Whether the kernel took the registration of the ring.
    pub(in crate::driver) fn is_registered(&self) -> bool {
        self.enter_fd.is_registered()
    }

    #[cfg(test)]
    pub(in crate::driver) fn fd(&self) -> std::os::fd::RawFd {
        self.ring.as_raw_fd()
    }

    /// For registrations.
    pub(in crate::driver) fn submitter(&self) -> io_uring::Submitter<'_> {
        self.ring.submitter()
    }

    /// Queues an entry behind all others.
    ///
    /// # Safety
    /// What the entry points at stays valid until its terminal completion (*Owned while in
    /// flight*).
    pub(in crate::driver) unsafe fn push(&mut self, entry: squeue::Entry) {
        if self.waiting.is_empty() {
            // SAFETY: *Owned while in flight*, the caller's promise.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            self.make_room();
            // SAFETY: *Owned while in flight*, the caller's promise.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
        }
        self.waiting.push_back(entry);
    }

    /// Submits what has gathered once that is as much as was submitted early before, in this turn.
    /// So a device has work while we prepare more for it, and a large batch takes few system calls.
    pub(in crate::driver) fn submit_early(&mut self) {
        let gathered = self.ring.submission().len();
        if gathered >= self.early.max(EARLY_MIN) {
            self.early += gathered;
            self.make_room();
        }
    }

    /// Submits to make room. An error here is one of those that mean *later*.
    #[cold]
    fn make_room(&mut self) {
        let _ = self.enter(Wait::No);
    }

    /// Moves entries that waited into the queue.
    fn refill(&mut self) {
        let mut queue = self.ring.submission();
        while let Some(entry) = self.waiting.front() {
            // SAFETY: *Owned while in flight*, as the caller of `push` has promised.
            if unsafe { queue.push(entry) }.is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether entering the kernel would do anything: there is something to submit, or the kernel
    /// has completions that are not in the queue yet. Reads memory only.
    #[inline]
    pub(in crate::driver) fn wants_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow() || !self.waiting.is_empty()
    }

    /// Whether completions are there to be taken.
    #[inline]
    pub(in crate::driver) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Enters the kernel: submits all, gets completions, waits if told to. `EINTR`, `ETIME`,
    /// `EBUSY` and `EAGAIN` are no errors: the caller's loop comes back.
    pub(in crate::driver) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.refill();
        }
        let queue = self.ring.submission();
        let to_submit = queue.len() as u32;
        let overflowed = queue.cq_overflow();
        drop(queue);
        if overflowed {
            self.note_overflow();
        }
        self.stats.enters += 1;
        // Entries that found no room must not wait for a completion that may never come.
        let wait = if self.waiting.is_empty() { wait } else { Wait::No };
        match self.enter_fd.enter(to_submit, wait) {
            Ok(taken) => {
                self.stats.submitted += u64::from(taken);
                Ok(())
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR | libc::ETIME | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The kernel keeps what finds no room, and puts it into the queue when we enter: nothing is
    /// lost, but it is slow.
    #[cold]
    fn note_overflow(&mut self) {
        self.stats.cq_overflows += 1;
        self.overflowed = true;
    }

    /// Whether there was an overflow since this was last asked. The caller reports it once the ring
    /// is no longer borrowed.
    pub(in crate::driver) fn take_overflowed(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// Moves completions into `batch`; the queue's places are free again at once.
    #[inline]
    pub(in crate::driver) fn take<'a>(
        &mut self,
        batch: &'a mut [std::mem::MaybeUninit<cqueue::Entry>],
    ) -> &'a mut [cqueue::Entry] {
        self.early = 0;
        self.ring.completion().fill(batch)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.enter_fd.unregister(self.ring.as_raw_fd());
    }
}
