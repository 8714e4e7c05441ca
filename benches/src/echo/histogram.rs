//! A histogram of latencies: log-linear buckets, as fine near a microsecond as near a second.
//!
//! Below 512 ns each nanosecond has its bucket. Above, each doubling is cut into 256 equal buckets,
//! so a bucket is never wider than four thousandths of what it holds.

#![forbid(unsafe_code)]

use std::time::Duration;

const PARTS_LOG2: u32 = 8;
const PARTS: usize = 1 << PARTS_LOG2;
/// What took longer than about 18 minutes is counted in the last bucket.
const DOUBLINGS: usize = 33;
const BUCKETS: usize = DOUBLINGS * PARTS;

/// How often each latency was seen.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), count: 0, sum_ns: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    #[inline]
    pub fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum_ns / self.count.max(1))
    }

    /// The latency that the share `q`, from 0 to 1, did not exceed: exact but for the width of a
    /// bucket. Zero if there are none.
    pub fn quantile(&self, q: f64) -> Duration {
        let rank = ((self.count as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(greatest_of(bucket).min(self.max_ns));
            }
        }
        self.max()
    }
}

fn bucket_of(ns: u64) -> usize {
    // How far the highest bit lies above those that a part is chosen by.
    let doubling = (u64::BITS - ns.leading_zeros()).saturating_sub(PARTS_LOG2 + 1);
    let bucket = doubling as usize * PARTS + (ns >> doubling) as usize;
    bucket.min(BUCKETS - 1)
}

/// The greatest latency that falls into a bucket, in nanoseconds.
fn greatest_of(bucket: usize) -> u64 {
    if bucket < PARTS * 2 {
        return bucket as u64;
    }
    let doubling = bucket / PARTS - 1;
    let part = (bucket % PARTS + PARTS) as u64;
    ((part + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        let mut first = 0;
        for bucket in 0..BUCKETS - 1 {
            let last = greatest_of(bucket);
            assert_eq!((bucket_of(first), bucket_of(last)), (bucket, bucket), "{first} … {last}");
            assert!(last - first <= first / PARTS as u64, "bucket {bucket} is too wide");
            first = last + 1;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_as_exact_as_the_buckets() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|n| histogram.record(Duration::from_micros(n)));
        for (q, expected) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(q).as_secs_f64() * 1e6;
            assert!((found / expected - 1.0).abs() < 1.0 / PARTS as f64, "{q}: {found}");
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.mean(), Duration::from_nanos(500_500));
        assert_eq!(histogram.max(), Duration::from_millis(1));
    }

    #[test]
    fn an_empty_histogram_says_zero() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile(0.99), empty.mean()), (Duration::ZERO, Duration::ZERO));
    }
}
