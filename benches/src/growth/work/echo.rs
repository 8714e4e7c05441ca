//! TCP echo: miniss as a server and one by hand, each in a process of its own on core 0, and the
//! client here on core 1.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::large_buffers;
use crate::compare::running::Running;
use crate::echo::load::{Load, Report, Until};
use crate::echo::servers::{Settings, listen};
use crate::echo::{by_epoll, by_uring, ours};
use crate::growth::child::SERVE;
use crate::growth::curve::Values;
use crate::growth::process::{allow_open_files, set_backlog};

const OURS: &str = "miniss";
const LARGE: &str = "miniss-large-buffers";
const URING: &str = "uring";
const EPOLL: &str = "epoll";
/// A server by hand, on a listener.
type ByHand = fn(TcpListener, Duration) -> io::Result<Infallible>;
/// Connections that may wait for a server by hand to accept them.
const BACKLOG: u16 = 1_024;
const SERVER_CPU: usize = 0;
const CLIENT_CPU: usize = 1;
/// Memory is measured from so many connections on; below, it is what a server takes anyhow.
const MEMORY_CONNECTIONS_MIN: usize = 3_000;
/// Connections that a server has had before its memory counts: more than it has buffers.
const EARLIER_CONNECTIONS: usize = 600;
/// The server by hand on io_uring has a table of fixed size.
const URING_CONNECTIONS_MAX: usize = 4_096 - EARLIER_CONNECTIONS;
/// Files that are no connections.
const OTHER_FILES: u64 = 100;

/// What one server showed.
struct Shown {
    report: Report,
    /// What its memory grew by.
    grown_bytes: f64,
}

impl Shown {
    fn cpu_us(&self) -> f64 {
        self.report.server_cpu_us()
    }

    fn kilo_per_second(&self) -> f64 {
        self.report.per_second() / 1e3
    }
}

/// So many connections.
///
/// # Errors
///
/// In a sentence, if server or client fail.
pub fn connections(connections: usize) -> Result<Values, String> {
    allow_open_files(connections as u64 + OTHER_FILES)?;
    let wants_memory = connections >= MEMORY_CONNECTIONS_MIN;
    // Each connection should have had its turn a few times before it counts.
    let warm_up = Duration::from_millis(100) + Duration::from_micros(30) * connections as u32;
    let load = |load| Load { connections, warm_up, ..load };
    let show = |server| show(server, wants_memory, load).map(Some);
    let uring = if connections <= URING_CONNECTIONS_MAX { show(URING)? } else { None };
    let all = [show(OURS)?, uring, show(EPOLL)?];
    let of_all = |of: &dyn Fn(&Shown) -> f64| {
        all.iter().map(|shown| shown.as_ref().map_or(f64::NAN, of)).collect::<Vec<_>>()
    };
    let more = connections.saturating_sub(EARLIER_CONNECTIONS) as f64;
    let bytes = |shown: &Shown| if wants_memory { shown.grown_bytes / more } else { f64::NAN };
    let cpu_and_rate = [of_all(&Shown::cpu_us), of_all(&Shown::kilo_per_second)];
    Ok([cpu_and_rate.concat(), of_all(&bytes)[..1].to_vec()].concat())
}

/// So many requests under way on one connection.
///
/// # Errors
///
/// In a sentence, if server or client fail.
pub fn pipeline(depth: usize) -> Result<Values, String> {
    let all = all([OURS, URING], |load| Load { connections: 1, depth, ..load })?;
    let cpu = all.iter().map(Shown::cpu_us);
    Ok(cpu.chain(all.iter().map(Shown::kilo_per_second)).collect())
}

/// Messages of so many bytes.
///
/// # Errors
///
/// In a sentence, if server or client fail.
pub fn messages(message_bytes: usize) -> Result<Values, String> {
    let load = |load| Load { connections: 16, message_bytes, ..load };
    let all = all([OURS, LARGE, URING], load)?;
    let bytes = message_bytes as f64;
    let gigabytes = all.iter().map(|shown| shown.report.per_second() * bytes / 1e9);
    let cpu_ns = all.iter().map(|shown| shown.cpu_us() * 1e3 / bytes);
    Ok(gigabytes.chain(cpu_ns).collect())
}

/// The same load on several servers, one after the other.
fn all<const N: usize>(
    servers: [&str; N],
    load: impl Fn(Load) -> Load,
) -> Result<Vec<Shown>, String> {
    servers.into_iter().map(|server| show(server, false, &load)).collect()
}

fn show(server: &str, wants_memory: bool, load: impl Fn(Load) -> Load) -> Result<Shown, String> {
    try_to_show(server, wants_memory, load).map_err(|error| format!("{server}: {error}"))
}

fn try_to_show(
    server: &str,
    wants_memory: bool,
    load: impl Fn(Load) -> Load,
) -> Result<Shown, String> {
    let (running, address) = start(server)?;
    let until = Until::Time(Duration::from_millis(250));
    let basis = Load { cpu: Some(CLIENT_CPU), until, ..Load::new(address) };
    if wants_memory {
        run(&Load { connections: EARLIER_CONNECTIONS, ..basis }, &running)?;
    }
    let before = running.private_kib();
    let report = run(&load(basis), &running)?;
    let grown_kib = running.private_kib() as f64 - before as f64;
    Ok(Shown { report, grown_bytes: grown_kib * 1024.0 })
}

/// In a thread of its own, so that no one else is pinned.
fn run(load: &Load, server: &Running) -> Result<Report, String> {
    let watch = || load.run_watching(&mut || server.cpu());
    let report = thread::scope(|scope| scope.spawn(watch).join());
    report.expect("it does not panic").map_err(|error| error.to_string())
}

/// This program again, as a server.
fn start(server: &str) -> Result<(Running, SocketAddr), String> {
    let text = |error: io::Error| error.to_string();
    let mut command = Command::new(std::env::current_exe().map_err(text)?);
    command.args([SERVE, server]).stdout(Stdio::piped());
    let mut running = Running::start(command, &[SERVER_CPU]).map_err(text)?;
    let line = running.first_line().map_err(text)?;
    let address = line.parse().map_err(|_| format!("it said {line:?}, not its address"))?;
    Ok((running, address))
}

/// The server's side: prints its address, and serves until it is killed.
///
/// # Errors
///
/// In a sentence, if there is no such kind of server or it cannot serve.
pub fn serve(kind: &str) -> Result<(), String> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { address, idle_spin: Duration::ZERO };
    let served = match kind {
        OURS => ours::serve(&settings, &mut |address| println!("{address}")),
        LARGE => large_buffers::serve(address, |address| println!("{address}")),
        URING => serve_by_hand(by_uring::serve, &settings),
        EPOLL => serve_by_hand(by_epoll::serve, &settings),
        _ => return Err(format!("there is no server `{kind}`")),
    };
    match served {
        Ok(never) => match never {},
        Err(error) => Err(error.to_string()),
    }
}

fn serve_by_hand(serve: ByHand, settings: &Settings) -> io::Result<Infallible> {
    let listener = listen(settings, &mut |address| println!("{address}"))?;
    set_backlog(&listener, BACKLOG);
    serve(listener, settings.idle_spin)
}
