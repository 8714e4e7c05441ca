//! Trials: a server in a process of its own on core 0, the client here on core 1; all in turn.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::load::{Load, Report};
use super::servers::Server;
use crate::compare::running::Running;

/// Where the server runs.
const SERVER_CPUS: [usize; 1] = [0];
/// Where the client runs.
const CLIENT_CPU: usize = 1;

/// What a server is to do, and what is to be done to it.
#[derive(Debug, Clone)]
pub struct Task {
    /// What the client does; the address is filled in for each server.
    pub load: Load,
    /// How long the server looks for work before it sleeps, if it can.
    pub idle_spin: Duration,
    /// Steps of work for each message.
    pub work_steps: u32,
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What everyone does in a turn.
    pub task: Task,
    /// How often everyone has a turn.
    pub rounds: usize,
    /// Who; the first is what the others are compared with.
    pub servers: Vec<Server>,
}

/// Starts this program again, as a server; says where it listens, too.
///
/// # Errors
///
/// A sentence about the server.
pub fn start(server: Server, task: &Task) -> Result<(Running, SocketAddr), String> {
    let wrong = |error: io::Error| format!("{}: {error}", server.name);
    let command = Command::new(std::env::current_exe().map_err(wrong)?);
    start_on(&SERVER_CPUS, command, server, task)
}

/// The same on these CPUs, by a command that lacks only the arguments.
///
/// # Errors
///
/// A sentence about the server.
pub fn start_on(
    cpus: &'static [usize],
    mut command: Command,
    server: Server,
    task: &Task,
) -> Result<(Running, SocketAddr), String> {
    let wrong = |error: io::Error| format!("{}: {error}", server.name);
    command
        .args(["serve", server.name])
        .args(["--idle-spin-us", &task.idle_spin.as_micros().to_string()])
        .args(["--work", &task.work_steps.to_string()])
        .stdout(Stdio::piped());
    if let [cpu] = cpus {
        command.args(["--cpu", &cpu.to_string()]);
    }
    let mut running = Running::start(command, cpus).map_err(wrong)?;
    let line = running.first_line().map_err(wrong)?;
    let address = line.parse();
    let wrong = |_| format!("{} said {line:?}, not its address", server.name);
    Ok((running, address.map_err(wrong)?))
}

/// One turn of one kind of server, and the server as it is then.
///
/// # Errors
///
/// A sentence about the server or the client.
pub fn trial(
    server: Server,
    task: &Task,
    strace: Option<&Path>,
) -> Result<(Report, Running), String> {
    let (mut running, address) = start(server, task)?;
    running.trace(strace).map_err(|error| format!("strace of {}: {error}", server.name))?;
    let report = load(server, task, &running, address)?;
    Ok((report, running))
}

/// What the client has seen of a server that runs.
///
/// # Errors
///
/// A sentence about the client.
pub fn load(
    server: Server,
    task: &Task,
    running: &Running,
    address: SocketAddr,
) -> Result<Report, String> {
    let load = Load { address, cpu: Some(CLIENT_CPU), ..task.load };
    let watch = || load.run_watching(&mut || running.cpu());
    // A thread of its own, so that no one else is pinned.
    let report = thread::scope(|scope| scope.spawn(watch).join());
    let report = report.expect("the client does not panic");
    report.map_err(|error| format!("{}: {error}", server.name))
}

/// Everyone in turn, `rounds` times; lines of a Markdown table. `told` hears of each turn.
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
            let (report, _) = trial(*server, &comparison.task, None)?;
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
    let p50 = |report: &Report| report.latency_us(0.5);
    let p99 = |report: &Report| report.latency_us(0.99);
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
    use crate::echo::load::latencies;

    #[test]
    fn ratios_are_taken_within_each_round() {
        let report = |cpu_us: u64| {
            let mut latency = latencies();
            (0..1000).for_each(|_| latency.record(50_000).expect("it is in range"));
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
