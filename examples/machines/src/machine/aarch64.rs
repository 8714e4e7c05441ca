//! AArch64: the generic timer is the clock, the interrupt controller (GIC, version 2) brings what
//! cores send each other, and firmware (PSCI) starts them.
//!
//! Registers are those of the "Arm Architecture Reference Manual" and of the "GIC Architecture
//! Specification", calls those of the "Power State Coordination Interface".
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::arch::{asm, global_asm};

use miniss_core::time::Instant;

use super::{end, read, write};
use crate::{FAILED, body, calls, println};

/// The interrupt controller: its part for all cores, and the one that each core has.
const ALL_ENABLE: usize = 0x0800_0000;
const ALL_ENABLE_FIRST: usize = 0x0800_0100;
const ALL_SEND: usize = 0x0800_0f00;
const OWN_ENABLE: usize = 0x0801_0000;
const OWN_PRIORITY: usize = 0x0801_0004;
const OWN_TAKE: usize = 0x0801_000c;
const OWN_END: usize = 0x0801_0010;

const FROM_CORE: u32 = 0;
const TIMER: u32 = 27;

global_asm!(include_str!("aarch64.s"), options(raw));

// SAFETY: the program defines the first, `aarch64.s` the second. It is code: an address to be given
// to the firmware.
unsafe extern "Rust" {
    safe fn kernel_main() -> !;
    static start_other: u8;
}

#[unsafe(no_mangle)]
extern "C" fn first_core() -> ! {
    write(ALL_ENABLE, 1);
    enable_interrupts();
    kernel_main()
}

#[unsafe(no_mangle)]
extern "C" fn other_core() -> ! {
    enable_interrupts();
    calls::work_forever()
}

fn enable_interrupts() {
    write(ALL_ENABLE_FIRST, 1 << TIMER | 1 << FROM_CORE);
    write(OWN_PRIORITY, 0xff);
    write(OWN_ENABLE, 1);
    // SAFETY: *Bare core*: the start code has told where the handlers are.
    unsafe { asm!("msr daifclr, #2", "isb") };
}

#[unsafe(no_mangle)]
extern "C" fn on_device() {
    let taken = read(OWN_TAKE);
    match taken & 0x3ff {
        FROM_CORE => body::on_interrupt(),
        TIMER => set_timer(None),
        _ => return, // it went away
    }
    write(OWN_END, taken);
}

#[unsafe(no_mangle)]
extern "C" fn on_fault(syndrome: u64, address: u64) -> ! {
    println!("exception {syndrome:#x} at {address:#x}");
    end(FAILED)
}

/// The timer of this core goes off at `deadline`.
fn set_timer(deadline: Option<Instant>) {
    let tick = deadline.map_or(0, |deadline| deadline.to_ticks(counter().1));
    let is_on = u64::from(deadline.is_some());
    // SAFETY: *Own devices*.
    unsafe { asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", in(reg) tick, in(reg) is_on) };
}

/// How many ticks there were since the start, and are in a second.
fn counter() -> (u64, u32) {
    let (ticks, hz): (u64, u64);
    // SAFETY: *Bare core*.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack)) };
    // SAFETY: *Bare core*.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) hz, options(nomem, nostack)) };
    (ticks, hz as u32)
}

/// The time since the start.
pub fn now() -> Instant {
    let (ticks, hz) = counter();
    Instant::from_ticks(ticks, hz)
}

/// The number of this core.
pub fn this_core() -> usize {
    let core: usize;
    // SAFETY: *Bare core*.
    unsafe { asm!("mrs {}, mpidr_el1", out(reg) core, options(nomem, nostack)) };
    core & 0xff
}

/// Lets `core` begin. What was written before is there for it.
pub fn start_core(core: usize) {
    const CORE_ON: u64 = 0xc400_0003;
    let status: u64;
    let begin = &raw const start_other;
    // SAFETY: *Bare core*: the core is off, and begins with the stack of its number.
    unsafe {
        asm!(
            "dsb ish", "hvc #0",
            inout("x0") CORE_ON => status, in("x1") core, in("x2") begin, in("x3") core,
        );
    }
    assert!(status == 0, "there is no core {core}");
}

/// Interrupts `core`. What was written before is there for its handler.
pub fn interrupt(core: usize) {
    // SAFETY: *Bare core*.
    unsafe { asm!("dsb ish", options(nostack)) };
    write(ALL_SEND, 1 << (16 + core) | FROM_CORE);
}

/// Halts until `deadline` or an interrupt, if `is_idle`. What is raised from the question on stays
/// pending, and ends the halt.
pub fn halt_if(deadline: Option<Instant>, is_idle: impl FnOnce() -> bool) {
    // SAFETY: *Bare core*.
    unsafe { asm!("msr daifset, #2") };
    set_timer(deadline);
    if is_idle() {
        // SAFETY: *Bare core*.
        unsafe { asm!("dsb sy", "wfi") };
    }
    // SAFETY: as in `enable_interrupts`.
    unsafe { asm!("msr daifclr, #2", "isb") };
}

/// Calls the debugger.
pub(super) fn ask(what: usize, about: *const usize) {
    // SAFETY: *Own devices*: the debugger reads what `about` points to, and answers in `x0`.
    unsafe { asm!("hlt #0xf000", inout("x0") what => _, in("x1") about, options(nostack)) };
}
