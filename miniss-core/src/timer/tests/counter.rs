//! Ports whose clock is a counter of ticks, over days.

use core::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// A machine with a counter, which a sleep takes to the tick of its deadline at once.
struct Counter {
    ticks: AtomicU64,
    hz: u32,
}

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Counter {
    fn unpark(&self) {}
}

impl Clock for Counter {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_ticks(self.ticks.load(Ordering::Relaxed), self.hz)
    }
}

struct Port(&'static ExecutorCell<Counter>);

impl Reactor for Port {
    type Unparker = Counter;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        let counter = self.0.unparker();
        if idle.confirmed() {
            let deadline = deadline.expect("there is a timer");
            counter.ticks.fetch_max(deadline.to_ticks(counter.hz), Ordering::Relaxed);
        }
    }
}

#[test]
fn an_interval_loses_nothing_in_thirty_days() {
    const PERIOD: Duration = Duration::from_millis(97_777);
    const DAYS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    for hz in [32_768, 1_000_000, 1_000_000_000] {
        let counter = Counter { ticks: AtomicU64::new(0), hz };
        let cell = crate::kept::forever(ExecutorCell::new(counter));
        let mut executor = Executor::new(cell, Port(cell)).unwrap();
        let local = executor.local();
        let tick = Duration::from_nanos(1_000_000_000_u64.div_ceil(hz.into()));
        executor.block_on(async {
            let mut interval = Interval::new(local, PERIOD);
            let mut due = Instant::ZERO;
            while due < Instant::ZERO + DAYS {
                assert_eq!(interval.tick().await, due);
                let late = local.now().checked_duration_since(due);
                assert!(late.is_some_and(|late| late <= tick), "{due:?}: {late:?} at {hz} Hz");
                due += PERIOD;
            }
        });
    }
}

#[test]
fn ticks_and_back_are_never_early_and_at_most_a_tick_late() {
    for hz in [1, 3, 32_768, 1_000_000_000, u32::MAX] {
        let mut nanos = 1_u64;
        while nanos < u64::MAX / 7 {
            let point = Instant::from_nanos(nanos);
            let ticks = point.to_ticks(hz);
            assert!(Instant::from_ticks(ticks, hz) >= point, "{nanos} at {hz} Hz");
            assert!(Instant::from_ticks(ticks - 1, hz) < point, "{nanos} at {hz} Hz");
            nanos = nanos * 3 + nanos / 2 + 1;
        }
        assert_eq!(Instant::ZERO.to_ticks(hz), 0);
    }
    assert_eq!(Instant::from_ticks(u64::MAX, 1), Instant::MAX);
    assert_eq!(Instant::MAX.to_ticks(u32::MAX), u64::MAX);
}
