//! The time: the processor's counter, measured against the one timer whose speed is known.
//!
//! `[clock] ─▶ timers ─▶ park ─▶ apic`
//!
//! It takes for granted that the counter runs at one speed and alike on all cores, as on every
//! 64-bit processor of the last ten years.
//!
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use miniss_core::time::Instant;

use crate::{apic, cpu};

/// The old timer (8254), whose channel 2 can be watched without an interrupt.
const CHANNEL_2: u16 = 0x42;
const COMMAND: u16 = 0x43;
/// Starts channel 2, and shows its output.
const GATE: u16 = 0x61;
const GATE_OPEN: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUTPUT: u8 = 1 << 5;
/// Channel 2, low byte then high byte, output rises at the end of the count.
const COUNT_ONCE: u8 = 0b1011_0000;
/// 10 ms at 1,193,182 Hz.
const COUNT: u16 = 11_932;
const NANOS: u64 = 10_000_000;

/// Nanoseconds in a tick of the processor's counter, times 2^32.
static NANOS_IN_TICK: AtomicU64 = AtomicU64::new(0);
/// Ticks of the cores' timers in a nanosecond, times 2^32.
static TIMER_TICKS_IN_NANO: AtomicU64 = AtomicU64::new(0);

/// Measures counter and timer, in 10 ms. Called once, before there is a second core.
pub(crate) fn measure() {
    apic::start_timer_for_measuring();
    let start = cpu::ticks();
    wait_for_old_timer();
    let ticks = cpu::ticks() - start;
    let timer_ticks = u64::from(apic::stop_timer_for_measuring());
    // The second core reads these after an interrupt that is sent later.
    NANOS_IN_TICK.store((NANOS << 32) / ticks, Ordering::Relaxed);
    TIMER_TICKS_IN_NANO.store((timer_ticks << 32) / NANOS, Ordering::Relaxed);
}

fn wait_for_old_timer() {
    let [low, high] = COUNT.to_le_bytes();
    // SAFETY: *Own devices*: the steps of the data sheet, for the channel that no one else uses.
    unsafe {
        let gate = cpu::read_port(GATE) & !(GATE_OPEN | SPEAKER);
        cpu::write_port(GATE, gate | GATE_OPEN);
        cpu::write_port(COMMAND, COUNT_ONCE);
        cpu::write_port(CHANNEL_2, low);
        cpu::write_port(CHANNEL_2, high);
        while cpu::read_port(GATE) & OUTPUT == 0 {
            core::hint::spin_loop();
        }
    }
}

/// The time since the machine was switched on.
pub fn now() -> Instant {
    let nanos_in_tick = NANOS_IN_TICK.load(Ordering::Relaxed);
    let nanos = (u128::from(cpu::ticks()) * u128::from(nanos_in_tick)) >> 32;
    Instant::from_nanos(nanos as u64)
}

/// `duration` in ticks of a core's timer, or as many as it can count.
pub(crate) fn timer_ticks(duration: Duration) -> u32 {
    let ticks_in_nano = TIMER_TICKS_IN_NANO.load(Ordering::Relaxed);
    let ticks = duration.as_nanos().saturating_mul(u128::from(ticks_in_nano)) >> 32;
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Spins for `duration`. Only for starting up, when there is nothing to halt for.
pub fn wait(duration: Duration) {
    let end = now() + duration;
    while now() < end {
        core::hint::spin_loop();
    }
}
