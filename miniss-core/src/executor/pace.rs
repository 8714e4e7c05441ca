//! The time of a turn as the tasks see it: when the one that runs should give way.
//!
//! `user future ─▶ maybe_yield ─▶ [pace] ─▶ executor`
//!
//! The executor reads no clock for it. The first question in a poll starts the count, and each
//! question after it is one look at the clock. Hence a poll that does not ask costs nothing, and
//! one that asks may go on for the time of a whole turn. The turn ends with it, so that a
//! number of such tasks get their time one by one, with a look at the reactor between two.

use core::cell::Cell;
use core::time::Duration;

use crate::time::Instant;

/// When the poll under way began to ask, and what it may take.
pub(crate) struct Pace {
    time_max: Cell<Duration>,
    poll: Cell<Option<u64>>,
    start: Cell<Instant>,
    turn_is_over: Cell<bool>,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            time_max: Cell::new(Duration::ZERO),
            poll: Cell::new(None),
            start: Cell::new(Instant::ZERO),
            turn_is_over: Cell::new(false),
        }
    }

    /// Zero: no limit.
    pub(crate) fn set_time_max(&self, time_max: Duration) {
        self.time_max.set(time_max);
    }

    /// Another executor begins, whose polls are counted anew.
    pub(crate) fn start_anew(&self) {
        self.poll.set(None);
    }

    pub(crate) fn start_turn(&self) {
        self.turn_is_over.set(false);
    }

    /// Whether the task that ran last found the time used up.
    #[inline]
    pub(crate) fn turn_is_over(&self) -> bool {
        self.turn_is_over.get()
    }

    /// Whether the poll under way, the executor's `poll`th, has used up its time. It stays so for
    /// the rest of the poll: whoever asks first need not be the one who can give way.
    pub(crate) fn is_spent(&self, poll: u64, now: impl FnOnce() -> Instant) -> bool {
        if self.time_max.get().is_zero() {
            return false;
        }
        let now = now();
        if self.poll.replace(Some(poll)) != Some(poll) {
            self.start.set(now);
            return false;
        }
        let spent = now - self.start.get() >= self.time_max.get();
        if spent {
            self.turn_is_over.set(true);
        }
        spent
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(micros: u64) -> impl FnOnce() -> Instant {
        move || Instant::from_nanos(micros * 1_000)
    }

    fn pace() -> Pace {
        let pace = Pace::new();
        pace.set_time_max(Duration::from_micros(500));
        pace
    }

    #[test]
    fn time_counts_from_the_first_question_of_a_poll() {
        let pace = pace();
        assert!(!pace.is_spent(1, at(10_000)));
        assert!(!pace.is_spent(1, at(10_499)));
        assert!(!pace.is_spent(2, at(10_500)), "another poll");
        assert!(!pace.turn_is_over());
        assert!(pace.is_spent(2, at(11_000)));
        assert!(pace.is_spent(2, at(11_001)), "until the poll has ended");
        assert!(pace.turn_is_over());
        assert!(!pace.is_spent(3, at(11_002)));
        pace.start_turn();
        assert!(!pace.turn_is_over());
    }

    #[test]
    fn without_a_limit_nobody_looks_at_the_clock() {
        let pace = Pace::new();
        assert!(!pace.is_spent(1, || unreachable!("there is no limit")));
    }
}
