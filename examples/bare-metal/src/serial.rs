//! The serial port (16550): what is printed, and bytes that come in by interrupt and wake a task.
//!
//! `device ─▶ apic ─▶ [handler ─▶ waker] ─▶ run queue ─▶ executor ─▶ [read_byte]`
//!
//! Invariants: *Own devices* and *Interrupts off*, see the crate, and
//!
//! - **One reader.** The interrupt is routed to the first core, and only that core reads.

use core::cell::UnsafeCell;
use core::fmt;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use core::task::{Poll, Waker};

use crate::apic::{self, Vector};
use crate::cpu;

/// The first port, and its line at the interrupt controller.
const DATA: u16 = 0x3f8;
const LINE: u32 = 4;
const INTERRUPTS: u16 = DATA + 1;
const FIFO: u16 = DATA + 2;
const FORMAT: u16 = DATA + 3;
const MODEM: u16 = DATA + 4;
const STATE: u16 = DATA + 5;

const HAS_BYTE: u8 = 1 << 0;
const HAS_ROOM: u8 = 1 << 5;

/// What has come and was not read yet.
static INPUT: Input = Input::new();
/// How often the port has interrupted.
pub static INTERRUPTS_TAKEN: AtomicU32 = AtomicU32::new(0);

/// Lets the port interrupt when a byte has come. The speed is as the firmware left it.
pub(crate) fn enable() {
    // SAFETY: *Own devices*, with values from the data sheet.
    unsafe {
        cpu::write_port(FORMAT, 0b11); // 8 bits, no parity, 1 stop bit; no access to the speed
        cpu::write_port(FIFO, 0b111); // on and empty; one byte is enough for an interrupt
        cpu::write_port(MODEM, 0b1011); // ready, and interrupts get out
        cpu::write_port(INTERRUPTS, 1); // for bytes that come, not for room
    }
    apic::route(LINE, Vector::Serial);
}

/// Called by `boot.s` on the first core. It empties the port: the line rises again only after that.
#[unsafe(no_mangle)]
extern "C" fn on_serial() {
    INTERRUPTS_TAKEN.fetch_add(1, Ordering::Relaxed);
    while state() & HAS_BYTE != 0 {
        // SAFETY: *Own devices*, and there is a byte.
        INPUT.push(unsafe { cpu::read_port(DATA) });
    }
    // SAFETY: *Interrupts off*, as in every handler.
    if let Some(waker) = unsafe { &*INPUT.waker.get() } {
        waker.wake_by_ref();
    }
    apic::end_of_interrupt();
}

/// The next byte that comes in.
///
/// # Cancellation
///
/// A byte is taken only when it is returned: dropping this loses none.
///
/// # Panics
///
/// On another core than the first.
pub async fn read_byte() -> u8 {
    assert!(apic::this_core() == 0, "the first core alone reads");
    poll_fn(|cx| {
        // In this order: a byte that comes in between wakes the task once more.
        INPUT.wake_later(cx.waker());
        INPUT.pop().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn state() -> u8 {
    // SAFETY: *Own devices*; reading it clears error bits, which no one looks at.
    unsafe { cpu::read_port(STATE) }
}

const INPUT_BYTES: u32 = 256;

/// Bytes on their way from the handler to the reader, and the waker. What finds no room is lost.
struct Input {
    bytes: [AtomicU8; INPUT_BYTES as usize],
    /// How many were ever taken and put in. They wrap, and their difference is right all the same.
    taken: AtomicU32,
    put: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: all is atomic but the waker, for which *One reader* and *Interrupts off* hold.
unsafe impl Sync for Input {}

impl Input {
    const fn new() -> Self {
        Self {
            bytes: [const { AtomicU8::new(0) }; INPUT_BYTES as usize],
            taken: AtomicU32::new(0),
            put: AtomicU32::new(0),
            waker: UnsafeCell::new(None),
        }
    }

    /// Called by the handler alone.
    fn push(&self, byte: u8) {
        let put = self.put.load(Ordering::Relaxed);
        if put.wrapping_sub(self.taken.load(Ordering::Acquire)) < INPUT_BYTES {
            self.bytes[(put % INPUT_BYTES) as usize].store(byte, Ordering::Relaxed);
            // Release: a reader that sees the count finds the byte.
            self.put.store(put.wrapping_add(1), Ordering::Release);
        }
    }

    /// Called by the reader alone.
    fn pop(&self) -> Option<u8> {
        let taken = self.taken.load(Ordering::Relaxed);
        if taken == self.put.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.bytes[(taken % INPUT_BYTES) as usize].load(Ordering::Relaxed);
        // Release: the handler overwrites the place only after it was read.
        self.taken.store(taken.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    /// The handler will wake `waker`.
    fn wake_later(&self, waker: &Waker) {
        let waker = Some(waker.clone());
        // SAFETY: *Interrupts off* and *One reader*. The old waker is dropped here; a waker of
        // miniss-core does nothing when it is.
        cpu::without_interrupts(|| unsafe { *self.waker.get() = waker });
    }
}

/// Where [`println!`](crate::println) prints: it waits for room, so it is for a few words only.
#[derive(Debug)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while state() & HAS_ROOM == 0 {
                core::hint::spin_loop();
            }
            // SAFETY: *Own devices*, and there is room.
            unsafe { cpu::write_port(DATA, byte) };
        }
        Ok(())
    }
}

/// Prints a line on the serial port.
#[macro_export]
macro_rules! println {
    ($($text:tt)*) => {{
        // The console never fails.
        let _ = ::core::fmt::Write::write_fmt(
            &mut $crate::serial::Console,
            ::core::format_args!("{}\n", ::core::format_args!($($text)*)),
        );
    }};
}
