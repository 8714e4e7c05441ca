//! Completions: from the kernel's queue to the slots, and on to the wakers.
//!
//! The end of a driver is a matter of completions, too: nothing is given back before the kernel has
//! let go of it. Closing a ring is not a barrier: the kernel may write to a buffer after the close
//! has returned. So everything is cancelled and every terminal completion awaited; what will not
//! end within the time allowed is leaked, memory and all, and reported.

use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::Duration;

use io_uring::{cqueue, opcode, types};
use miniss_core::op::{Completion, OpId};
use miniss_core::time::Instant;

use super::submit::{Driver, tag};
use super::sys::{Wait, now};
use crate::guard::quietly;

/// Completions taken from the queue at a time. They are copied out first: so nothing of ours is
/// borrowed while wakers and destructors run, and the kernel has the room again at once.
const BATCH: usize = 64;

/// What an operation has come to: a count or another number, or the system's error.
pub(crate) fn result_of(completion: Completion) -> io::Result<usize> {
    if completion.result < 0 {
        Err(io::Error::from_raw_os_error(-completion.result))
    } else {
        Ok(completion.result as usize)
    }
}

impl Driver {
    /// Settles what has completed; returns how much that was.
    #[inline]
    pub(super) fn reap(&self) -> usize {
        let mut settled = 0;
        loop {
            let mut batch = [const { MaybeUninit::uninit() }; BATCH];
            let taken = match &mut *self.ring.borrow_mut() {
                Some(ring) => ring.take(&mut batch),
                None => return settled,
            };
            let count = taken.len();
            self.is_reaping.set(true);
            let mut completions = taken.iter();
            // A waker or a destructor that panics must not lose the completions behind it.
            while completions.len() > 0 {
                quietly(|| completions.by_ref().for_each(|completion| self.dispatch(completion)));
            }
            self.is_reaping.set(false);
            settled += count;
            if count < BATCH {
                return settled;
            }
        }
    }

    /// Submits what has gathered and settles what completes at once, outside of any turn. The next
    /// turn settles the rest.
    pub(crate) fn settle(&self) {
        // Not while completions are being settled: those come first, so that the bytes of a stream
        // keep their order.
        while !self.is_reaping.get() && self.try_submit().is_ok() {
            if self.reap() == 0 {
                return;
            }
        }
    }

    #[inline]
    fn dispatch(&self, entry: &cqueue::Entry) {
        let data = entry.user_data();
        let more = cqueue::more(entry.flags());
        match data & tag::MASK {
            tag::OP => {
                if cqueue::buffer_select(entry.flags()).is_some() {
                    self.buffers_taken.set(self.buffers_taken.get().wrapping_add(1));
                }
                let completion = Completion { result: entry.result(), flags: entry.flags() };
                self.ops.complete(OpId::from_bits(data), completion, more);
            }
            tag::UNPARKER if !more => self.eventfd_is_armed.set(false),
            _ => {}
        }
    }

    /// Has the kernel watch the eventfd that other threads write to. A multishot poll is
    /// edge-triggered: each write ends a wait, and the counter need never be read.
    pub(super) fn arm_eventfd(&self) {
        if self.eventfd_is_armed.replace(true) {
            return;
        }
        let entry = opcode::PollAdd::new(types::Fd(self.eventfd), libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(tag::UNPARKER);
        // SAFETY: the entry points at nothing.
        unsafe { self.push(entry) };
    }
}

/// The first wait for completions after the cancel; it doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_micros(100);
const WAIT_MAX: Duration = Duration::from_millis(10);

impl Driver {
    /// Refuses operations from now on.
    pub(crate) fn refuse(&self) {
        self.closing.set(true);
    }

    /// Cancels what is in flight, waits for it until `deadline`, and closes the ring. Returns how
    /// many operations would not end; their memory is leaked.
    pub(crate) fn close(self: &Rc<Self>, deadline: Instant) -> usize {
        self.refuse();
        // Nothing comes out of a ring that is broken: what is in flight stays so, and is leaked.
        let _ = self.drain(deadline);
        let left = self.in_flight();
        let pool = self.take_pool();
        let ring = self.ring.borrow_mut().take();
        if left > 0 {
            // The kernel may still use slots and buffers: neither is ever freed.
            std::mem::forget(self.clone());
            std::mem::forget(pool);
        } else if let (Some(pool), Some(ring)) = (pool, &ring) {
            pool.unregister(&ring.submitter());
        }
        drop(ring);
        left
    }

    fn drain(&self, deadline: Instant) -> io::Result<()> {
        let mut wait = WAIT_MIN;
        self.try_submit()?;
        while self.in_flight() > 0 {
            self.cancel_all();
            self.take_all()?;
            let now = now();
            if self.in_flight() == 0 || now >= deadline {
                break;
            }
            self.try_enter(Wait::Nanos(wait.min(deadline - now).as_nanos() as u64))?;
            self.reap();
            wait = (wait * 2).min(WAIT_MAX);
        }
        Ok(())
    }

    /// Takes what has ended, also the completions beyond what the queue holds, which the kernel
    /// keeps.
    fn take_all(&self) -> io::Result<()> {
        loop {
            self.try_submit()?;
            if self.reap() == 0 {
                return Ok(());
            }
        }
    }

    /// Cancels everything at once where the kernel can (6.0); the cancel of each orphan has been
    /// queued anyway.
    fn cancel_all(&self) {
        let ring = self.ring.borrow();
        let Some(ring) = &*ring else { return };
        let builder = types::CancelBuilder::any().all();
        // It reports what it did not find, too; how it went shows in the completions.
        let _ = ring.submitter().register_sync_cancel(Some(types::Timespec::new()), builder);
    }
}
