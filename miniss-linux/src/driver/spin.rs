//! Whether to look for work before a sleep, and for how long.
//!
//! Sleeping and being woken costs tens of microseconds in a virtual machine and a few on bare
//! metal. A shard that sleeps for less than that has paid more than one that looks for work
//! meanwhile. How long it will take is not known beforehand, so both kinds of spinning learn from
//! what happened, and stop where it does not pay.

#![forbid(unsafe_code)]

/// Looks for anything, for as long as the user said, before every sleep. When that has not paid
/// [`MISSES_MAX`] times in a row, it is tried only before one sleep in [`RETRY_EVERY`], until it
/// pays again.
#[derive(Debug)]
pub(super) struct IdleSpin {
    ns: u64,
    misses: u32,
    sleeps: u32,
}

const MISSES_MAX: u32 = 4;
const RETRY_EVERY: u32 = 64;

impl IdleSpin {
    pub(super) fn new(ns: u64) -> Self {
        Self { ns, misses: 0, sleeps: 0 }
    }

    /// For how long to look this time.
    #[inline]
    pub(super) fn window_ns(&mut self) -> u64 {
        if self.ns == 0 {
            return 0;
        }
        self.sleeps = self.sleeps.wrapping_add(1);
        let tries = self.misses < MISSES_MAX || self.sleeps.is_multiple_of(RETRY_EVERY);
        if tries { self.ns } else { 0 }
    }

    pub(super) fn hit(&mut self) {
        self.misses = 0;
    }

    pub(super) fn miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
    }
}

/// Looks for calls and replies of other shards while some are expected: a call is under way, or one
/// was just answered.
///
/// It begins when a call has ended a short sleep, and then looks for no longer than that sleep
/// took; so it costs no more than it may save. When something comes early, the next look is
/// shorter. When nothing comes in time it stops. It begins again after a number of short sleeps,
/// which doubles each time.
#[derive(Debug)]
pub(super) struct CallSpin {
    /// A sleep that takes longer is not short.
    max_ns: u64,
    window_ns: u64,
    misses: u32,
    /// How many short sleeps are still to be passed by.
    passes: u32,
}

/// Less is not worth two looks at the clock.
const WINDOW_MIN_NS: u64 = 2_000;
/// A window is as many times as long as what came last took.
const MARGIN: u64 = 4;
/// Passes by at most 2 to the power of this many short sleeps.
const MISSES_COUNTED: u32 = 8;

impl CallSpin {
    pub(super) fn new(max_ns: u64) -> Self {
        Self { max_ns, window_ns: 0, misses: 0, passes: 0 }
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.max_ns > 0
    }

    /// For how long to look, if something is expected.
    #[inline]
    pub(super) fn window_ns(&self) -> u64 {
        self.window_ns
    }

    /// Something came after `ns`.
    pub(super) fn hit(&mut self, ns: u64) {
        self.window_ns = self.bounded(MARGIN.saturating_mul(ns).max(self.window_ns / 2));
        self.misses = 0;
    }

    /// Nothing came in time.
    pub(super) fn miss(&mut self) {
        self.window_ns = 0;
        self.misses = (self.misses + 1).min(MISSES_COUNTED);
        self.passes = 1 << self.misses;
    }

    /// A call or a reply that was expected ended a sleep of `ns`.
    pub(super) fn slept(&mut self, ns: u64) {
        if ns > self.max_ns {
            return;
        }
        if self.passes > 0 {
            self.passes -= 1;
            return;
        }
        self.window_ns = self.bounded(ns);
    }

    fn bounded(&self, ns: u64) -> u64 {
        ns.max(WINDOW_MIN_NS).min(self.max_ns)
    }
}

#[cfg(test)]
mod tests;
