//! TCP echo: a server of any kind on core 0, the client of [`load`](crate::echo::load) on core 1.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::compare::rows::Job;
use crate::compare::sample::Sample;
use crate::echo::load::{Load, Report, Until};
use crate::echo::servers::Server;
use crate::echo::trial::{Task, trial};

/// What a row asks of the servers.
#[derive(Debug, Clone, Copy)]
pub struct Echo {
    /// Connections, each with one request of 64 bytes under way.
    pub connections: usize,
    /// Steps of work that everyone adds to each request.
    pub work_steps: u32,
    /// How long a server that can looks for work before it sleeps.
    pub idle_spin: Duration,
}

impl Echo {
    /// A server that only echoes, and sleeps when there is nothing to echo.
    pub const fn of(connections: usize) -> Self {
        Self { connections, work_steps: 0, idle_spin: Duration::ZERO }
    }

    /// A sample whose value is requests per second.
    ///
    /// # Errors
    ///
    /// A sentence about the server or the client.
    pub fn rate(self, server: Server, job: &Job) -> Result<Sample, String> {
        self.run(server, job, Report::per_second)
    }

    /// A sample whose value is the median latency in nanoseconds.
    ///
    /// # Errors
    ///
    /// A sentence about the server or the client.
    pub fn latency(self, server: Server, job: &Job) -> Result<Sample, String> {
        self.run(server, job, |report| report.latency_us(0.5) * 1e3)
    }

    fn run(
        self,
        server: Server,
        job: &Job,
        value: impl FnOnce(&Report) -> f64,
    ) -> Result<Sample, String> {
        let (report, running) = trial(server, &self.task(server, job), job.strace.as_deref())?;
        Ok(Sample {
            value: value(&report),
            operations: report.latency.len() as f64,
            cpu_ns: report.server_cpu.as_nanos() as f64,
            rss_kib: running.peak_rss_kib() as f64,
            ..Sample::default()
        })
    }

    fn task(self, server: Server, job: &Job) -> Task {
        let load = Load {
            connections: self.connections,
            until: Until::Requests(job.size as u64),
            // Of time strace says nothing, and the warm-up would count as calls.
            warm_up: if job.strace.is_none() { WARM_UP } else { Duration::ZERO },
            ..Load::new(([127, 0, 0, 1], 0).into())
        };
        let idle_spin = if server.can_spin { self.idle_spin } else { Duration::ZERO };
        Task { load, idle_spin, work_steps: self.work_steps }
    }
}

const WARM_UP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::servers::named;

    #[test]
    fn only_those_spin_who_can() {
        let echo = Echo { idle_spin: Duration::from_millis(1), ..Echo::of(3) };
        let job = Job { size: 7, strace: None };
        let task = |name| echo.task(named(name).expect("it is there"), &job);
        assert_eq!(task("miniss").idle_spin, Duration::from_millis(1));
        assert_eq!(task("tokio").idle_spin, Duration::ZERO);
        assert_eq!((task("tokio").load.connections, task("tokio").load.until), {
            (3, Until::Requests(7))
        });
    }

    #[test]
    fn what_strace_counts_is_not_warmed_up() {
        let job = Job { size: 1, strace: Some("/dev/null".into()) };
        let task = Echo::of(1).task(named("epoll").expect("it is there"), &job);
        assert_eq!(task.load.warm_up, Duration::ZERO);
    }
}
