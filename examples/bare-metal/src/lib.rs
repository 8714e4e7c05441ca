//! What the two kernels share: a core's way from the boot code to an executor.
//!
//! `boot.s ─▶ [cpu, tables, apic, clock, serial] ─▶ [port] ─▶ executor ─▶ user future`
//!
//! In reading order:
//!
//! - [`port`]: the reactor and the unparker, all that miniss-core asks of a machine. Start here.
//! - [`serial`]: a device whose interrupt wakes a task.
//! - [`apic`]: the timer, the interrupts that devices raise, and those that cores send each other.
//! - [`clock`]: the time, and how it was measured.
//! - [`start`]: what the boot code calls on each core.
//! - [`tables`]: where interrupts lead, and the stacks on which they are served.
//! - [`cpu`]: the instructions that Rust has no words for.
//! - [`end`]: how the program ends, be it well or not.
//!
//! There is no heap: tasks and calls live in statics. It was tried in QEMU alone, on the machine
//! `pc`; another may number its cores and place its controllers differently.
//!
//! # Invariants
//!
//! The unsafe code of all modules stands on these:
//!
//! - **Bare core.** All of this runs in ring 0 of a 64-bit core as `boot.s` leaves it: memory
//!   below 4 GiB is mapped to itself, and nothing else runs on the machine.
//! - **Own devices.** Serial port, timers and interrupt controllers are driven by the one module
//!   that is named after them and by no one else, and none of what is written to them makes them
//!   write to memory.
//! - **Interrupts off.** What a task and an interrupt handler of the same core share, and is not
//!   atomic, is touched only while that core takes no interrupts. Handlers run so.

#![no_std]

pub mod apic;
pub mod clock;
pub mod cpu;
pub mod end;
#[path = "../../no-libc/src/mem.rs"]
mod mem;
pub mod port;
pub mod serial;
pub mod start;
pub mod tables;

pub use miniss_core;
