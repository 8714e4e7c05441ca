//! The budget of a turn: how many polls, and for how long, before the reactor has its say.
//!
//! `task ─▶ run queue ─▶ [executor] ─▶ reactor`

use core::mem;
use core::time::Duration;

use crate::time::Instant;

/// How much tasks may do before the reactor is asked again. Whichever limit is reached first ends
/// the turn; the tasks that remain keep their place.
///
/// ```
/// use core::time::Duration;
/// use miniss_core::Budget;
/// let budget = Budget { polls_max: 64, time_max: Duration::from_micros(200) };
/// assert!(budget.polls_max < Budget::default().polls_max);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Polls in a turn; at least one is always made.
    pub polls_max: u32,
    /// Time in a turn, counted from the first look at the clock. It is looked at between polls,
    /// once in every 32, so that short turns never read it. A single long poll is not interrupted,
    /// but it may ask whether to give way ([`maybe_yield`](crate::combine::maybe_yield)). Zero: no
    /// limit.
    pub time_max: Duration,
}

impl Default for Budget {
    /// 256 polls, half a millisecond: Seastar's task quota.
    fn default() -> Self {
        Self { polls_max: 256, time_max: Duration::from_micros(500) }
    }
}

/// Polls between two looks at the clock.
const CLOCK_EVERY: u32 = 32;

/// What is left of a turn's budget.
#[derive(Debug)]
pub(crate) struct Spending {
    polls_left: u32,
    time_max: Duration,
    is_first: bool,
    end: Option<Instant>,
}

impl Budget {
    pub(crate) fn start(&self) -> Spending {
        let polls_left = self.polls_max.max(1);
        Spending { polls_left, time_max: self.time_max, is_first: true, end: None }
    }
}

impl Spending {
    /// How many polls may be made before this is asked again; none if the turn is over.
    #[inline]
    pub(crate) fn pay(&mut self, now: impl FnOnce() -> Instant) -> u32 {
        let polls = self.polls_left.min(CLOCK_EVERY);
        let goes_on = mem::take(&mut self.is_first) || polls > 0 && self.has_time(now());
        self.polls_left -= polls;
        if goes_on { polls } else { 0 }
    }

    #[cold]
    fn has_time(&mut self, now: Instant) -> bool {
        let end = *self.end.get_or_insert(now + self.time_max);
        now < end || self.time_max.is_zero()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn no_clock() -> Instant {
        unreachable!("no look at the clock is due")
    }

    #[test]
    fn polls_end_a_turn_without_a_look_at_the_clock() {
        for polls_max in [0, 1, 31, 32] {
            let mut spending = Budget { polls_max, time_max: Duration::ZERO }.start();
            assert_eq!(spending.pay(no_clock), polls_max.max(1));
            assert_eq!(spending.pay(no_clock), 0);
        }
    }

    #[test]
    fn a_turn_of_quick_polls_has_as_many_as_it_may() {
        let mut spending = Budget { polls_max: 100, ..Budget::default() }.start();
        let paid = [(); 5].map(|()| spending.pay(|| Instant::ZERO));
        assert_eq!(paid, [32, 32, 32, 4, 0]);
    }

    #[test]
    fn time_ends_a_turn_of_slow_polls() {
        let budget = Budget { polls_max: 10_000, time_max: Duration::from_micros(500) };
        let mut spending = budget.start();
        let mut polls = 0;
        loop {
            match spending.pay(|| Instant::from_nanos(polls * 100_000)) {
                0 => break,
                more => polls += u64::from(more),
            }
        }
        assert!((33..=99).contains(&polls), "{polls} polls of 100 us each");
    }
}
