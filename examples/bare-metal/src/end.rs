//! How the program ends: with a status that the program that started the machine can read.
//!
//! Invariant: *Own devices*, see the crate.

use core::panic::PanicInfo;

use crate::{cpu, println};

/// QEMU's `isa-debug-exit`: QEMU exits with twice what is written here, plus one.
const EXIT: u16 = 0xf4;

/// How it went.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub enum Status {
    /// QEMU exits with 33.
    Done = 0x10,
    /// QEMU exits with 35.
    Failed = 0x11,
}

/// Ends the program. A machine without the device halts.
pub fn end(status: Status) -> ! {
    // SAFETY: *Own devices*: the port ends the machine, or there is nothing behind it.
    unsafe { cpu::write_port(EXIT, status as u8) };
    cpu::stop()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    end(Status::Failed)
}
