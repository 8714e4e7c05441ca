//! One hot shard of two: 64 connections, 58 of them on one shard, 50 us of work for each request.
//!
//! Each connection makes equally many requests, one at a time. So the cold shard has soon nothing
//! more to do, unless someone shares the work with it. The client runs on the second core, and is
//! more urgent than the server.

#![forbid(unsafe_code)]

use std::env::current_exe;
use std::process::Command;
use std::time::Duration;

use crate::compare::process::realtime_priority;
use crate::compare::rows::Job;
use crate::compare::sample::Sample;
use crate::echo::load::{Load, Report, Until};
use crate::echo::servers::Server;
use crate::echo::trial::{Task, load, start_on};

/// Steps of work for each request: about 50 us.
const WORK_STEPS: u32 = 200_000;

/// A sample whose value is what `value` finds in the report. Each connection makes `job.size`
/// requests.
///
/// # Errors
///
/// A sentence about the server or the client.
pub fn run(server: Server, job: &Job, value: fn(&Report) -> f64) -> Result<Sample, String> {
    let until = Until::Each(job.size as u64);
    let task = Task {
        load: Load { until, ..Load::new(([127, 0, 0, 1], 0).into()) },
        idle_spin: Duration::ZERO,
        work_steps: WORK_STEPS,
    };
    let command = less_urgent().map_err(|error| error.to_string())?;
    let (running, address) = start_on(&[0, 1], command, server, &task)?;
    let report = load(server, &task, &running, address)?;
    Ok(Sample {
        value: value(&report),
        operations: report.latency.len() as f64,
        cpu_ns: report.server_cpu.as_nanos() as f64,
        rss_kib: running.peak_rss_kib() as f64,
        ..Sample::default()
    })
}

/// This program again; if it has real-time priority, one less.
fn less_urgent() -> std::io::Result<Command> {
    let program = current_exe()?;
    Ok(match realtime_priority() {
        0 | 1 => Command::new(program),
        priority => {
            let mut command = Command::new("chrt");
            command.args(["-f", &(priority - 1).to_string()]).arg(program);
            command
        }
    })
}
