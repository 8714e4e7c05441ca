//! What a shard's executor and its driver have done, in numbers.

#![forbid(unsafe_code)]

use miniss_core::Stats;

use crate::runtime::with_current;

/// What this shard's executor has done so far.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// use miniss_linux::{Runtime, stats};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// assert!(runtime.block_on(async { stats().polls }) >= 1);
/// ```
#[track_caller]
pub fn stats() -> Stats {
    with_current(|shard| shard.local.stats())
}

/// What the driver of a shard has done so far. Counts wrap after 2^64.
///
/// ```
/// use miniss_linux::{Runtime, driver_stats};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// assert_eq!(runtime.block_on(async { driver_stats().in_flight }), 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Operations that the kernel has in hand, those that no one waits for any more included.
    pub in_flight: usize,
    /// System calls that hand over or wait: `io_uring_enter`, or epoll's.
    pub enters: u64,
    /// Requests handed over.
    pub submitted: u64,
    /// Enters at which the kernel had more completions than the queue has room for. None is lost.
    pub cq_overflows: u64,
}

/// What the driver of this shard has done so far.
///
/// # Panics
///
/// Outside of a runtime.
pub fn driver_stats() -> DriverStats {
    with_current(|shard| {
        let backend = shard.driver.stats();
        DriverStats {
            in_flight: shard.driver.in_flight(),
            enters: backend.enters,
            submitted: backend.submitted,
            cq_overflows: backend.cq_overflows,
        }
    })
}
