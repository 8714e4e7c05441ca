//! Whether to look for work for a while before sleeping, and for how long.
//!
//! Sleeping and being woken costs tens of microseconds in a virtual machine and a few on bare
//! metal. Who sleeps for less than that has paid more than who looks for work meanwhile. No one
//! knows beforehand how long it will take, so both kinds of spinning learn from what happened, and
//! stop where it does not pay.

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

/// Looks for calls and replies of other shards, when some may well come: a call is under way, or
/// one was just answered.
///
/// It begins when a call has ended a sleep that was short, and then looks for no longer than that
/// sleep took; so it costs no more than it may spare. What comes earlier makes it look less long.
/// When nothing has come in time it stops, and passes by twice as many short sleeps as the last
/// time before it begins again.
#[derive(Debug)]
pub(super) struct CallSpin {
    /// A sleep that takes longer is not short.
    max_ns: u64,
    window_ns: u64,
    misses: u32,
    /// Short sleeps to be passed by.
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
mod tests {
    use super::*;

    #[test]
    fn without_a_short_sleep_there_is_no_spinning() {
        let mut spin = CallSpin::new(50_000);
        assert_eq!(spin.window_ns(), 0);
        spin.slept(50_001);
        assert_eq!(spin.window_ns(), 0);
        spin.slept(30_000);
        assert_eq!(spin.window_ns(), 30_000);
    }

    #[test]
    fn the_window_follows_what_comes_early() {
        let mut spin = CallSpin::new(50_000);
        spin.slept(40_000);
        (0..10).for_each(|_| spin.hit(1_000));
        assert_eq!(spin.window_ns(), MARGIN * 1_000);
        (0..10).for_each(|_| spin.hit(100));
        assert_eq!(spin.window_ns(), WINDOW_MIN_NS);
        spin.hit(1_000_000);
        assert_eq!(spin.window_ns(), 50_000);
    }

    #[test]
    fn spinning_in_vain_becomes_rare() {
        let mut spin = CallSpin::new(50_000);
        let (mut sleeps, mut spins) = (0, 0);
        while sleeps < 10_000 {
            if spin.window_ns() > 0 {
                spins += 1;
                spin.miss();
            }
            sleeps += 1;
            spin.slept(10_000);
        }
        assert!(spins < 50, "{spins} spins");
        spin.hit(1_000);
        assert!(spin.window_ns() > 0);
    }

    #[test]
    fn a_spin_that_is_off_stays_off() {
        let mut spin = CallSpin::new(0);
        assert!(!spin.is_on());
        spin.slept(0);
        assert_eq!(spin.window_ns(), 0);
    }

    #[test]
    fn idle_spinning_in_vain_becomes_rare() {
        let mut spin = IdleSpin::new(100);
        let spins = (0..640).filter(|_| {
            let spins = spin.window_ns() > 0;
            if spins {
                spin.miss();
            }
            spins
        });
        assert_eq!(spins.count(), MISSES_MAX as usize + 640 / RETRY_EVERY as usize);
    }
}
