//! A server of HTTP/1 on core 0, under `wrk` with 64 connections on core 1.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use super::HINT;
use super::kv::{free_port, wait_until_it_listens};
use crate::compare::process::place;
use crate::compare::running::Running;
use crate::compare::sample::Sample;
use crate::http::{HELLO, object};

/// The hidden subcommand of a server: `serve-http RUNTIME ANSWER`.
pub const SERVE: &str = "serve-http";

/// What wrk saw in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Requests.
    pub requests: f64,
    /// The same for a second.
    pub per_second: f64,
    /// The 99th percentile of latency, in nanoseconds.
    pub p99_ns: f64,
    /// CPU time of the server for all of them, in nanoseconds.
    pub cpu_ns: f64,
}

/// This program again, as a server on this runtime. `value` is the sample's.
///
/// # Errors
///
/// A sentence about the server or the client.
pub fn by_hyper(
    runtime: &str,
    answer: &str,
    value: impl FnOnce(&Seen) -> f64,
) -> Result<Sample, String> {
    let wrong = |error: io::Error| format!("{runtime}: {error}");
    let mut command = Command::new(std::env::current_exe().map_err(wrong)?);
    command.args([SERVE, runtime, answer]).stdout(Stdio::piped());
    let mut running = Running::start(command, &[0]).map_err(wrong)?;
    let line = running.first_line().map_err(wrong)?;
    let address = line.parse().map_err(|_| format!("{runtime} said {line:?}, not its address"))?;
    measure(&running, address, value)
}

/// nginx with one worker, which sends the same bytes as a constant.
///
/// # Errors
///
/// A sentence about the server or the client.
pub fn by_nginx(answer: &str, value: impl FnOnce(&Seen) -> f64) -> Result<Sample, String> {
    let wrong = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => "nginx is missing, and stays left out".into(),
        _ => format!("nginx: {error}"),
    };
    let port = free_port().map_err(wrong)?;
    let folder = Folder::new(&nginx_settings(port, answer)).map_err(wrong)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&folder.0).args(["-c", "nginx.conf", "-e", "stderr"]);
    let mut running = Running::start(command, &[0]).map_err(wrong)?;
    wait_until_it_listens(&mut running, port)?;
    measure(&running, ([127, 0, 0, 1], port).into(), value)
}

fn nginx_settings(port: u16, answer: &str) -> String {
    let (kind, body) = match answer {
        "hello" => ("text/plain", HELLO.replace('\n', "\\n")),
        _ => ("application/json", object().to_string()),
    };
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|name| format!("{name}_temp_path .;\n")).concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n{paths}\
         access_log off;\nkeepalive_requests 1000000000;\ntcp_nodelay on;\n\
         server {{ listen 127.0.0.1:{port}; \
         location / {{ default_type {kind}; return 200 '{body}'; }} }}\n}}\n"
    )
}

/// A folder with the settings of nginx, until this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(settings: &str) -> io::Result<Self> {
        let this = Self(std::env::temp_dir().join(format!("compare-nginx-{}", process::id())));
        fs::create_dir_all(&this.0)?;
        fs::write(this.0.join("nginx.conf"), settings)?;
        Ok(this)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        _ = fs::remove_dir_all(&self.0);
    }
}

fn measure(
    running: &Running,
    address: SocketAddr,
    value: impl FnOnce(&Seen) -> f64,
) -> Result<Sample, String> {
    let cpu = running.cpu();
    let seen = wrk(address)?;
    let seen = Seen { cpu_ns: (running.cpu() - cpu).as_nanos() as f64, ..seen };
    Ok(Sample {
        value: value(&seen),
        operations: seen.requests,
        cpu_ns: seen.cpu_ns,
        rss_kib: running.peak_rss_kib() as f64,
        ..Sample::default()
    })
}

/// 64 connections, for a second.
fn wrk(address: SocketAddr) -> Result<Seen, String> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c64", "-d1s", "--latency", &format!("http://{address}/")]);
    place(&mut command, &[1]);
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("wrk {HINT}"),
        _ => format!("wrk: {error}"),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let wrong = |what| format!("wrk saw {what}: {:?}", format!("{text}{said}"));
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(wrong("errors"));
    }
    parse(&text).ok_or_else(|| wrong("nothing"))
}

fn parse(text: &str) -> Option<Seen> {
    let after = |name: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(name)).map(str::trim)
    };
    let requests = text.lines().find_map(|line| line.split_once(" requests in "))?;
    Some(Seen {
        requests: requests.0.trim().parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p99_ns: nanoseconds(after("99%")?)?,
        cpu_ns: 0.0,
    })
}

/// A time as wrk writes it: `1.23ms`.
fn nanoseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (number, scale) = units
        .into_iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, scale)))?;
    number.parse::<f64>().ok().map(|number| number * scale)
}

/// Whether wrk is here.
///
/// # Errors
///
/// A sentence that says how to get it.
pub fn has_wrk() -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).any(|folder| Path::new(&folder).join("wrk").exists()) {
        true => Ok(()),
        false => Err(format!("wrk {HINT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let text = "\
            Running 1s test @ http://127.0.0.1:7301/\n  1 threads and 64 connections\n\
            \u{20} Latency Distribution\n     50%  411.00us\n     99%    1.25ms\n\
            \u{20} 143567 requests in 1.00s, 17.94MB read\nRequests/sec: 143240.41\n";
        let seen =
            Seen { requests: 143_567.0, per_second: 143_240.41, p99_ns: 1.25e6, cpu_ns: 0.0 };
        assert_eq!(parse(text), Some(seen));
        assert_eq!(["7us", "1s", "1"].map(nanoseconds), [Some(7e3), Some(1e9), None]);
        assert_eq!(parse("unable to connect"), None);
    }
}
