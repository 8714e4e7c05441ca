//! Sleeping, timeouts and ticks, on `CLOCK_MONOTONIC`.
//!
//! Timers live in a wheel in user space; only the earliest deadline is handed to the kernel, with
//! the call that sleeps, unless the runtime's clock [stands still](crate::Builder::start_paused). A
//! timer is never early. A sleep of [`Duration::MAX`], or until
//! [`Instant::MAX`], never ends; one of zero ends after one turn.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::OnceLock;

pub use std::time::Duration;

use miniss_core::combine::yield_now;
use miniss_core::timer::{Timers, Wheel};
pub use miniss_core::{error::TimedOut, timer::MissedTick};

use crate::driver::{any_stands, now as system_now};
use crate::runtime::{try_with_current, with_current};

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

// SAFETY: it returns what the current shard's `LocalHandle` answers, and asks each time.
unsafe impl Timers for ShardTimers {
    type Instant = Instant;
    type Queue = Wheel;

    #[inline]
    fn now(&self) -> miniss_core::time::Instant {
        now()
    }

    #[inline]
    fn queue(&self) -> Option<&'static Wheel> {
        try_with_current(|shard| shard.local.queue()).flatten()
    }
}

/// A sleep on this shard.
pub type Sleep = miniss_core::timer::Sleep<ShardTimers>;
/// A future with a deadline.
pub type Timeout<F> = miniss_core::timer::Timeout<F, ShardTimers>;
/// Regular ticks.
pub type Interval = miniss_core::timer::Interval<ShardTimers>;

/// A point in time on `CLOCK_MONOTONIC`, in nanoseconds. Arithmetic saturates, at the origin of the
/// clock and at [`MAX`](Self::MAX); the methods whose names begin with `checked` return `None`
/// there.
///
/// [`std::time::Instant`] is of the same clock, and converts both ways. The two are compared once
/// in a program, which is exact to some ten nanoseconds; from then on a point that is converted
/// there and back is the same.
///
/// ```
/// use miniss_linux::time::{Duration, Instant};
/// let start = Instant::now();
/// assert!(start + Duration::from_secs(1) > start);
/// assert!(start.elapsed() < Duration::from_secs(60));
///
/// let theirs = std::time::Instant::from(start);
/// assert_eq!(Instant::from(theirs + Duration::from_secs(1)), start + Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(miniss_core::time::Instant);

impl Instant {
    /// A deadline that never comes.
    ///
    /// ```
    /// use miniss_linux::time::{Duration, Instant};
    /// assert_eq!(Instant::now() + Duration::MAX, Instant::MAX);
    /// ```
    pub const MAX: Self = Self(miniss_core::time::Instant::MAX);

    /// The time now; on a shard whose clock [stands still](crate::Builder::start_paused), where it
    /// stands.
    #[inline]
    pub fn now() -> Self {
        Self(now())
    }

    /// How long ago it was; zero if it is still to come.
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

    /// The time since `earlier`; `None` if that is in fact later.
    ///
    /// ```
    /// use miniss_linux::time::{Duration, Instant};
    /// let start = Instant::now();
    /// let end = start + Duration::from_secs(2);
    /// assert_eq!(end.checked_duration_since(start), Some(Duration::from_secs(2)));
    /// assert_eq!(start.checked_duration_since(end), None);
    /// ```
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// So much later; `None` where that lies beyond the clock's range (584 years).
    ///
    /// ```
    /// use miniss_linux::time::{Duration, Instant};
    /// assert!(Instant::now().checked_add(Duration::from_secs(2)).is_some());
    /// assert!(Instant::now().checked_add(Duration::MAX).is_none());
    /// ```
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// So much earlier; `None` where that lies before the clock's origin.
    ///
    /// ```
    /// use miniss_linux::time::{Duration, Instant};
    /// assert!(Instant::now().checked_sub(Duration::from_nanos(2)).is_some());
    /// assert!(Instant::now().checked_sub(Duration::MAX).is_none());
    /// ```
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
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

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.0 - earlier.0
    }
}

impl From<miniss_core::time::Instant> for Instant {
    fn from(point: miniss_core::time::Instant) -> Self {
        Self(point)
    }
}

impl From<Instant> for miniss_core::time::Instant {
    fn from(point: Instant) -> Self {
        point.0
    }
}

/// A point outside of this clock's range becomes its origin or [`Instant::MAX`].
impl From<std::time::Instant> for Instant {
    fn from(point: std::time::Instant) -> Self {
        let (ours, theirs) = same_point();
        ours + point.saturating_duration_since(theirs) - theirs.saturating_duration_since(point)
    }
}

