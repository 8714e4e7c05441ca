//! The port: a core that halts when it is idle, and interrupts that end the halt.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ [reactor]`
//! and `core A: wake ─▶ [unparker] ─▶ interrupt ─▶ core B`
//!
//! This is all of it. Devices do not go through the reactor: their interrupt handlers wake tasks
//! by themselves, since a waker may be used from anywhere and never waits for anybody.

use core::sync::atomic::{AtomicU32, Ordering};

use miniss_core::time::Instant;
use miniss_core::timer::Wheel;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

use crate::{apic, clock, cpu};

/// The unparker of one core: an interrupt that another core sends.
#[derive(Debug)]
pub struct Unparker {
    core: u32,
    announced: AtomicU32,
    halts: AtomicU32,
    unparks: AtomicU32,
}

impl Unparker {
    /// The unparker of the core whose interrupt controller has the number `core`.
    pub const fn new(core: u32) -> Self {
        let [announced, halts, unparks] = [const { AtomicU32::new(0) }; 3];
        Self { core, announced, halts, unparks }
    }

    /// How often the core announced a halt. It then looks once more, and does not halt if work has
    /// come meanwhile; the core that brought it may have seen the announcement and unpark this one
    /// all the same.
    pub fn announced(&self) -> u32 {
        self.announced.load(Ordering::Relaxed)
    }

    /// How often the core halted.
    pub fn halts(&self) -> u32 {
        self.halts.load(Ordering::Relaxed)
    }

    /// How often other cores sent it an interrupt.
    pub fn unparks(&self) -> u32 {
        self.unparks.load(Ordering::Relaxed)
    }
}

// SAFETY: `is_local` keeps its default. To ask the controller for the number of this core would
// cost more than it saves; a kernel that has it at hand may say `true` outside of interrupt
// handlers.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        // A core that unparks itself is in an interrupt handler, which has ended the halt already.
        if apic::this_core() != self.core {
            self.unparks.fetch_add(1, Ordering::Relaxed);
            apic::interrupt(self.core);
        }
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        clock::now()
    }
}

/// The reactor of one core.
#[derive(Debug)]
pub struct Port {
    unparker: &'static Unparker,
}

impl Port {
    /// An executor for the core that this is called on.
    ///
    /// # Panics
    ///
    /// If the executor cell is another core's, or has an executor already.
    pub fn executor(cell: &'static ExecutorCell<Unparker>) -> Executor<Self> {
        let unparker = cell.unparker();
        assert!(unparker.core == apic::this_core(), "each core has an executor cell of its own");
        Executor::new(cell, Self { unparker })
            .expect("one executor at a time uses an executor cell")
    }
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0 // the interrupt handlers have woken the tasks
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        // While interrupts are off: one of a timer that goes off at once must find the core halted.
        let is_idle = || {
            apic::set_timer(deadline.map(|deadline| deadline - clock::now()));
            self.unparker.announced.fetch_add(1, Ordering::Relaxed);
            let is_idle = idle.confirmed();
            self.unparker.halts.fetch_add(is_idle.into(), Ordering::Relaxed);
            is_idle
        };
        // SAFETY: `start` loaded the tables before any executor ran, and no executor runs in a
        // critical section.
        unsafe { cpu::halt_if(is_idle) };
    }
}
