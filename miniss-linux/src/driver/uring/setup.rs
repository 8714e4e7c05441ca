//! Making a ring: the best that this kernel, under the filters in force, will give.
//!
//! `executor ─▶ [driver: setup] ─▶ kernel`
//!
//! A ladder: ask for everything, and on `EINVAL` step down to what an older kernel knows. The
//! kernel's version is never asked: distributions port features back, and sandboxes lie.

use std::io;

use io_uring::IoUring;

use crate::error::DriverUnavailable;

/// What a driver is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverConfig {
    /// Submission queue entries; the completion queue has four times as many.
    pub(crate) ring_entries: u32,
    /// Provided receive buffers, a power of two.
    pub(crate) recv_buffers: u16,
    /// Bytes in each of them.
    pub(crate) recv_buffer_bytes: u32,
    /// The longest spin before a sleep, in nanoseconds; zero: none.
    pub(crate) idle_spin_ns: u64,
    /// The longest spin before a sleep that a call is expected to end, in nanoseconds; zero: none.
    pub(crate) call_spin_ns: u64,
}

/// The rungs, best first: what each asks for beyond the one below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    /// 5.11: clamp, and our own completion queue size.
    Plain,
    /// 5.19: no interrupts for completions while we are in user space.
    CoopTaskrun,
    /// 6.0: only one thread submits.
    SingleIssuer,
    /// 6.1: completions are worked off when we ask for them.
    DeferTaskrun,
    /// 6.6: one array less between us and the kernel.
    NoSqArray,
}

pub(super) const LADDER: [Rung; 5] =
    [Rung::NoSqArray, Rung::DeferTaskrun, Rung::SingleIssuer, Rung::CoopTaskrun, Rung::Plain];

/// The smallest ring worth having.
const ENTRIES_MIN: u32 = 8;

/// Makes a ring for the calling thread.
pub(super) fn make_ring(config: &DriverConfig) -> Result<IoUring, DriverUnavailable> {
    let mut entries = config.ring_entries.max(1);
    loop {
        match climb_down(entries) {
            // Not enough locked memory, on kernels that count it (before 5.12): try with less.
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && entries > ENTRIES_MIN => {
                entries /= 2;
            }
            Err(error) => return Err(DriverUnavailable::new("io_uring_setup", error)),
            Ok(ring) => return require(ring),
        }
    }
}

fn climb_down(entries: u32) -> io::Result<IoUring> {
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for rung in LADDER {
        match build(rung, entries) {
            Ok(ring) => return Ok(ring),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

pub(super) fn build(rung: Rung, entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.dontfork().setup_clamp().setup_cqsize(entries.saturating_mul(4));
    if rung >= Rung::CoopTaskrun {
        builder.setup_submit_all().setup_taskrun_flag();
    }
    if rung >= Rung::SingleIssuer {
        builder.setup_single_issuer();
    }
    if rung >= Rung::DeferTaskrun {
        builder.setup_defer_taskrun();
    } else if rung >= Rung::CoopTaskrun {
        builder.setup_coop_taskrun();
    }
    if rung >= Rung::NoSqArray {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// Refuses a ring without the features that everything here stands on.
fn require(ring: IoUring) -> Result<IoUring, DriverUnavailable> {
    let params = ring.params();
    let old = |what| {
        let error = io::Error::from_raw_os_error(libc::ENOSYS);
        Err(DriverUnavailable::new(what, error))
    };
    if !params.is_feature_nodrop() {
        return old("io_uring without NODROP (before Linux 5.5)");
    }
    if !params.is_feature_ext_arg() {
        return old("io_uring without EXT_ARG (before Linux 5.11)");
    }
    Ok(ring)
}
