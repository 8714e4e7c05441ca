//! The end of a driver: nothing is given back before the kernel has let go of it.
//!
//! Closing a ring is not a barrier: the kernel may write to a buffer after the close has returned.
//! So everything is cancelled and every terminal completion awaited; what will not end within the
//! time allowed is leaked, memory and all, and reported.

#![forbid(unsafe_code)]

use std::fmt::Write;
use std::io;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use miniss_core::time::Instant;

use super::start::ShardDriver;
use super::sys::{Wait, now};

/// The first wait for completions after the cancel; it doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_micros(100);
const WAIT_MAX: Duration = Duration::from_millis(10);

/// So many operations that would not end are described.
const DESCRIBED_MAX: usize = 8;

/// Operations that would not end.
#[derive(Debug, Default)]
pub(crate) struct Hung {
    pub(crate) count: usize,
    /// What they ask for; not of all, if they are many.
    pub(crate) what: String,
}

/// Drivers that are leaked, for a leak checker to find.
static LEFT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

impl ShardDriver {
    /// Refuses operations from now on.
    pub(crate) fn refuse(&self) {
        self.closing.set(true);
    }

    /// Cancels what is in flight, waits for it until `deadline`, and closes the backend. Returns
    /// the operations that would not end; their memory is leaked.
    pub(crate) fn close(self: &Rc<Self>, deadline: Instant) -> Hung {
        self.refuse();
        // Nothing comes out of a ring that is broken: what is in flight stays so, and is leaked.
        let _ = self.drain(deadline);
        let hung = self.hung();
        if hung.count > 0 {
            // The kernel may still use slots and buffers: neither is ever freed.
            let left = Rc::into_raw(self.clone()).expose_provenance();
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(left);
            self.backend.close(None);
        } else {
            self.backend.close(self.made_pool());
        }
        self.drop_aligned_pool();
        hung
    }

    fn hung(&self) -> Hung {
        let mut hung = Hung::default();
        self.ops.table.for_each_in_flight(|operation| {
            let between = if hung.count == 0 { "" } else { "; " };
            match hung.count {
                0..DESCRIBED_MAX => _ = write!(hung.what, "{between}{operation}"),
                DESCRIBED_MAX => hung.what.push_str("; and others"),
                _ => {}
            }
            hung.count += 1;
        });
        hung
    }

    fn drain(&self, deadline: Instant) -> io::Result<()> {
        let mut wait = WAIT_MIN;
        self.try_submit()?;
        while self.in_flight() > 0 {
            self.backend.cancel_all(&self.ops);
            self.ops.on_pool.cancel_all(&self.ops);
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
            if self.reap() + self.ops.on_pool.reap(&self.ops) == 0 {
                return Ok(());
            }
        }
    }
}
