//! The console of Arm's machines is a debugger, which QEMU is. The calls are those of "Semihosting
//! for AArch32 and AArch64".

use super::ask;

/// Prints a byte.
pub fn print(byte: u8) {
    const WRITE_BYTE: usize = 0x03;
    ask(WRITE_BYTE, (&raw const byte).cast());
}

/// Ends the program: QEMU exits with `status`.
pub fn end(status: u32) -> ! {
    const EXIT: usize = 0x20;
    const APPLICATION_EXIT: usize = 0x2_0026;
    ask(EXIT, [APPLICATION_EXIT, status as usize].as_ptr());
    loop {
        core::hint::spin_loop();
    }
}
