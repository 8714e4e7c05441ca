//! The machine: what a program must know of the one that it is built for.
//!
//! Each has a file of about a hundred lines, and a page of start code:
//!
//! | machine, in QEMU | file | clock | interrupts between cores |
//! |---|---|---|---|
//! | Cortex-M4 (`mps2-an386`), Cortex-M0 (`microbit`) | `cortex_m.rs` | SysTick | has one core |
//! | RISC-V of 32 bits (`virt`) | `riscv32.rs` | CLINT | CLINT |
//! | AArch64 (`virt`) | `aarch64.rs` | generic timer | GIC |
//! | x86-64 (`pc`) | `x86_64.rs`, over `examples/bare-metal` | TSC and APIC | APIC |
//!
//! QEMU gives the `microbit` a SysTick, which the real one has not: there, a port takes a timer.
//!
//! `debugger.rs` is the console of Arm's machines.
//!
//! Invariant: *Own devices*, see the crate.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
mod debugger;
#[cfg(target_arch = "riscv32")]
mod riscv32;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "arm")]
pub use cortex_m::*;
#[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
pub use debugger::*;
#[cfg(target_arch = "riscv32")]
pub use riscv32::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// Reads a register of a device.
#[cfg(any(target_arch = "aarch64", target_arch = "riscv32"))]
fn read(register: usize) -> u32 {
    // SAFETY: *Own devices*.
    unsafe { core::ptr::with_exposed_provenance::<u32>(register).read_volatile() }
}

/// Writes a register of a device.
#[cfg(not(target_arch = "x86_64"))]
fn write(register: usize, value: u32) {
    // SAFETY: *Own devices*.
    unsafe { core::ptr::with_exposed_provenance_mut::<u32>(register).write_volatile(value) };
}
