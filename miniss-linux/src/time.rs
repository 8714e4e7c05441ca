//! Sleeping, timeouts and ticks, on `CLOCK_MONOTONIC`.
//!
//! `user future ─▶ [timer] ─▶ executor ─▶ driver ─▶ kernel`
//!
//! Timers live in a wheel in user space; only the earliest deadline is handed to the kernel, with
//! the call that sleeps. A timer is never early. A sleep of [`Duration::MAX`] never ends; one of
//! zero ends after one turn.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub};

pub use std::time::Duration;

use miniss_core::timer::{Timers, Wheel};
pub use miniss_core::{error::TimedOut, timer::MissedTick};

use crate::driver::uring::now;
use crate::runtime::current;

/// The timers of the shard that a future is polled on.
///
/// ```
/// use miniss_core::timer::{Sleep, Timers};
/// use miniss_linux::{Runtime, time::{Duration, ShardTimers}};
///
/// /// Runs under every executor.
/// async fn nap(timers: impl Timers) {
///     Sleep::new(timers, Duration::from_millis(1)).await;
/// }
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(nap(ShardTimers::default()));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ShardTimers(());

// SAFETY: passes on the answer of the current shard's `Local`, asked anew each time.
unsafe impl Timers for ShardTimers {
    #[inline]
    fn now(&self) -> miniss_core::time::Instant {
        now()
    }

    #[inline]
    fn wheel(&self) -> Option<&'static Wheel> {
        current::try_with(|shard| shard.local.wheel()).flatten()
    }
}

/// A sleep on this shard.
///
/// See [`sleep`] for an example.
pub type Sleep = miniss_core::timer::Sleep<ShardTimers>;
/// A future with a deadline.
///
/// See [`timeout`] for an example.
pub type Timeout<F> = miniss_core::timer::Timeout<F, ShardTimers>;
/// Regular ticks.
///
/// See [`interval`] for an example.
pub type Interval = miniss_core::timer::Interval<ShardTimers>;

/// A point in time on `CLOCK_MONOTONIC`. Arithmetic saturates.
///
/// ```
/// use miniss_linux::time::{Duration, Instant};
/// let start = Instant::now();
/// assert!(start + Duration::from_secs(1) > start);
/// assert!(start.elapsed() < Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(miniss_core::time::Instant);

impl Instant {
    /// The time now.
    ///
    /// See [`Instant`] for an example.
    #[inline]
    pub fn now() -> Self {
        Self(now())
    }

    /// How long ago it was; zero if it is still to come.
    ///
    /// See [`Instant`] for an example.
    pub fn elapsed(&self) -> Duration {
        now() - self.0
    }

    /// The time since `earlier`; zero if that is in fact later.
    ///
    /// ```
    /// use miniss_linux::time::Instant;
    /// let (a, b) = (Instant::now(), Instant::now());
    /// assert!(a.duration_since(b).is_zero());
    /// ```
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ends after `duration`, never before.
///
/// # Panics
///
/// When polled outside of a runtime.
///
/// # Cancellation
///
/// Dropping it disarms the timer.
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, Instant, sleep}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let start = Instant::now();
/// runtime.block_on(sleep(Duration::from_millis(2)));
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(ShardTimers(()), duration)
}

/// Ends at `deadline`, never before.
///
/// # Panics
///
/// When polled outside of a runtime.
///
/// # Cancellation
///
/// Dropping it disarms the timer.
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, Instant, sleep_until}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let deadline = Instant::now() + Duration::from_millis(2);
/// runtime.block_on(sleep_until(deadline));
/// assert!(Instant::now() >= deadline);
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(ShardTimers(()), deadline.0)
}

/// The output of `future`, or [`TimedOut`] if it takes longer than `duration`.
///
/// # Panics
///
/// When polled outside of a runtime.
///
/// # Cancellation
///
/// Dropping it drops `future`, and so does awaiting it to its end, whichever that is.
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, timeout}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let never = std::future::pending::<()>();
/// assert!(runtime.block_on(timeout(Duration::from_millis(1), never)).is_err());
/// assert_eq!(runtime.block_on(timeout(Duration::from_secs(9), async { 5 })), Ok(5));
/// ```
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout::new(ShardTimers(()), duration, future)
}

/// Ticks every `period`; the first tick is at once.
///
/// # Panics
///
/// If `period` is zero. Ticks panic when polled outside of a runtime.
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, interval}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let mut ticks = interval(Duration::from_millis(1));
///     let first = ticks.tick().await;
///     assert!(ticks.tick().await > first);
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(ShardTimers(()), period)
}
