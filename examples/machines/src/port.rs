//! The port: a core that halts when it is idle, and interrupts that end the halt.
//!
//! It is the same on all machines, in what [`machine`] has for it.

use core::sync::atomic::{AtomicU32, Ordering};

use miniss_core::time::Instant;
use miniss_core::timer::TimerList;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

use crate::machine;

/// The unparker of one core: an interrupt that another core sends.
#[derive(Debug)]
pub struct Unparker {
    core: usize,
    halts: AtomicU32,
}

impl Unparker {
    /// The unparker of `core`.
    pub const fn new(core: usize) -> Self {
        Self { core, halts: AtomicU32::new(0) }
    }

    /// How often the core halted.
    pub fn halts(&self) -> u32 {
        self.halts.load(Ordering::Relaxed)
    }
}

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        // A core that unparks itself is in an interrupt handler, which has ended the halt already.
        if machine::this_core() != self.core {
            machine::interrupt(self.core);
        }
    }
}

impl Clock for Unparker {
    type Timers = TimerList;

    fn now(&self) -> Instant {
        machine::now()
    }
}

/// The reactor of one core.
#[derive(Debug)]
pub struct Port(&'static Unparker);

impl Port {
    /// An executor for the core that this is called on.
    ///
    /// # Panics
    ///
    /// If the executor cell is another core's, or has an executor already.
    pub fn executor(cell: &'static ExecutorCell<Unparker>) -> Executor<Self> {
        let unparker = cell.unparker();
        assert!(unparker.core == machine::this_core(), "each core has a cell of its own");
        Executor::new(cell, Self(unparker)).expect("one executor at a time uses a cell")
    }
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0 // the interrupt handlers have woken the tasks
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        machine::halt_if(deadline, || {
            let is_idle = idle.confirmed();
            // This core alone writes it; not every machine has more than loads and stores.
            let halts = self.0.halts() + u32::from(is_idle);
            self.0.halts.store(halts, Ordering::Relaxed);
            is_idle
        });
    }
}
