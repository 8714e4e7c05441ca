//! io_uring by hand: the queues, and one system call for submitting and waiting.
//!
//! The `io-uring` crate maps the queues and lays out the entries; we enter the kernel ourselves,
//! with a registered ring descriptor, as fast programs do.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use io_uring::types::CancelBuilder;
use io_uring::{IoUring, Submitter, cqueue, squeue};

const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;
/// Looks at memory between two reads of the clock.
const LOOKS_PER_CLOCK: u32 = 16;

/// A ring of the calling thread: DEFER_TASKRUN, SINGLE_ISSUER, no submission array.
pub struct Ring {
    ring: IoUring,
    enter_fd: RawFd,
    enter_flags: u32,
}

impl Ring {
    /// A ring of `entries` submissions and four times as many completions.
    ///
    /// # Errors
    ///
    /// What the kernel says; it has to be Linux 6.6 or later.
    pub fn new(entries: u32) -> io::Result<Self> {
        let ring = IoUring::builder()
            .dontfork()
            .setup_cqsize(entries * 4)
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_no_sqarray()
            .build(entries)?;
        let index = register_ring(ring.as_raw_fd())?;
        Ok(Self { ring, enter_fd: index, enter_flags: ENTER_GETEVENTS | ENTER_REGISTERED_RING })
    }

    /// For registrations.
    pub fn submitter(&self) -> Submitter<'_> {
        self.ring.submitter()
    }

    /// Queues an entry; submits if there is no room.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Safety
    ///
    /// What the entry points at stays valid until its last completion.
    pub unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: the caller's promise.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.enter(0)?;
        }
    }

    /// Submits all and waits for a completion; looks for one for so long before it sleeps.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn wait(&mut self, spin: Duration) -> io::Result<()> {
        if spin.is_zero() {
            return self.enter(1);
        }
        if self.wants_enter() {
            self.enter(0)?;
        }
        let start = Instant::now();
        loop {
            for _ in 0..LOOKS_PER_CLOCK {
                if !self.ring.completion().is_empty() {
                    return Ok(());
                }
                if self.wants_enter() {
                    self.enter(0)?;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() >= spin {
                return self.enter(1);
            }
        }
    }

    /// Submits all, and posts what has completed.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn submit(&mut self) -> io::Result<()> {
        self.enter(0)
    }

    /// Whether the kernel has taken everything that was pushed.
    pub fn is_all_submitted(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    /// Moves completions into `batch`.
    pub fn take<'a>(
        &mut self,
        batch: &'a mut [MaybeUninit<cqueue::Entry>],
    ) -> &'a mut [cqueue::Entry] {
        self.ring.completion().fill(batch)
    }

    fn wants_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun()
    }

    /// What the kernel cannot do just now it is asked for again by the caller's loop.
    fn enter(&mut self, completions_min: u32) -> io::Result<()> {
        let to_submit = self.ring.submission().len() as u32;
        // SAFETY: no pointers are handed over.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                to_submit,
                completions_min,
                self.enter_flags,
                std::ptr::null::<u8>(),
                0_usize,
            )
        };
        if result >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        }
    }
}

impl Drop for Ring {
    /// Closing a ring is no barrier: the kernel may write to buffers afterwards. Everything is
    /// cancelled first, and its completions are posted.
    fn drop(&mut self) {
        // Nothing in flight is an error here, and as good.
        let _ = self.ring.submitter().register_sync_cancel(None, CancelBuilder::any().all());
        let _ = self.enter(0);
        // One of a few that a thread may have.
        let mut update = RsrcUpdate { offset: self.enter_fd as u32, reserved: 0, data: 0 };
        let _ = register(self.ring.as_raw_fd(), UNREGISTER_RING_FDS, &mut update);
    }
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// Registers the ring with itself, which spares the kernel a look-up on each enter.
fn register_ring(ring: RawFd) -> io::Result<RawFd> {
    let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: ring as u64 };
    register(ring, REGISTER_RING_FDS, &mut update)?;
    Ok(update.offset as RawFd)
}

fn register(ring: RawFd, what: u32, update: &mut RsrcUpdate) -> io::Result<()> {
    let update: *mut RsrcUpdate = update;
    // SAFETY: the kernel reads and writes `update`, the caller's local, before it returns.
    let count = unsafe { libc::syscall(libc::SYS_io_uring_register, ring, what, update, 1_u32) };
    if count == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
