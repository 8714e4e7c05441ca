//! Armed timers, over a clock that stands still until told: the wheel alone.
//!
//! Deadlines are spread at random over a minute. The clock goes from one to the next, up to 64 at a
//! time, so a turn of the executor fires as many as 64.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use miniss_core::Executor;
use miniss_core::time::Instant;
use miniss_core::timer::Sleep;

use super::by_hand;
use crate::growth::curve::Values;
use crate::growth::random::Random;
use crate::limits::nanos_per;
use crate::port::{Port, Unparker, executor};

type Timer = Sleep<miniss_core::LocalHandle<Unparker>>;

const MINUTE_NS: u64 = 60_000_000_000;
/// Timers that fire in one turn.
const TOGETHER: usize = 64;
/// Timers of a sample, at least.
const TIMERS_MIN: usize = 300_000;

/// Everything about `count` timers.
///
/// # Errors
///
/// None; it is the shape of a point.
pub fn measure(count: usize) -> Result<Values, String> {
    let mut random = Random::default();
    let after: Vec<u64> = (0..count).map(|_| random.below(MINUTE_NS)).collect();
    let mut timers = Timers::new(&after);
    let rounds = TIMERS_MIN.div_ceil(count);
    timers.arm();
    timers.fire();
    timers.arm();
    let longest = timers.fire();
    let fire = nanos_per(count * rounds, || {
        for _ in 0..rounds {
            timers.arm();
            timers.fire();
        }
    });
    timers.arm();
    let others: Vec<u64> = (0..TIMERS_MIN).map(|_| random.below(MINUTE_NS)).collect();
    let cancel = nanos_per(TIMERS_MIN, || timers.arm_and_cancel(&others));
    let heap = by_hand::binary_heap(&after, rounds);
    Ok(vec![cancel, fire, heap, longest.as_nanos() as f64 / 1e3])
}

struct Timers<'a> {
    executor: Executor<Port>,
    after: &'a [u64],
    /// The same, from soon to late.
    sorted: Vec<u64>,
    sleeps: Vec<Pin<Box<Timer>>>,
}

impl<'a> Timers<'a> {
    fn new(after: &'a [u64]) -> Self {
        let executor = executor();
        let local = executor.local();
        let mut sorted = after.to_vec();
        sorted.sort_unstable();
        let sleep = |_| Box::pin(Sleep::until(local, Instant::MAX));
        Self { executor, after, sorted, sleeps: (0..after.len()).map(sleep).collect() }
    }

    /// Arms all of them; none may be armed yet.
    fn arm(&mut self) {
        let local = self.executor.local();
        let now = local.now();
        let mut cx = Context::from_waker(Waker::noop());
        for (sleep, &after) in self.sleeps.iter_mut().zip(self.after) {
            sleep.set(Sleep::until(local, now + Duration::from_nanos(after)));
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
        }
    }

    /// Moves the clock over all deadlines; how long the longest turn took.
    fn fire(&mut self) -> Duration {
        let local = self.executor.local();
        let (mut now, mut longest) = (0, Duration::ZERO);
        for due in self.sorted.chunks(TOGETHER) {
            let last = due[due.len() - 1];
            local.cell().unparker().advance(last - now);
            now = last;
            let start = std::time::Instant::now();
            self.executor.turn();
            longest = longest.max(start.elapsed());
        }
        assert_eq!(local.stats().timers_armed, 0, "all have fired");
        longest
    }

    /// Timeouts that do not happen.
    fn arm_and_cancel(&self, after: &[u64]) {
        let local = self.executor.local();
        let now = local.now();
        let mut cx = Context::from_waker(Waker::noop());
        for &after in after {
            let deadline = now + Duration::from_nanos(after);
            let sleep = std::pin::pin!(Sleep::until(local, deadline));
            assert!(sleep.poll(&mut cx).is_pending());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gives_every_value() {
        for count in [1, 65, 1000] {
            let values = measure(count).unwrap();
            assert!(values.iter().all(|&value| value > 0.0), "{count}: {values:?}");
        }
    }
}
