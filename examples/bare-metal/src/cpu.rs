//! The instructions that Rust has no words for.
//!
//! `port, apic, clock, serial, tables ─▶ [cpu]`
//!
//! Invariants: *Bare core* and *Own devices*, see the crate.

use core::arch::asm;

/// Reads a byte from an I/O port.
///
/// # Safety
///
/// *Own devices*: the port is one of the caller's device, which allows the read now.
pub unsafe fn read_port(port: u16) -> u8 {
    let value;
    // SAFETY: *Bare core* allows the instruction; the device is the caller's.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nostack)) };
    value
}

/// Writes a byte to an I/O port.
///
/// # Safety
///
/// *Own devices*: the port is one of the caller's device, which allows the write now.
pub unsafe fn write_port(port: u16, value: u8) {
    // SAFETY: *Bare core* allows the instruction; the device is the caller's.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack)) };
}

/// The time-stamp counter of this core.
pub fn ticks() -> u64 {
    // SAFETY: every 64-bit core has the counter, and reading it changes nothing.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// From here on this core takes interrupts.
///
/// # Safety
///
/// The tables of this core are loaded, and the caller is not inside [`without_interrupts`].
pub unsafe fn allow_interrupts() {
    // SAFETY: *Bare core*; interrupts find their handlers by the caller's promise. Not `nomem`:
    // handlers read and write memory.
    unsafe { asm!("sti", options(nostack)) };
}

/// Runs `critical` while this core takes no interrupts, then lets it take them as before.
pub fn without_interrupts<T>(critical: impl FnOnce() -> T) -> T {
    const INTERRUPT_FLAG: u64 = 1 << 9;
    let flags: u64;
    // SAFETY: *Bare core*. It pushes, so it is not `nostack`, and the compiler keeps the red zone
    // clear of it.
    unsafe { asm!("pushfq", "pop {}", "cli", out(reg) flags) };
    let output = critical();
    if flags & INTERRUPT_FLAG != 0 {
        // SAFETY: as it was before, so the handlers are there.
        unsafe { allow_interrupts() };
    }
    output
}

/// Halts this core until an interrupt has been served, if `is_idle`, which is asked while none is
/// taken. Whatever is raised from then on ends the halt: `sti` delays interrupts until the
/// instruction behind it has begun, so none slips in between the answer and `hlt`.
///
/// # Safety
///
/// As for [`allow_interrupts`].
pub unsafe fn halt_if(is_idle: impl FnOnce() -> bool) {
    // SAFETY: *Bare core*.
    unsafe { asm!("cli", options(nostack)) };
    if is_idle() {
        // SAFETY: *Bare core*; interrupts find their handlers by the caller's promise.
        unsafe { asm!("sti", "hlt", options(nostack)) };
    } else {
        // SAFETY: the caller's promise.
        unsafe { allow_interrupts() };
    }
}

/// Halts this core forever.
pub fn stop() -> ! {
    loop {
        // SAFETY: *Bare core*. Only what cannot be masked ends the halt, and then it halts again.
        unsafe { asm!("cli", "hlt", options(nostack)) };
    }
}
