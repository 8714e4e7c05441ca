//! Deadlines at a fixed distance.
//!
//! An interval keeps only the time of the next tick, and each tick is a [`Sleep`] of its own. So
//! the interval may be moved and needs no pinning.
//!
//! The price is a flag. In a loop that awaits a tick beside a busier future, the tick is cancelled
//! again and again. If each try went through the wheel, the tick might never come. So a tick that
//! was *begun* before is ready at once if it is due. All others go through the wheel: then a task
//! whose interval is too short for it still leaves the executor its turns.

#![forbid(unsafe_code)]

use core::time::Duration;

use super::sleep::{Sleep, Timers};
use crate::coop::consume_budget;
use crate::time::Instant;

/// What an [`Interval`] does about ticks that were due before the one before them was taken.
///
/// ```
/// use miniss_core::timer::MissedTick;
/// assert_eq!(MissedTick::default(), MissedTick::Burst);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTick {
    /// They come late, one right after the other, until the schedule is met again. No tick is lost.
    #[default]
    Burst,
    /// The next tick is one period after the time at which this one was taken: two ticks are never
    /// closer than a period, and the schedule drifts.
    Delay,
    /// They are left out: the next tick is at the first multiple of the period that is not past.
    Skip,
}

impl MissedTick {
    /// The tick after the one that was due at `due` and taken at `now`.
    fn next(self, due: Instant, now: impl FnOnce() -> Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now() + period,
            Self::Skip => {
                let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
                let late = now().as_nanos().saturating_sub(due.as_nanos());
                let step = (late / period).saturating_add(1).saturating_mul(period);
                due + Duration::from_nanos(step)
            }
        }
    }
}

/// Ticks at a fixed period, the first one at once. See [`tick`](Self::tick).
///
/// ```
/// # use core::{future::Future, pin::pin, task::{Context, Waker}};
/// # use miniss_core::timer::ManualClock;
/// use core::time::Duration;
/// use miniss_core::timer::{Interval, Timers};
///
/// async fn three_beats(timers: impl Timers) {
///     let mut beat = Interval::new(timers, Duration::from_secs(1));
///     for _ in 0..3 {
///         beat.tick().await;
///     }
/// }
/// # let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
/// # let mut cx = Context::from_waker(Waker::noop());
/// # let mut task = pin!(three_beats(clock));
/// # for step in [0, 1, 1] {
/// #     assert!(task.as_mut().poll(&mut cx).is_pending());
/// #     clock.advance(Duration::from_secs(step));
/// # }
/// # assert!(task.as_mut().poll(&mut cx).is_ready());
/// ```
#[derive(Debug, Clone)]
pub struct Interval<K: Timers> {
    timers: K,
    next: Instant,
    /// A tick at `next` was begun, and it was cancelled or is waiting.
    begun: bool,
    period: Duration,
    missed: MissedTick,
}

impl<K: Timers> Interval<K> {
    /// Ticks now and then every `period`.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::timer::{Interval, ManualClock};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let beat = Interval::new(clock, Duration::from_millis(20));
    /// assert_eq!(beat.period(), Duration::from_millis(20));
    /// ```
    #[track_caller]
    pub fn new(timers: K, period: Duration) -> Self {
        let start = timers.now();
        Self::at(timers, start, period)
    }

    /// Ticks at `start` and then every `period`.
    ///
    /// # Panics
    ///
    /// If `period` is zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{Interval, ManualClock};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let start = Instant::from_nanos(1_000);
    /// let beat = Interval::starting_at(clock, start, Duration::from_secs(1));
    /// assert_eq!(beat.next_tick(), start);
    /// ```
    #[track_caller]
    pub fn starting_at(timers: K, start: K::Instant, period: Duration) -> Self {
        Self::at(timers, start.into(), period)
    }

    #[track_caller]
    const fn at(timers: K, start: Instant, period: Duration) -> Self {
        assert!(!period.is_zero(), "the period of an interval must not be zero");
        Self { timers, next: start, begun: false, period, missed: MissedTick::Burst }
    }

    /// Sets what happens to missed ticks; without it, [`MissedTick::Burst`].
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::timer::{Interval, ManualClock, MissedTick};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let second = Duration::from_secs(1);
    /// let _beat = Interval::new(clock, second).with_missed_tick(MissedTick::Skip);
    /// ```
    #[must_use]
    pub fn with_missed_tick(mut self, missed: MissedTick) -> Self {
        self.missed = missed;
        self
    }

    /// Waits for the next tick. Returns the time it was due, which is never later than now.
    ///
    /// Also the first tick, and one that is late, comes only on the executor's next turn.
    ///
    /// # Cancellation
    ///
    /// Safe: a tick that is not taken stays the next one, and if it has become due meanwhile, the
    /// next call is ready at once.
    ///
    /// # Panics
    ///
    /// If the executor has ended.
    ///
    /// ```
    /// # use core::{pin::pin, task::{Context, Waker}, time::Duration};
    /// # use miniss_core::{time::Instant, timer::ManualClock};
    /// use miniss_core::timer::{Interval, Timers};
    ///
    /// async fn second_tick(beat: &mut Interval<impl Timers<Instant = Instant>>) -> Instant {
    ///     beat.tick().await;
    ///     beat.tick().await
    /// }
    /// # let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// # let mut beat = Interval::new(clock, Duration::from_secs(1));
    /// # let mut task = pin!(second_tick(&mut beat));
    /// # while task.as_mut().poll(&mut cx).is_pending() {
    /// #     clock.advance(Duration::from_secs(1));
    /// # }
    /// ```
    pub async fn tick(&mut self) -> K::Instant {
        let due = self.next;
        let is_due = self.begun && due < Instant::MAX && due <= self.timers.now();
        if is_due {
            consume_budget().await;
        } else {
            self.begun = true;
            Sleep::at(self.timers.clone(), due).await;
        }
        self.begun = false;
        self.next = self.missed.next(due, || self.timers.now(), self.period);
        due.into()
    }

    /// Starts again: the next tick comes one period from now.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{Interval, ManualClock};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let mut beat = Interval::new(clock, Duration::from_nanos(5));
    /// clock.advance(Duration::from_nanos(3));
    /// beat.reset();
    /// assert_eq!(beat.next_tick(), Instant::from_nanos(8));
    /// ```
    pub fn reset(&mut self) {
        self.next = self.timers.now() + self.period;
        self.begun = false;
    }

    /// When the next tick is due; [`Instant::MAX`] is never.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// use miniss_core::timer::{Interval, ManualClock};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let beat = Interval::new(clock, Duration::from_secs(1));
    /// assert_eq!(beat.next_tick(), Instant::ZERO, "the first one is due at once");
    /// ```
    pub fn next_tick(&self) -> K::Instant {
        self.next.into()
    }

    /// The time from one tick to the next.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::timer::{Interval, ManualClock};
    ///
    /// let clock: &'static ManualClock = Box::leak(Box::new(ManualClock::new()));
    /// let beat = Interval::new(clock, Duration::from_secs(1));
    /// assert_eq!(beat.period(), Duration::from_secs(1));
    /// ```
    pub const fn period(&self) -> Duration {
        self.period
    }
}
