//! The gate to io_uring: the system calls that we make ourselves.
//!
//! The `io-uring` crate lays out and maps the queues. We enter the kernel ourselves, for two
//! reasons: its `submit` forgets the registered ring descriptor between calls, and it looks at more
//! than a loop needs to look at.
//!
//! Invariant **Arguments outlive the call**: every pointer handed over points at a local that lives
//! until the call returns; none of these calls keeps a pointer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use io_uring::squeue;

use crate::driver::sys::Wait;

/// `io_uring_enter` flags.
pub(super) const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const ENTER_NO_IOWAIT: u32 = 1 << 7;
/// `ioprio` of a receive.
const RECVSEND_POLL_FIRST: u16 = 1 << 0;
const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;

/// `struct io_uring_getevents_arg`.
#[repr(C)]
struct GetEventsArg {
    sigmask: u64,
    sigmask_size: u32,
    min_wait_usec: u32,
    timespec: u64,
}

/// `struct __kernel_timespec`.
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelTimespec {
    seconds: i64,
    nanos: i64,
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// The descriptor that names the ring in `io_uring_enter`.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnterFd {
    fd: RawFd,
    flags: u32,
}

impl EnterFd {
    /// Registers the ring with itself, which spares the kernel a descriptor look-up on each enter.
    /// Falls back to the descriptor where the kernel does not know this (before 5.18).
    pub(super) fn new(ring: RawFd, no_iowait: bool) -> Self {
        let flags = if no_iowait { ENTER_NO_IOWAIT } else { 0 };
        let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: ring as u64 };
        match register(ring, REGISTER_RING_FDS, &mut update).map(|()| update.offset) {
            Ok(index) => Self { fd: index as RawFd, flags: flags | ENTER_REGISTERED_RING },
            Err(_) => Self { fd: ring, flags },
        }
    }

    /// Whether the kernel took the registration.
    pub(super) fn is_registered(self) -> bool {
        self.flags & ENTER_REGISTERED_RING != 0
    }

    /// Takes the registration back, on the thread that made it: it is one of a few that a thread
    /// may have, and keeps the ring in the kernel until the thread ends.
    pub(super) fn unregister(self, ring: RawFd) {
        if self.flags & ENTER_REGISTERED_RING != 0 {
            let mut update = RsrcUpdate { offset: self.fd as u32, reserved: 0, data: 0 };
            // If it is refused, the registration goes with the thread.
            let _ = register(ring, UNREGISTER_RING_FDS, &mut update);
        }
    }

    /// Submits `to_submit` entries and, unless told not to, waits for a completion. Completions
    /// that the kernel has deferred come either way. Returns how many entries it took.
    pub(super) fn enter(self, to_submit: u32, wait: Wait) -> io::Result<u32> {
        let timespec = match wait {
            Wait::Nanos(nanos) => KernelTimespec {
                seconds: (nanos / 1_000_000_000) as i64,
                nanos: (nanos % 1_000_000_000) as i64,
            },
            Wait::No | Wait::Forever => KernelTimespec { seconds: 0, nanos: 0 },
        };
        let arg = GetEventsArg {
            sigmask: 0,
            sigmask_size: 0,
            min_wait_usec: 0,
            timespec: (&raw const timespec).addr() as u64,
        };
        let (arg, arg_size, extra) = match wait {
            Wait::Nanos(_) => (&raw const arg, size_of::<GetEventsArg>(), ENTER_EXT_ARG),
            Wait::No | Wait::Forever => (std::ptr::null(), 0, 0),
        };
        // The kernel reads the timespec through a number, so the compiler must know that it is
        // used.
        (&raw const timespec).expose_provenance();
        // SAFETY: *Arguments outlive the call*: `arg` and `timespec` are locals.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd,
                to_submit,
                u32::from(wait != Wait::No),
                ENTER_GETEVENTS | self.flags | extra,
                arg,
                arg_size,
            )
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as u32) }
    }
}

/// Registers or unregisters one thing; the kernel may write to `update`.
fn register(ring: RawFd, what: u32, update: &mut RsrcUpdate) -> io::Result<()> {
    let update: *mut RsrcUpdate = update;
    // SAFETY: *Arguments outlive the call*: `update` is the caller's local.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_register, ring, what, update, 1_u32) };
    if result == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has a receive wait until there is data, and only then look for its buffer. The `io-uring` crate
/// has no way to ask that of a multishot receive.
pub(super) fn poll_first(mut entry: squeue::Entry) -> squeue::Entry {
    const { assert!(size_of::<squeue::Entry>() == 64, "`struct io_uring_sqe`, and nothing else") };
    // SAFETY: the entry is the kernel's struct of plain numbers; `ioprio`, 16 bits, is at byte 2.
    let ioprio = unsafe { &mut *(&raw mut entry).cast::<u16>().add(1) };
    *ioprio |= RECVSEND_POLL_FIRST;
    entry
}

/// The number of the device that a file is on. No file system is asked.
pub(super) fn device_of(fd: BorrowedFd<'_>) -> Option<Device> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: a plain C struct of numbers.
    let mut status: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: *Arguments outlive the call*: `status` is a local.
    let result = unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, 0, &raw mut status) };
    let (major, minor) = (status.stx_dev_major, status.stx_dev_minor);
    let is_character = u32::from(status.stx_mode) & libc::S_IFMT == libc::S_IFCHR;
    (result == 0).then(|| Device { holds: libc::makedev(major, minor), is_character })
}

/// What a file is on.
pub(super) struct Device {
    /// The number of its file system.
    pub(super) holds: u64,
    /// It is a device of characters itself: a terminal, for instance.
    pub(super) is_character: bool,
}

/// Whether a file is of FUSE, which is asked itself.
pub(super) fn is_fuse(fd: BorrowedFd<'_>) -> bool {
    const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;
    // SAFETY: a plain C struct of numbers.
    let mut status: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: *Arguments outlive the call*: `status` is a local.
    let result = unsafe { libc::fstatfs(fd.as_raw_fd(), &raw mut status) };
    result == 0 && status.f_type as i64 == FUSE_SUPER_MAGIC
}
