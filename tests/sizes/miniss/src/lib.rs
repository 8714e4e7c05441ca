//! The port: a clock that SysTick moves once a millisecond, and a core that waits for interrupts.

#![no_std]

use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m as _; // for its critical sections
use cortex_m_rt::exception;
use miniss_core::time::Instant;
use miniss_core::timer::TimerList;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

static TICKS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    TICKS.store(TICKS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Starts the clock: a tick each millisecond, of a processor with 25 MHz.
pub fn start_clock() {
    // SAFETY: the registers of SysTick, which no one else writes.
    unsafe {
        ptr::write_volatile(0xe000_e014 as *mut u32, 25_000 - 1);
        ptr::write_volatile(0xe000_e018 as *mut u32, 0);
        ptr::write_volatile(0xe000_e010 as *mut u32, 7);
    }
}

/// The unparker of the one core.
pub struct Unparker;

// SAFETY: outside of handlers there is one thread of execution.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}

    fn is_local(&self) -> bool {
        let handler: u32;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, ipsr", out(reg) handler, options(nomem, nostack, preserves_flags)) };
        handler == 0
    }
}

impl Clock for Unparker {
    type Timers = TimerList;

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::from(TICKS.load(Ordering::Relaxed)) * 1_000_000)
    }
}

/// The reactor.
pub struct Port;

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, idle: Idle<'_>) {
        // SAFETY: an interrupt that comes while they are off ends the wait.
        unsafe { asm!("cpsid i") };
        if idle.confirmed() {
            // SAFETY: as above.
            unsafe { asm!("wfi") };
        }
        // SAFETY: as above.
        unsafe { asm!("cpsie i") };
    }
}

/// An executor.
pub fn executor(cell: &'static ExecutorCell<Unparker>) -> Executor<Port> {
    let Ok(executor) = Executor::new(cell, Port) else { end() };
    executor
}

/// Switches the light of the board on or off.
pub fn switch(is_on: bool) {
    // SAFETY: a register of the board, which no one else writes.
    unsafe { ptr::write_volatile(0x4002_8000 as *mut u32, is_on.into()) };
}

/// Raises the interrupt of software.
pub fn raise() {
    // SAFETY: a register that has no effect on memory.
    unsafe { ptr::write_volatile(0xe000_ed04 as *mut u32, 1 << 28) };
}

/// Ends the machine, by semihosting.
pub fn end() -> ! {
    loop {
        // SAFETY: what QEMU takes for the end.
        unsafe { asm!("bkpt 0xab", in("r0") 0x18, in("r1") 0x20026) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
