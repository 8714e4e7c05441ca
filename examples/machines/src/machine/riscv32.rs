//! RISC-V of 32 bits: the core-local interrupter (CLINT) is the clock and how cores interrupt each
//! other, the first serial port the console, and a device for tests ends the machine.
//!
//! Registers are those of "The RISC-V Instruction Set Manual", volume 2, and of QEMU's `virt`.
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::arch::{asm, global_asm};
use core::ptr;

use miniss_core::time::Instant;

use super::{read, write};
use crate::{FAILED, body, calls, println};

/// A word for each core: it has a software interrupt.
const INTERRUPTS: usize = 0x0200_0000;
/// Two words for each: when it has a timer interrupt.
const DEADLINES: usize = 0x0200_4000;
const TIME: usize = 0x0200_bff8;
const TICKS_IN_SECOND: u32 = 10_000_000;
const CONSOLE: usize = 0x1000_0000;
const END: usize = 0x0010_0000;

const SOFTWARE_INTERRUPT: u32 = 1 << 31 | 3;
const TIMER_INTERRUPT: u32 = 1 << 31 | 7;

global_asm!(include_str!("riscv32.s"), options(raw));

// SAFETY: the program defines it.
unsafe extern "Rust" {
    safe fn kernel_main() -> !;
}

#[unsafe(no_mangle)]
extern "C" fn first_core() -> ! {
    kernel_main()
}

#[unsafe(no_mangle)]
extern "C" fn other_core() -> ! {
    calls::work_forever()
}

#[unsafe(no_mangle)]
extern "C" fn on_trap(cause: u32) {
    let core = this_core();
    match cause {
        TIMER_INTERRUPT => set_timer(u64::MAX),
        SOFTWARE_INTERRUPT => {
            write(INTERRUPTS + 4 * core, 0);
            body::on_interrupt();
        }
        _ => {
            println!("exception {cause} on core {core}");
            end(FAILED)
        }
    }
}

/// The timer of this core goes off at `tick`. On the way there it must not pass an earlier one.
fn set_timer(tick: u64) {
    let deadline = DEADLINES + 8 * this_core();
    write(deadline + 4, u32::MAX);
    write(deadline, tick as u32);
    write(deadline + 4, (tick >> 32) as u32);
}

/// The time since the start.
pub fn now() -> Instant {
    loop {
        let high = read(TIME + 4);
        let ticks = u64::from(high) << 32 | u64::from(read(TIME));
        if read(TIME + 4) == high {
            return Instant::from_ticks(ticks, TICKS_IN_SECOND);
        }
    }
}

/// The number of this core.
pub fn this_core() -> usize {
    let core;
    // SAFETY: *Bare core*.
    unsafe { asm!("csrr {}, mhartid", out(reg) core, options(nomem, nostack)) };
    core
}

/// Lets `core` begin.
pub fn start_core(core: usize) {
    interrupt(core);
}

/// Interrupts `core`.
pub fn interrupt(core: usize) {
    write(INTERRUPTS + 4 * core, 1);
}

/// Halts until `deadline` or an interrupt, if `is_idle`. What is raised from the question on stays
/// pending, and ends the halt.
pub fn halt_if(deadline: Option<Instant>, is_idle: impl FnOnce() -> bool) {
    // SAFETY: *Bare core*.
    unsafe { asm!("csrci mstatus, 8") };
    set_timer(deadline.map_or(u64::MAX, |deadline| deadline.to_ticks(TICKS_IN_SECOND)));
    if is_idle() {
        // SAFETY: *Bare core*.
        unsafe { asm!("wfi") };
    }
    // SAFETY: *Bare core*: the start code has told where the handler is.
    unsafe { asm!("csrsi mstatus, 8") };
}

/// Prints a byte.
pub fn print(byte: u8) {
    // SAFETY: *Own devices*: it has always room, in QEMU.
    unsafe { ptr::with_exposed_provenance_mut::<u8>(CONSOLE).write_volatile(byte) };
}

/// Ends the program: QEMU exits with `status`.
pub fn end(status: u32) -> ! {
    const WITH_STATUS: u32 = 0x3333;
    write(END, status << 16 | WITH_STATUS);
    loop {
        core::hint::spin_loop();
    }
}
