//! The end of a driver: nothing is given back before the kernel has let go of it.
//!
//! Closing a ring is not a barrier: the kernel may write to a buffer after the close has returned.
//! So everything is cancelled and every terminal completion awaited; what will not end within the
//! time allowed is leaked, memory and all, and reported.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use io_uring::types;
use miniss_core::time::Instant;

use super::submit::Driver;
use super::sys::{Wait, now};

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
            self.take_posted()?;
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

    /// Takes what has ended, also what waits in the kernel to be posted: more than the queue holds.
    fn take_posted(&self) -> io::Result<()> {
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
