//! One program for machines without an operating system, from a microcontroller to four cores.
//!
//! `machine ─▶ [port] ─▶ executor ─▶ [body]`
//!
//! - [`body`]: what runs on all machines: tasks, timers and an interrupt.
//! - `urgent`: tasks that interrupt those, in an executor of the interrupt handler.
//! - [`calls`]: what comes after that where there is more than one core.
//! - [`port`]: the reactor and the unparker, the same for all.
//! - [`machine`]: what differs: start, clock, halt, interrupts, and how the program ends.
//!
//! There is no heap. None of this was tried on hardware.
//!
//! # Invariants
//!
//! The unsafe code of all modules stands on these:
//!
//! - **Bare core.** All of this runs in the most privileged mode of a core as the start code
//!   leaves it, and nothing else runs on the machine.
//! - **Own devices.** Clocks, interrupt controllers and the console are driven by the machine's
//!   file and by no one else, at the addresses that QEMU's documentation gives, and none of what is
//!   written to them makes them write to memory.

#![no_std]

pub mod body;
#[cfg(not(target_arch = "arm"))]
pub mod calls;
#[cfg(not(target_arch = "x86_64"))]
mod console;
pub mod machine;
pub mod port;
mod urgent;

#[cfg(target_arch = "x86_64")]
pub use bare_metal::println;
#[cfg(not(target_arch = "x86_64"))]
pub use console::Console;

/// What QEMU exits with if all went well.
pub const DONE: u32 = 33;
/// What it exits with if not.
pub const FAILED: u32 = 35;
