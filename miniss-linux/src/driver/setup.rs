//! Making a ring: the best that this kernel, under the filters in force, will give.
//!
//! A ladder: ask for everything, and on `EINVAL` step down to what an older kernel knows. The
//! kernel's version is never asked: distributions port features back, and sandboxes lie.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use io_uring::IoUring;

use super::memlock::{entries_within_limit, report_short};
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

impl DriverConfig {
    /// Makes the rings so small that those of `shards` shards fit the user's allowance of locked
    /// memory together.
    pub(crate) fn shared_among(self, shards: usize) -> Self {
        let entries = entries_within_limit(self.ring_entries, self.recv_buffers, shards);
        Self { ring_entries: entries, ..self }
    }
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
pub(super) const ENTRIES_MIN: u32 = 8;
/// How long a refusal for want of memory is taken for one that passes: the kernel frees a ring some
/// time after it was closed. First a ring of the wanted size is tried again, then the smallest one.
const PATIENCE: Duration = Duration::from_millis(100);
const SMALLEST_PATIENCE: Duration = Duration::from_millis(500);
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// Completions that the queue of a ring with so many entries has room for.
pub(super) fn completions_of(entries: u32) -> u32 {
    entries.saturating_mul(4)
}

/// Makes a ring for the calling thread.
pub(super) fn make_ring(config: &DriverConfig) -> Result<IoUring, DriverUnavailable> {
    let mut entries = config.ring_entries.max(1);
    let mut made = retry(PATIENCE, || climb_down(entries));
    while entries > ENTRIES_MIN && is_want_of_memory(&made) {
        entries = (entries / 2).max(ENTRIES_MIN);
        made = climb_down(entries);
    }
    if is_want_of_memory(&made) {
        made = retry(SMALLEST_PATIENCE, || climb_down(entries));
    }
    if entries < config.ring_entries && made.is_ok() {
        let wanted = config.ring_entries;
        report_short(format_args!("a ring has {entries} entries instead of {wanted}"));
    }
    require(made.map_err(|error| DriverUnavailable::new("io_uring_setup", error))?)
}

fn is_want_of_memory<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOMEM))
}

/// Tries again for so long while memory is wanting.
fn retry<T>(patience: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        let result = attempt();
        if !is_want_of_memory(&result) || start.elapsed() >= patience {
            return result;
        }
        thread::sleep(RETRY_EVERY);
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
    builder.dontfork().setup_clamp().setup_cqsize(completions_of(entries));
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
