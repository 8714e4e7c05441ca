//! The system calls of a program without libc, on x86-64.
//!
//! Invariant **Kernel ABI**: a call gets its number in `rax` and its arguments in `rdi`, `rsi`,
//! `rdx`, `r10` and `r8`; the kernel overwrites `rax`, `rcx` and `r11` and no other register. A
//! result below zero is an error's number.

use core::arch::asm;
use core::fmt;
use core::ptr;
use core::time::Duration;

use miniss_core::time::Instant;

const READ: usize = 0;
const WRITE: usize = 1;
const ALARM: usize = 37;
const CLOCK_GETTIME: usize = 228;
const EXIT_GROUP: usize = 231;
const PPOLL: usize = 271;
const PIPE2: usize = 293;

const STDERR: i32 = 2;
const CLOCK_MONOTONIC: usize = 1;
const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Ends the process.
pub fn exit(status: i32) -> ! {
    // SAFETY: Kernel ABI. `exit_group` touches no memory of ours and does not return.
    unsafe {
        asm!("syscall", "ud2", in("rax") EXIT_GROUP, in("rdi") status, options(noreturn, nostack))
    }
}

/// Lets a signal end the process in `seconds`.
pub fn die_in(seconds: usize) {
    // SAFETY: the call touches no memory of ours.
    unsafe { call(ALARM, [seconds, 0, 0, 0, 0]) };
}

/// The monotonic clock.
pub fn now() -> Instant {
    let mut time = Time::default();
    // SAFETY: the kernel writes a `timespec` to `time` and nothing else.
    unsafe { call(CLOCK_GETTIME, [CLOCK_MONOTONIC, (&raw mut time) as usize, 0, 0, 0]) };
    Instant::from_nanos(time.seconds * NANOS_PER_SEC + time.nanos)
}

/// A new pipe: the end that is read and the end that is written.
pub fn pipe() -> (i32, i32) {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel writes two descriptors to `ends`.
    let result = unsafe { call(PIPE2, [(&raw mut ends) as usize, 0, 0, 0, 0]) };
    assert!(result == 0, "no pipe: {result}");
    (ends[0], ends[1])
}

/// The next byte of a pipe that has one.
pub fn read_byte(fd: i32) -> u8 {
    let mut byte = 0_u8;
    // SAFETY: the kernel writes at most one byte to `byte`.
    let count = unsafe { call(READ, [fd as usize, (&raw mut byte) as usize, 1, 0, 0]) };
    assert!(count == 1, "no byte: {count}");
    byte
}

/// Writes `bytes`. What the kernel does not take at once is lost.
pub fn write(fd: i32, bytes: &[u8]) {
    // SAFETY: the kernel only reads `bytes.len()` bytes at `bytes`.
    unsafe { call(WRITE, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0]) };
}

/// The standard error stream.
pub struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(STDERR, text.as_bytes());
        Ok(())
    }
}

/// The kernel's `timespec`.
#[derive(Default)]
#[repr(C)]
struct Time {
    seconds: u64,
    nanos: u64,
}

/// The kernel's `pollfd`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PollFd {
    fd: i32,
    wanted: i16,
    ready: i16,
}

impl PollFd {
    /// Waits for nothing: the kernel skips it.
    pub const NONE: Self = Self { fd: -1, wanted: 0, ready: 0 };

    /// Waits until `fd` can be read.
    pub const fn readable(fd: i32) -> Self {
        const POLLIN: i16 = 1;
        Self { fd, wanted: POLLIN, ready: 0 }
    }

    /// Whether it can be read, or has failed, which a read will tell.
    pub const fn is_ready(&self) -> bool {
        self.ready != 0
    }

    /// Blocks until one of `fds` is ready, for `timeout` at most. Returns how many are.
    pub fn poll(fds: &mut [Self], timeout: Option<Duration>) -> usize {
        let mut time = timeout.map(|timeout| Time {
            seconds: timeout.as_secs(),
            nanos: timeout.subsec_nanos().into(),
        });
        let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let fds = (fds.as_mut_ptr() as usize, fds.len());
        // SAFETY: the kernel writes to the `ready` of each of `fds`, and reads `time` where it is
        // not null and writes back what is left of it.
        let result = unsafe { call(PPOLL, [fds.0, fds.1, time as usize, 0, 0]) };
        usize::try_from(result).unwrap_or(0)
    }
}

/// One system call of up to five arguments.
///
/// # Safety
///
/// What the call reads or writes through its arguments must be the caller's to read or write.
unsafe fn call(number: usize, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result;
    // SAFETY: Kernel ABI; the memory behind the arguments is the caller's obligation.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        )
    };
    result
}
