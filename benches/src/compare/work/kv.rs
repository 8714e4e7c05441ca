//! A server of the Redis protocol under redis-benchmark: the example `kv`, and redis-server.
//!
//! 50 connections; keys are random ones of 100,000, as Redis' documentation of its benchmark shows,
//! and values have 3 bytes, as it comes. The keys are set before anything is measured.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::HINT;
use crate::compare::process::place;
use crate::compare::rows::Job;
use crate::compare::running::Running;
use crate::compare::sample::Sample;

const KEYS: &str = "100000";
const CONNECTIONS: &str = "50";
/// How long a server may take to listen.
const START: Duration = Duration::from_secs(5);

/// What a row asks of the servers.
#[derive(Debug, Clone, Copy)]
pub struct Requests {
    /// redis-benchmark's name of the request: `get` or `set`.
    pub request: &'static str,
    /// Requests under way on each connection.
    pub in_flight: usize,
    /// One core for the server and one for the client, or both for both.
    pub shares_two_cores: bool,
}

impl Requests {
    /// The example `kv` over one of its drivers.
    ///
    /// # Errors
    ///
    /// A sentence about the server or the client.
    pub fn to_kv(self, driver: &str, job: &Job) -> Result<Sample, String> {
        let path = kv_path().map_err(|error| error.to_string())?;
        let mut command = Command::new(&path);
        let shards = self.server_cpus().len().to_string();
        command.args(["--addr", "127.0.0.1:0", "--shards", &shards, "--driver", driver]);
        command.stdout(Stdio::piped());
        let running = Running::start(command, self.server_cpus());
        let mut running = running.map_err(|error| format!("{}: {error}", path.display()))?;
        let line = running.first_line().map_err(|error| error.to_string())?;
        let port = port_of(&line).ok_or_else(|| format!("kv said {line:?}, not its address"))?;
        self.measure(running, port, job)
    }

    /// redis-server, with a single thread, as it comes.
    ///
    /// # Errors
    ///
    /// A sentence about the server or the client.
    pub fn to_redis(self, job: &Job) -> Result<Sample, String> {
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let words = format!("--bind 127.0.0.1 --port {port} --appendonly no --daemonize no --save");
        let mut command = redis_server().ok_or(format!("redis-server {HINT}"))?;
        command.args(words.split(' ')).arg("").stdout(Stdio::null());
        let running = Running::start(command, self.server_cpus());
        let mut running = running.map_err(|error| format!("redis-server: {error}"))?;
        wait_until_it_listens(&mut running, port)?;
        self.measure(running, port, job)
    }

    fn server_cpus(self) -> &'static [usize] {
        if self.shares_two_cores { &[0, 1] } else { &[0] }
    }

    fn measure(self, mut running: Running, port: u16, job: &Job) -> Result<Sample, String> {
        self.benchmark(port, "set", 16, 500_000)?;
        running.trace(job.strace.as_deref()).map_err(|error| format!("strace: {error}"))?;
        let cpu = running.cpu();
        let per_second = self.benchmark(port, self.request, self.in_flight, job.size)?;
        Ok(Sample {
            value: per_second,
            operations: job.size as f64,
            cpu_ns: (running.cpu() - cpu).as_nanos() as f64,
            rss_kib: running.peak_rss_kib() as f64,
            ..Sample::default()
        })
    }

    /// Requests per second, as redis-benchmark says.
    fn benchmark(
        self,
        port: u16,
        request: &str,
        in_flight: usize,
        count: usize,
    ) -> Result<f64, String> {
        let cpus: &[usize] = if self.shares_two_cores { &[0, 1] } else { &[1] };
        let mut command = Command::new("redis-benchmark");
        command.args(["--csv", "-c", CONNECTIONS, "-r", KEYS, "-p", &port.to_string()]);
        command.args(["-t", request, "-n", &count.to_string(), "-P", &in_flight.to_string()]);
        place(&mut command, cpus);
        let output = command.output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("redis-benchmark {HINT}"),
            _ => format!("redis-benchmark: {error}"),
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        per_second(&text).ok_or_else(|| format!("redis-benchmark said {:?}", text + said))
    }
}

/// Builds the example `kv`, as a user would, beside this program.
///
/// # Errors
///
/// What cargo says.
pub fn build_kv() -> Result<(), String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = kv_path().map_err(|error| error.to_string())?;
    let target = target.ancestors().nth(3).ok_or("this program lies in no target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet", "-p", "examples", "--example", "kv"]);
    command.arg("--target-dir").arg(target).current_dir(package);
    let output = command.output().map_err(|error| format!("cargo cannot build kv: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| line.starts_with("error")).unwrap_or("without a word");
    Err(format!("cargo cannot build kv: {first}"))
}

/// Where cargo puts it.
fn kv_path() -> io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let release = this.parent().and_then(Path::parent).unwrap_or(Path::new("/")).join("release");
    Ok(release.join("examples").join("kv"))
}

/// Debian's redis-tools have the server, too, under the name of one of its other uses: so there is
/// no need to install a service.
fn redis_server() -> Option<Command> {
    let names = ["redis-server", "redis-check-rdb"];
    let path = names.into_iter().find_map(in_path)?;
    let mut command = Command::new(path);
    command.arg0("redis-server");
    Some(command)
}

fn in_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A port that was free just now.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

pub(super) fn wait_until_it_listens(running: &mut Running, port: u16) -> Result<(), String> {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if !running.is_alive() || start.elapsed() > START {
            return Err("the server does not start".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The port in `kv: listening on 127.0.0.1:7379, 1 shard`.
fn port_of(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("listening on ")?;
    address.split(',').next()?.rsplit(':').next()?.parse().ok()
}

/// The second column of the line after the head.
fn per_second(csv: &str) -> Option<f64> {
    let line = csv.lines().find(|line| line.starts_with("\"SET\"") || line.starts_with("\"GET\""));
    line?.split(',').nth(1)?.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_what_kv_says() {
        assert_eq!(port_of("kv: listening on 127.0.0.1:7379, 1 shard"), Some(7379));
        assert_eq!(port_of("kv: cannot listen on x"), None);
    }

    #[test]
    fn the_rate_is_read_from_what_redis_benchmark_says() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"GET\",\"81234.56\",\"0.3\"\n";
        assert_eq!(per_second(csv), Some(81_234.56));
        assert_eq!(per_second("WARNING: Could not fetch server CONFIG\n"), None);
    }

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().expect("there is one");
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn kv_lies_in_the_release_folder() {
        let path = kv_path().expect("this program has a path");
        assert!(path.ends_with("release/examples/kv"), "{}", path.display());
    }
}
