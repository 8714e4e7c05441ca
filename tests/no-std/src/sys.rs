//! The system calls of a program without libc, on x86-64.
//!
//! Invariant **Kernel ABI**: a call gets its number in `rax` and its arguments in `rdi`, `rsi` and
//! `rdx`; the kernel overwrites `rax`, `rcx` and `r11` and no other register.

use core::arch::asm;
use core::fmt;
use core::time::Duration;
use miniss_core::time::Instant;

const WRITE: usize = 1;
const NANOSLEEP: usize = 35;
const ALARM: usize = 37;
const CLOCK_GETTIME: usize = 228;
const EXIT_GROUP: usize = 231;

const STDERR: usize = 2;
const CLOCK_MONOTONIC: usize = 1;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Ends the process.
pub fn exit(status: i32) -> ! {
    // SAFETY: Kernel ABI. `exit_group` touches no memory of ours and does not return.
    unsafe {
        asm!("syscall", "ud2", in("rax") EXIT_GROUP, in("rdi") status, options(noreturn, nostack))
    }
}

/// The standard error stream. What the kernel does not take at once is lost.
pub struct Stderr;

impl fmt::Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the kernel only reads `text.len()` bytes at `text`, which live through the call.
        unsafe { call(WRITE, STDERR, text.as_ptr() as usize, text.len()) };
        Ok(())
    }
}

/// The monotonic clock.
pub fn now() -> Instant {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes a `timespec`, two 64-bit words, to `time` and nothing else.
    unsafe { call(CLOCK_GETTIME, CLOCK_MONOTONIC, (&raw mut time) as usize, 0) };
    Instant::from_nanos(time[0] * NANOS_PER_SEC + time[1])
}

/// Lets a signal end the process in `seconds`, so that a lost wake fails and does not hang.
pub fn die_in(seconds: usize) {
    // SAFETY: the call touches no memory of ours.
    unsafe { call(ALARM, seconds, 0, 0) };
}

/// Sleeps for `duration`, or until a signal.
pub fn sleep(duration: Duration) {
    let time = [duration.as_secs(), u64::from(duration.subsec_nanos())];
    // SAFETY: the kernel reads a `timespec`, two 64-bit words, and is given nowhere to write.
    unsafe { call(NANOSLEEP, (&raw const time) as usize, 0, 0) };
}

/// One system call of up to three arguments.
///
/// # Safety
///
/// What the call reads or writes through its arguments must be the caller's to read or write.
unsafe fn call(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: Kernel ABI; the memory behind the arguments is the caller's obligation.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        )
    };
    result
}
