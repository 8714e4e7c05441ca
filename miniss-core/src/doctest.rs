//! The smallest port that works anywhere, for the examples in this documentation.
#![allow(missing_docs)]

#[cfg(not(test))]
use alloc::boxed::Box;

use crate::prim::{AtomicUsize, Ordering};
use crate::time::Instant;
use crate::timer::Wheel;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// An unparker for a loop that never sleeps. Its clock advances by a microsecond at each look, so
/// that sleeping needs no waiting.
#[derive(Debug)]
pub struct Unparker(AtomicUsize);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.fetch_add(1, Ordering::Relaxed) as u64 * 1_000)
    }
}

/// A reactor without events.
#[derive(Debug)]
pub struct Yield;

impl Reactor for Yield {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {
        core::hint::spin_loop();
    }
}

/// A new executor cell, leaked.
pub fn cell() -> &'static ExecutorCell<Unparker> {
    let cell = ExecutorCell::new(Unparker(AtomicUsize::new(0)));
    #[cfg(test)]
    return crate::kept::forever(cell);
    #[cfg(not(test))]
    Box::leak(Box::new(cell))
}

/// An executor of its own.
pub fn executor() -> Executor<Yield> {
    Executor::new(cell(), Yield).expect("a new cell is free")
}
