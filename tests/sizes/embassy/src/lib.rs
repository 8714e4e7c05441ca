//! The driver of time: a clock that SysTick moves once a millisecond.

#![no_std]

use core::arch::asm;
use core::cell::{Cell, RefCell};
use core::ptr;
use core::task::Waker;

use cortex_m as _; // for its critical sections
use cortex_m_rt::exception;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

struct Ticks {
    now: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    now: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Ticks {
    fn tick(&self, cs: CriticalSection<'_>) {
        let now = self.now.borrow(cs).get() + 1;
        self.now.borrow(cs).set(now);
        self.queue.borrow(cs).borrow_mut().next_expiration(now);
    }
}

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now.borrow(cs).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            self.queue.borrow(cs).borrow_mut().schedule_wake(at, waker);
        });
    }
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| TICKS.tick(cs));
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