/// [`Instant::MAX`] becomes a point 584 years after the clock's origin.
impl From<Instant> for std::time::Instant {
    fn from(point: Instant) -> Self {
        let (ours, theirs) = same_point();
        theirs + point.duration_since(ours) - ours.duration_since(point)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time of the shard that this thread is in, or of the system.
#[inline]
fn now() -> miniss_core::time::Instant {
    if any_stands() { shard_now() } else { system_now() }
}

#[cold]
fn shard_now() -> miniss_core::time::Instant {
    try_with_current(|shard| shard.local.now()).unwrap_or_else(system_now)
}

/// One point as both types have it: the middle of the two looks that were closest to a third one.
fn same_point() -> (Instant, std::time::Instant) {
    static SAME: OnceLock<(Instant, std::time::Instant)> = OnceLock::new();
    let look = |_| {
        let now = || Instant(system_now());
        let (before, theirs, after) = (now(), std::time::Instant::now(), now());
        (after - before, before + (after - before) / 2, theirs)
    };
    *SAME.get_or_init(|| {
        let closest = (0..16).map(look).min_by_key(|(apart, ..)| *apart);
        let (_, ours, theirs) = closest.expect("there are sixteen");
        (ours, theirs)
    })
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
    Sleep::until(ShardTimers(()), deadline)
}

/// Sets a clock that [stands still](crate::Builder::start_paused) forward. Tasks that wait for a
/// time until then are polled before this ends, if ready tasks are polled in order: all of them at
/// the new time, as if they were late.
///
/// # Panics
///
/// When polled outside of a runtime, or in one whose clock goes.
///
/// # Cancellation
///
/// Safe: at its first poll the clock is set, and then there is nothing to lose.
///
/// ```
/// use miniss_linux::time::{Duration, advance, sleep};
/// use miniss_linux::{Runtime, spawn};
///
/// let runtime = Runtime::builder().shards(1).start_paused(true).build().unwrap();
/// # runtime.block_on(async {
/// let nap = spawn(sleep(Duration::from_secs(10)));
/// miniss_linux::yield_now().await; // it begins to wait
/// advance(Duration::from_secs(9)).await;
/// assert!(!nap.is_finished());
/// advance(Duration::from_secs(1)).await;
/// assert!(nap.is_finished());
/// # });
/// ```
pub async fn advance(by: Duration) {
    with_current(|shard| {
        let clock = &shard.local.cell().unparker().clock;
        let stands_at = clock.stands_at();
        let now = stands_at.expect("this clock goes by itself: build with `start_paused(true)`");
        clock.set_forward(now.saturating_add(by));
    });
    yield_now().await;
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
///
/// [`TimedOut`] becomes no [`io::Error`](std::io::Error) by itself. Where one is returned:
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, _peer| {
/// use std::io;
/// use miniss_linux::net::{PoolBuf, TcpStream};
/// use miniss_linux::time::{Duration, timeout};
///
/// async fn greeting(stream: &TcpStream, limit: Duration) -> io::Result<PoolBuf> {
///     timeout(limit, stream.recv()).await.map_err(|_| io::ErrorKind::TimedOut)?
/// }
/// let error = greeting(&stream, Duration::from_millis(1)).await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// # Ok(()) });
/// ```
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout::new(ShardTimers(()), duration, future)
}

/// The output of `future`, or [`TimedOut`] if it is not there at `deadline`.
///
/// # Panics
///
/// When polled outside of a runtime.
///
/// # Cancellation
///
/// As for [`timeout`].
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, Instant, timeout_at}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let deadline = Instant::now() + Duration::from_millis(1);
/// let never = std::future::pending::<()>();
/// assert!(runtime.block_on(timeout_at(deadline, never)).is_err());
/// assert_eq!(runtime.block_on(timeout_at(Instant::MAX, async { 5 })), Ok(5));
/// ```
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout::until(ShardTimers(()), deadline, future)
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

/// Ticks at `start`, and from there every `period`.
///
/// # Panics
///
/// As for [`interval`].
///
/// ```
/// use miniss_linux::{Runtime, time::{Duration, Instant, interval_at}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let start = Instant::now() + Duration::from_millis(2);
///     let mut ticks = interval_at(start, Duration::from_millis(1));
///     assert_eq!(ticks.tick().await, start);
///     assert_eq!(ticks.tick().await, start + Duration::from_millis(1));
/// });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::starting_at(ShardTimers(()), start, period)
}
