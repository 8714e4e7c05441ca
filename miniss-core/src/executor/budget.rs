//! The budget of a turn: how many polls, and for how long, before the reactor has its say.
//!
//! `task ─▶ run queue ─▶ [executor] ─▶ reactor`

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
    polls_to_clock: u32,
    time_max: Duration,
    end: Option<Instant>,
}

impl Budget {
    pub(crate) fn start(&self) -> Spending {
        Spending {
            polls_left: self.polls_max.max(1),
            polls_to_clock: CLOCK_EVERY,
            time_max: self.time_max,
            end: None,
        }
    }
}

impl Spending {
    /// Pays for one poll; `false` if the turn is over.
    #[inline]
    pub(crate) fn allows(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.polls_left == 0 {
            return false;
        }
        self.polls_left -= 1;
        if self.polls_to_clock > 0 {
            self.polls_to_clock -= 1;
            return true;
        }
        self.time_left(now())
    }

    #[cold]
    fn time_left(&mut self, now: Instant) -> bool {
        self.polls_to_clock = CLOCK_EVERY;
        let end = *self.end.get_or_insert(now + self.time_max);
        now < end || self.time_max.is_zero()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn polls_end_a_turn_without_a_look_at_the_clock() {
        let mut spending = Budget { polls_max: 32, time_max: Duration::ZERO }.start();
        for _ in 0..32 {
            assert!(spending.allows(|| unreachable!("no clock in a short turn")));
        }
        assert!(!spending.allows(|| Instant::ZERO));
    }

    #[test]
    fn time_ends_a_turn_of_slow_polls() {
        let budget = Budget { polls_max: 10_000, time_max: Duration::from_micros(500) };
        let mut spending = budget.start();
        let mut polls = 0;
        while spending.allows(|| Instant::from_nanos(polls * 100_000)) {
            polls += 1;
        }
        assert!((33..=99).contains(&polls), "{polls} polls of 100 us each");
    }
}
