//! Cortex-M: SysTick is the clock, and PendSV the interrupt.
//!
//! Registers are those of the "ARMv6-M Architecture Reference Manual", which ARMv7-M has, too.
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};

use miniss_core::time::Instant;

use super::{end, write};
use crate::{FAILED, body, println};

/// How fast the core runs: `mps2-an386`, or else `microbit`, which has no compare-and-swap.
const HZ: u32 = if cfg!(target_has_atomic = "ptr") { 25_000_000 } else { 16_000_000 };
const TICKS_IN_SECOND: u32 = 1_000;

const SYSTICK_CONTROL: usize = 0xe000_e010;
const SYSTICK_RELOAD: usize = 0xe000_e014;
const SYSTICK_NOW: usize = 0xe000_e018;
const INTERRUPT_CONTROL: usize = 0xe000_ed04;
/// Runs, interrupts, counts the clock of the core.
const RUNNING: u32 = 0b111;
const PEND_SV: u32 = 1 << 28;

/// The ticks so far, in two halves: only the handler writes them.
static TICKS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

global_asm!(include_str!("cortex_m.s"), options(raw));

// SAFETY: the program defines it.
unsafe extern "Rust" {
    safe fn kernel_main() -> !;
}

#[unsafe(no_mangle)]
extern "C" fn first_core() -> ! {
    write(SYSTICK_RELOAD, HZ / TICKS_IN_SECOND - 1);
    write(SYSTICK_NOW, 0);
    write(SYSTICK_CONTROL, RUNNING);
    kernel_main()
}

#[unsafe(no_mangle)]
extern "C" fn on_systick() {
    let [low, high] = TICKS.each_ref().map(|half| half.load(Ordering::Relaxed));
    let (low, carry) = low.overflowing_add(1);
    TICKS[1].store(high + u32::from(carry), Ordering::Relaxed);
    TICKS[0].store(low, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
extern "C" fn on_pend_sv() {
    body::on_interrupt();
}

#[unsafe(no_mangle)]
extern "C" fn on_fault() -> ! {
    println!("an exception");
    end(FAILED)
}

/// The time since the start, in whole ticks: right in a handler, too, that holds up the next tick.
pub fn now() -> Instant {
    let [low, high] = [&TICKS[0], &TICKS[1]];
    loop {
        let before = high.load(Ordering::Acquire);
        let ticks = u64::from(before) << 32 | u64::from(low.load(Ordering::Acquire));
        if high.load(Ordering::Relaxed) == before {
            return Instant::from_ticks(ticks, TICKS_IN_SECOND);
        }
    }
}

/// The only one.
pub fn this_core() -> usize {
    0
}

/// Raises the interrupt.
pub fn interrupt(_core: usize) {
    write(INTERRUPT_CONTROL, PEND_SV);
}

/// Halts until an interrupt has come, if `is_idle`; each tick is one. What is raised from the
/// question on stays pending, and ends the halt.
pub fn halt_if(_deadline: Option<Instant>, is_idle: impl FnOnce() -> bool) {
    // SAFETY: *Bare core*.
    unsafe { asm!("cpsid i") };
    if is_idle() {
        // SAFETY: *Bare core*.
        unsafe { asm!("dsb", "wfi") };
    }
    // SAFETY: *Bare core*, and `first_core` has no handlers but those in the table.
    unsafe { asm!("cpsie i", "isb") };
}

/// Calls the debugger.
pub(super) fn ask(what: usize, about: *const usize) {
    // SAFETY: *Own devices*: the debugger reads what `about` points to, and answers in `r0`.
    unsafe { asm!("bkpt 0xab", inout("r0") what => _, in("r1") about, options(nostack)) };
}
