//! The smallest port that works anywhere, for the examples in this documentation.
//!
//! `task ─▶ run queue ─▶ executor ─▶ [reactor]`
#![allow(missing_docs)]

#[cfg(not(test))]
use alloc::boxed::Box;

use crate::prim::{AtomicUsize, Ordering};
use crate::time::Instant;
use crate::{Anchor, Doorbell, Executor, Idle, Reactor};

/// A bell for a loop that never sleeps. Its clock advances by a microsecond at each look, so that
/// sleeping needs no waiting.
#[derive(Debug)]
pub struct Bell(AtomicUsize);

// SAFETY: `is_home` keeps its default.
unsafe impl Doorbell for Bell {
    fn ring(&self) {}

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.fetch_add(1, Ordering::Relaxed) as u64 * 1_000)
    }
}

/// A reactor without events.
#[derive(Debug)]
pub struct Yield;

impl Reactor for Yield {
    type Bell = Bell;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {
        core::hint::spin_loop();
    }
}

/// A new anchor, leaked.
pub fn anchor() -> &'static Anchor<Bell> {
    let anchor = Anchor::new(Bell(AtomicUsize::new(0)));
    #[cfg(test)]
    return crate::kept::for_ever(anchor);
    #[cfg(not(test))]
    Box::leak(Box::new(anchor))
}

/// An executor of its own.
pub fn executor() -> Executor<Yield> {
    Executor::new(anchor(), Yield).expect("a new anchor is free")
}
