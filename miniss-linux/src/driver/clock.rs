//! The clock of a shard: the system's, or for tests one that stands still.
//!
//! Where it stands, the hours that a program sleeps take no time: a shard that has nothing else to
//! do sets its clock forward to the next deadline. See [`Builder::start_paused`].
//!
//! [`Builder::start_paused`]: crate::Builder::start_paused

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use miniss_core::time::Instant;

use super::sys;

/// How many clocks stand. While none does, no one need ask which shard's it is.
static STANDING: AtomicUsize = AtomicUsize::new(0);

/// Whether a clock stands anywhere in the program.
#[inline]
pub(crate) fn any_stands() -> bool {
    STANDING.load(Relaxed) > 0
}

/// The clock of one shard, which alone uses it.
#[derive(Debug)]
pub(crate) struct ShardClock {
    /// Where it stands; zero: it goes as the system's does.
    stands_at_ns: AtomicU64,
}

impl ShardClock {
    pub(crate) const fn new() -> Self {
        Self { stands_at_ns: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        self.stands_at().unwrap_or_else(sys::now)
    }

    /// Where it stands; `None`: it goes.
    #[inline]
    pub(crate) fn stands_at(&self) -> Option<Instant> {
        let nanos = self.stands_at_ns.load(Relaxed);
        (nanos > 0).then(|| Instant::from_nanos(nanos))
    }

    /// From now on it stands.
    pub(crate) fn stop(&self) {
        self.stands_at_ns.store(sys::now().as_nanos().max(1), Relaxed);
        STANDING.fetch_add(1, Relaxed);
    }

    /// It goes again, if it stood.
    pub(crate) fn go(&self) {
        if self.stands_at_ns.swap(0, Relaxed) > 0 {
            STANDING.fetch_sub(1, Relaxed);
        }
    }

    /// Sets one that stands forward; a no-op if that time has come.
    pub(crate) fn set_forward(&self, to: Instant) {
        self.stands_at_ns.fetch_max(to.as_nanos(), Relaxed);
    }
}
