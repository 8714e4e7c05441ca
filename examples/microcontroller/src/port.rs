//! What the core asks of this board: the time, and a sleep that an interrupt ends.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::{Peripherals, asm, interrupt};
use cortex_m_rt::exception;
use miniss_core::time::Instant;
use miniss_core::timer::TimerList;
use miniss_core::{Clock, Idle, Reactor, Unpark};

/// What the board's clock runs at, in a second.
const HZ: u32 = 25_000_000;
/// How often SysTick comes, in a second.
const TICKS: u32 = 1_000;
/// The register of the board's lights.
const LIGHTS: *mut u32 = 0x4002_8000 as *mut u32;

static TICKS_SO_FAR: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    let ticks = TICKS_SO_FAR.load(Ordering::Relaxed);
    TICKS_SO_FAR.store(ticks.wrapping_add(1), Ordering::Relaxed);
}

/// From now on the time goes on.
pub fn start_clock() {
    let mut peripherals = Peripherals::take().expect("it is started once");
    peripherals.SYST.set_clock_source(SystClkSource::Core);
    peripherals.SYST.set_reload(HZ / TICKS - 1);
    peripherals.SYST.clear_current();
    peripherals.SYST.enable_interrupt();
    peripherals.SYST.enable_counter();
}

/// Switches the first light on or off.
pub fn switch_light(is_on: bool) {
    // SAFETY: the register has no effect on memory, and no one else writes it.
    unsafe { LIGHTS.write_volatile(is_on.into()) };
}

/// What all may know of the board.
pub struct Board;

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Board {
    fn unpark(&self) {
        // What wakes a task on the one core is an interrupt, and that has ended the sleep.
    }
}

impl Clock for Board {
    type Timers = TimerList;

    fn now(&self) -> Instant {
        // It is good for 49 days: then count what goes over, as the manual on ports has it.
        Instant::from_ticks(TICKS_SO_FAR.load(Ordering::Relaxed).into(), TICKS)
    }
}

/// What the executor has of it.
pub struct Port;

impl Reactor for Port {
    type Unparker = Board;

    fn poll(&mut self) -> usize {
        0 // interrupts wake the tasks
    }

    fn park(&mut self, _deadline: Option<Instant>, idle: Idle<'_>) {
        // An interrupt that comes from here on ends the sleep, and is served after it.
        interrupt::disable();
        if idle.confirmed() {
            asm::wfi();
        }
        // SAFETY: they were on before.
        unsafe { interrupt::enable() };
    }
}
