//! What one run of a subject showed, and the line on which a child tells it to its parent.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::allocator;
use crate::limits::process_cpu;

/// One run of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// What the row measures, for one operation: nanoseconds, unless the row says otherwise.
    pub value: f64,
    /// How many operations it was measured over; for `idle` seconds.
    pub operations: f64,
    /// CPU time of all threads of the process for all of them, in nanoseconds.
    pub cpu_ns: f64,
    /// Allocations of all threads for all of them, if these are counted.
    pub allocations: f64,
    /// The most memory that was resident, in KiB; the child fills it in at its end, unless it is
    /// that of another program.
    pub rss_kib: f64,
}

impl Sample {
    /// CPU time of one operation, in nanoseconds.
    pub fn cpu_ns_each(&self) -> f64 {
        self.cpu_ns / self.operations
    }

    /// The line that [`Sample::parse`] reads.
    pub fn line(&self) -> String {
        json!(self).to_string()
    }

    /// Reads the last of the lines that a child printed; `None` if that is not a sample.
    pub fn parse(output: &str) -> Option<Self> {
        serde_json::from_str(output.lines().last()?).ok()
    }
}

/// Time, CPU time and allocations since its start.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    cpu: Duration,
    allocations: u64,
}

impl Meter {
    /// Starts now, after the warm-up.
    pub fn start() -> Self {
        let (cpu, allocations) = (process_cpu(), allocator::count());
        Self { start: Instant::now(), cpu, allocations }
    }

    /// A sample whose value is the time of one of `operations`.
    pub fn stop(&self, operations: usize) -> Sample {
        self.stop_beyond(Duration::ZERO, operations)
    }

    /// The same, beyond a `time` that had to pass anyhow.
    pub fn stop_beyond(&self, time: Duration, operations: usize) -> Sample {
        let beyond = self.start.elapsed().saturating_sub(time).as_nanos() as f64;
        let operations = operations as f64;
        Sample { value: beyond / operations, ..self.sample(operations) }
    }

    /// A sample whose value is the CPU time of one second, after `ms` of doing nothing.
    pub fn stop_idle(&self, ms: usize) -> Sample {
        let sample = self.sample(ms as f64 / 1e3);
        Sample { value: sample.cpu_ns_each(), ..sample }
    }

    /// A sample without a value.
    pub fn sample(&self, operations: f64) -> Sample {
        let allocations = (allocator::count() - self.allocations) as f64;
        let cpu_ns = (process_cpu() - self.cpu).as_nanos() as f64;
        Sample { operations, cpu_ns, allocations, ..Sample::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_whatever_stands_before_it() {
        let sample =
            Sample { value: 1.25, operations: 3e6, cpu_ns: 7.0, allocations: 2.0, rss_kib: 9.0 };
        let output = format!("a rival says hello\n{}\n", sample.line());
        assert_eq!(Sample::parse(&output), Some(sample));
    }

    #[test]
    fn what_is_not_a_sample_is_none() {
        for output in ["", "{}", "{\"value\":1}", "killed", "{\"value\":x,\"operations\":1}"] {
            assert_eq!(Sample::parse(output), None, "{output}");
        }
    }

    #[test]
    fn a_meter_divides_by_the_operations() {
        let meter = Meter::start();
        std::thread::sleep(Duration::from_millis(2));
        assert!(meter.stop(2).value >= 1e6);
        assert_eq!(meter.stop_beyond(Duration::from_secs(60), 2).value, 0.0);
        assert_eq!(meter.stop_idle(500).operations, 0.5);
    }
}
