//! AArch64: the generic timer is the clock, the interrupt controller (GIC, version 2) brings what
//! cores send each other, firmware (PSCI) starts them, and a debugger, which QEMU is, is the
//! console.
//!
//! Registers are those of the "Arm Architecture Reference Manual" and of the "GIC Architecture
//! Specification", calls those of the "Power State Coordination Interface" and of "Semihosting".
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::arch::{asm, global_asm};

use miniss_core::time::Instant;

use super::{read, write};
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
    calls::answer()
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
    let nanos = deadline.map_or(0, Instant::as_nanos);
    let tick = (u128::from(nanos) * u128::from(ticks_in_second())).div_ceil(1_000_000_000) as u64;
    let is_on = u64::from(deadline.is_some());
    // SAFETY: *Own devices*.
    unsafe { asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", in(reg) tick, in(reg) is_on) };
}

fn ticks_in_second() -> u64 {
    let ticks;
    // SAFETY: *Bare core*.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// The time since the start.
pub fn now() -> Instant {
    let ticks: u64;
    // SAFETY: *Bare core*.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack)) };
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_in_second());
    Instant::from_nanos(nanos as u64)
}

/// The number of this core.
pub fn this_core() -> usize {
    let core: usize;
    // SAFETY: *Bare core*.
    unsafe { asm!("mrs {}, mpidr_el1", out(reg) core, options(nomem, nostack)) };
    core & 0xff
}

/// Lets `core` begin.
pub fn start_core(core: usize) {
    const CORE_ON: u64 = 0xc400_0003;
    let status: u64;
    let begin = &raw const start_other;
    // SAFETY: *Bare core*: the core is off, and begins with the stack of its number.
    unsafe {
        asm!("hvc #0", inout("x0") CORE_ON => status, in("x1") core, in("x2") begin, in("x3") core);
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

/// Prints a byte.
pub fn print(byte: u8) {
    const WRITE_BYTE: u32 = 0x03;
    ask(WRITE_BYTE, (&raw const byte).cast());
}

/// Ends the program: QEMU exits with `status`.
pub fn end(status: u32) -> ! {
    const EXIT: u32 = 0x18;
    const APPLICATION_EXIT: u64 = 0x2_0026;
    ask(EXIT, [APPLICATION_EXIT, u64::from(status)].as_ptr());
    loop {
        core::hint::spin_loop();
    }
}

fn ask(what: u32, about: *const u64) {
    // SAFETY: *Own devices*: the debugger reads what `about` points to, and answers in `x0`.
    unsafe { asm!("hlt #0xf000", inout("w0") what => _, in("x1") about, options(nostack)) };
}
