//! x86-64, as `examples/bare-metal` has it.
//!
//! Invariant: *Bare core*, see the crate.

use bare_metal::end::Status;
use bare_metal::{apic, clock, cpu};
use miniss_core::time::Instant;

use crate::{body, calls};

/// The time since the start.
pub fn now() -> Instant {
    clock::now()
}

/// The number of this core.
pub fn this_core() -> usize {
    apic::this_core() as usize
}

/// Lets `core` begin: there is room for a second one.
pub fn start_core(core: usize) {
    assert!(core == 1, "bare-metal starts the second core alone");
    bare_metal::start::second_core(calls::work_forever);
}

/// Interrupts `core`.
pub fn interrupt(core: usize) {
    apic::on_unpark(body::on_interrupt);
    apic::interrupt(core as u32);
}

/// Halts until `deadline` or an interrupt, if `is_idle`.
pub fn halt_if(deadline: Option<Instant>, is_idle: impl FnOnce() -> bool) {
    let is_idle = || {
        apic::set_timer(deadline.map(|deadline| deadline - clock::now()));
        is_idle()
    };
    // SAFETY: *Bare core*: the start code has loaded the tables.
    unsafe { cpu::halt_if(is_idle) };
}

/// Ends the program: QEMU exits with `status`.
pub fn end(status: u32) -> ! {
    bare_metal::end::end(if status == crate::DONE { Status::Done } else { Status::Failed })
}
