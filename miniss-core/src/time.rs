//! A point in time, and arithmetic on it that cannot wrap by accident.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

const NANOS_IN_SECOND: u64 = 1_000_000_000;

/// A point on a monotonic clock, in nanoseconds since an origin that the port chooses.
///
/// Arithmetic saturates: [`Instant::MAX`] stands for *never*, and a subtraction that would go
/// below the origin stops there. The methods whose names begin with `checked` say so instead.
///
/// ```
/// use core::time::Duration;
/// use miniss_core::time::Instant;
///
/// let start = Instant::from_nanos(5);
/// assert_eq!((start + Duration::from_nanos(2)).as_nanos(), 7);
/// assert_eq!((start - Duration::from_nanos(2)).as_nanos(), 3);
/// assert_eq!(start + Duration::MAX, Instant::MAX);
/// assert_eq!(start - Duration::MAX, Instant::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    ///
    /// ```
    /// assert_eq!(miniss_core::time::Instant::ZERO.as_nanos(), 0);
    /// ```
    pub const ZERO: Self = Self(0);
    /// A deadline that never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The point at which a counter has made `ticks` ticks since the origin, `hz` of them in a
    /// second. Nothing adds up: each is right to the nanosecond, rounded down. Beyond the range
    /// (584 years) it is [`Instant::MAX`].
    ///
    /// # Panics
    ///
    /// If `hz` is 0.
    ///
    /// ```
    /// use miniss_core::time::Instant;
    /// assert_eq!(Instant::from_ticks(1, 32_768).as_nanos(), 30_517);
    /// assert_eq!(Instant::from_ticks(32_768 * 3_600, 32_768).as_nanos(), 3_600_000_000_000);
    /// ```
    pub const fn from_ticks(ticks: u64, hz: u32) -> Self {
        let hz = hz as u64;
        let (seconds, rest) = (ticks / hz, ticks % hz);
        match seconds.checked_mul(NANOS_IN_SECOND) {
            // The rest is less than 2^32, and its product less than 2^62.
            Some(nanos) => Self(nanos.saturating_add(rest * NANOS_IN_SECOND / hz)),
            None => Self::MAX,
        }
    }

    /// How many ticks such a counter has made at this point, or right after it: where a port sets
    /// its comparator, so that a timer is never early. At most `u64::MAX`.
    ///
    /// ```
    /// use miniss_core::time::Instant;
    /// assert_eq!(Instant::from_nanos(30_517).to_ticks(32_768), 1);
    /// assert_eq!(Instant::from_nanos(30_518).to_ticks(32_768), 2);
    /// ```
    pub const fn to_ticks(self, hz: u32) -> u64 {
        let hz = hz as u64;
        let (seconds, rest) = (self.0 / NANOS_IN_SECOND, self.0 % NANOS_IN_SECOND);
        let rest = (rest * hz).div_ceil(NANOS_IN_SECOND);
        seconds.saturating_mul(hz).saturating_add(rest)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in fact later.
    ///
    /// ```
    /// use miniss_core::time::Instant;
    /// let (a, b) = (Instant::from_nanos(3), Instant::from_nanos(10));
    /// assert_eq!(b.saturating_duration_since(a).as_nanos(), 7);
    /// assert_eq!(a.saturating_duration_since(b).as_nanos(), 0);
    /// ```
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self`; `None` if `earlier` is in fact later.
    ///
    /// ```
    /// use miniss_core::time::Instant;
    /// let (a, b) = (Instant::from_nanos(3), Instant::from_nanos(10));
    /// assert_eq!(b.checked_duration_since(a), Some(b - a));
    /// assert_eq!(a.checked_duration_since(b), None);
    /// ```
    pub const fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// `self + duration`; `None` where that lies beyond the clock's range.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Instant::ZERO.checked_add(second), Some(Instant::ZERO + second));
    /// assert_eq!(Instant::ZERO.checked_add(Duration::MAX), None);
    /// ```
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// `self - duration`; `None` where that lies before the origin.
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// let second = Duration::from_secs(1);
    /// assert_eq!((Instant::ZERO + second).checked_sub(second), Some(Instant::ZERO));
    /// assert_eq!(Instant::ZERO.checked_sub(second), None);
    /// ```
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// `self + duration`, or [`Instant::MAX`] where that lies beyond the clock's range
    /// (584 years).
    ///
    /// ```
    /// use core::time::Duration;
    /// use miniss_core::time::Instant;
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Instant::ZERO.saturating_add(second).as_nanos(), 1_000_000_000);
    /// assert_eq!(Instant::MAX.saturating_add(second), Instant::MAX);
    /// ```
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        if nanos > u64::MAX as u128 { Self::MAX } else { Self(self.0.saturating_add(nanos as u64)) }
    }
}

impl Instant {
    /// The nanoseconds since `earlier`, or zero: cheaper than by way of a [`Duration`], which on
    /// small machines takes a function for the division.
    #[inline]
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self::ZERO)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", Duration::from_nanos(self.0))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn an_instant_moves_by_a_duration_and_stops_at_the_ends_of_the_clock() {
        let second = Duration::from_secs(1);
        let mut now = Instant::ZERO;
        now += 3 * second;
        now -= second;
        assert_eq!(now, Instant::from_nanos(2_000_000_000));
        now -= 3 * second;
        assert_eq!(now, Instant::ZERO);
        for seconds in [1 << 35, 1 << 40, u64::MAX] {
            assert_eq!(Instant::ZERO + Duration::from_secs(seconds), Instant::MAX);
        }
    }
}
