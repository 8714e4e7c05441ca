//! Trials: a server in a process of its own on core 0, the client here on core 1; all in turn.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::load::{Load, Report};
use super::options::Comparison;
use super::servers::Server;

const SERVER_CPU: usize = 0;
const CLIENT_CPU: usize = 1;

/// A server that runs in a child process, which ends when this is dropped.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    /// Starts this program again, as a server.
    fn start(server: Server, comparison: &Comparison) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", server.name, "--cpu", &SERVER_CPU.to_string()])
            .args(["--idle-spin-us", &comparison.idle_spin.as_micros().to_string()])
            .args(["--work", &comparison.work_steps.to_string()])
            .stdout(Stdio::piped());
        // SAFETY: between fork and exec it makes one system call, which takes no pointers.
        unsafe { command.pre_exec(end_with_parent) };
        let mut child = command.spawn()?;
        let output = child.stdout.take().expect("it was asked for");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let wrong = |_| io::Error::other(format!("the server said {line:?}, not its address"));
        let address = line.trim().parse().map_err(wrong);
        // The child must end in any case.
        let mut running = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        running.address = address?;
        Ok(running)
    }

    /// CPU time that the process has used, all threads together.
    fn cpu(&self) -> Duration {
        let mut clock = 0;
        let process = self.child.id() as libc::pid_t;
        // SAFETY: a writable clock id.
        let error = unsafe { libc::clock_getcpuclockid(process, &mut clock) };
        assert_eq!(error, 0, "a child that was not waited for has a clock");
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a writable timespec.
        unsafe { libc::clock_gettime(clock, &mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// A server must not outlive the comparison that started it, however that ends.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    Ok(())
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One turn of one kind of server.
///
/// # Errors
///
/// A sentence about the server or the client.
pub fn trial(server: Server, comparison: &Comparison) -> Result<Report, String> {
    let wrong = |error: &dyn std::error::Error| format!("{}: {error}", server.name);
    let running = Running::start(server, comparison).map_err(|error| wrong(&error))?;
    let load = Load { address: running.address, cpu: Some(CLIENT_CPU), ..comparison.load };
    let watch = || load.run_watching(&mut || running.cpu());
    // A thread of its own, so that nobody else is pinned.
    let report = thread::scope(|scope| scope.spawn(watch).join());
    report.expect("the client does not panic").map_err(|error| wrong(&error))
}

/// Everybody in turn, `rounds` times; lines of a Markdown table. `told` hears of each turn.
///
/// # Errors
///
/// A sentence about the server or the client that failed.
pub fn compare(
    comparison: &Comparison,
    mut told: impl FnMut(&str, &Report),
) -> Result<String, String> {
    let mut reports = vec![Vec::new(); comparison.servers.len()];
    for _ in 0..comparison.rounds {
        for (server, reports) in comparison.servers.iter().zip(&mut reports) {
            let report = trial(*server, comparison)?;
            told(server.name, &report);
            reports.push(report);
        }
    }
    let mut lines = String::from(TABLE_HEAD);
    for (server, of_server) in comparison.servers.iter().zip(&reports) {
        lines.push_str(&line(server.name, of_server, &reports[0]));
    }
    Ok(lines)
}

const TABLE_HEAD: &str = "\
| server | CPU us/request | ratio | requests k/s | ratio | p50 us | ratio | p99 us | client CPU |
|---|---|---|---|---|---|---|---|---|
";

/// Medians over all rounds. A ratio is the median of the ratios of each round to what the first
/// kind of server did in that round, so that it does not see the machine drift.
fn line(name: &str, reports: &[Report], first: &[Report]) -> String {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let rate_k = |report: &Report| report.per_second() / 1e3;
    let p50 = |report: &Report| micros(report.latency.quantile(0.5));
    let p99 = |report: &Report| micros(report.latency.quantile(0.99));
    let busy = |report: &Report| micros(report.client_cpu) / micros(report.elapsed) * 100.0;
    let all = |measure: &dyn Fn(&Report) -> f64| median(reports.iter().map(measure));
    let ratio = |measure: &dyn Fn(&Report) -> f64| {
        median(reports.iter().zip(first).map(|(this, first)| measure(this) / measure(first)))
    };
    let cpu = &Report::server_cpu_us;
    format!(
        "| {name} | {:.3} | {:.3} | {:.1} | {:.3} | {:.1} | {:.2} | {:.1} | {:.0} % |\n",
        all(cpu),
        ratio(cpu),
        all(&rate_k),
        ratio(&rate_k),
        all(&p50),
        ratio(&p50),
        all(&p99),
        all(&busy),
    )
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::histogram::Histogram;

    #[test]
    fn ratios_are_taken_within_each_round() {
        let report = |cpu_us: u64| {
            let mut latency = Histogram::default();
            (0..1000).for_each(|_| latency.record(Duration::from_micros(50)));
            let server_cpu = Duration::from_micros(cpu_us * 1000);
            let (elapsed, client_cpu) = (Duration::from_millis(10), Duration::from_millis(5));
            Report { latency, elapsed, connects: 1, client_cpu, server_cpu }
        };
        // The machine became slower by half, and the second is always slower by a half.
        let first = [report(4), report(6), report(8)];
        let second = [report(6), report(9), report(12)];
        let line = line("x", &second, &first);
        assert_eq!(line, "| x | 9.000 | 1.500 | 100.0 | 1.000 | 50.0 | 1.00 | 50.0 | 50 % |\n");
    }
}
