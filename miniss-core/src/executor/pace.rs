//! When a task that asks should give way.
//!
//! The loop knows nothing of this. The first question in a poll notes the time, and each question
//! after it is one look at the clock. Hence a poll that does not ask costs nothing, and one that
//! asks may go on for the time of a whole turn. The turn ends with it, so that a number of such
//! tasks get their time one by one, with a look at the reactor between two.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::time::Duration;

use crate::time::Instant;

/// When the poll under way began to ask, and what it may take.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Zero: no limit.
    time_max: Cell<Duration>,
    /// The poll in which a task asked last, and when it began to.
    asked_in: Cell<u64>,
    asked_first: Cell<Instant>,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            time_max: Cell::new(Duration::ZERO),
            asked_in: Cell::new(0),
            asked_first: Cell::new(Instant::ZERO),
        }
    }

    /// Another executor begins, whose polls are counted again, from one.
    pub(crate) fn start_again(&self) {
        self.asked_in.set(0);
    }

    pub(crate) fn time_max(&self) -> Duration {
        self.time_max.get()
    }

    pub(crate) fn set_time_max(&self, time_max: Duration) {
        self.time_max.set(time_max);
    }

    /// Whether the poll under way, the executor's `poll`th, has used up its time. It stays so for
    /// the rest of the poll: whoever asks first need not be the one who can give way.
    pub(crate) fn is_spent(&self, poll: u64, now: impl FnOnce() -> Instant) -> bool {
        if self.time_max.get().is_zero() {
            return false;
        }
        let now = now();
        if self.asked_in.replace(poll) != poll {
            self.asked_first.set(now);
            return false;
        }
        now - self.asked_first.get() >= self.time_max.get()
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
        assert!(pace.is_spent(2, at(11_000)));
        assert!(pace.is_spent(2, at(11_001)), "until the poll has ended");
        assert!(!pace.is_spent(3, at(11_002)));
    }

    #[test]
    fn another_executor_counts_from_its_own_first_question() {
        let pace = pace();
        assert!(!pace.is_spent(1, at(10_000)));
        pace.start_again();
        assert!(!pace.is_spent(1, at(20_000)));
    }

    #[test]
    fn without_a_limit_no_one_looks_at_the_clock() {
        let pace = Pace::new();
        assert!(!pace.is_spent(1, || unreachable!("there is no limit")));
    }
}
