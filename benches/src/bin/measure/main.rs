//! Measures rust-miniss against what the machine allows, and prints a Markdown table.
//!
//! `cargo run --release -p miniss-benches --bin measure -- --help`

mod cross;
mod echo;
mod shards;
mod tasks;
mod wakers;

use std::process::ExitCode;

use miniss_benches::rounds::{Row, TABLE_HEAD};
use miniss_benches::wakers::{real::Real, wake_and_run};

const HELP: &str = "\
measure: what rust-miniss costs, against what the machine allows

  measure [--rounds N] [ROW…]
  measure --times N TOOL…

Without a row it measures those down to echo-spin. What a row compares runs in turn, N times [15],
so that a disturbance of the machine meets everyone. The first line of a row is the limit: the
same work by hand, without a runtime; where that would be a program of its own, the first is simply
the first.

  spawn          spawn and join a trivial task, in batches of 1,000
  yield          yield, 100 tasks in turn
  sleep          create a sleep, poll it once, drop it
  sleepers       10,000 tasks that sleep 1 ms, for each task beyond the millisecond
  call-awake     a call to another core and back, both awake
  call-asleep    the same, both asleep
  call-64        the same, 64 callers at once, for each call
  echo           TCP echo on core 0, 64 bytes, 64 connections; client on core 1
  echo-cpu       the same, CPU time of the server for each request
  echo-1         the same, 1 connection, latency
  echo-spin      the same, and no one ever sleeps
  wakers         the designs of a waker
  unpark         what it costs to wake a shard
  shards         the tools for many shards, each in the setting in which a runtime comes
  profile-spawn, profile-yield, profile-wake, profile-sleep, profile-sleepers, profile-call,
  profile-echo   nothing but that, for some seconds, to be looked at with perf
  profile-asleep
                 10,000 calls between sleeping shards, to be looked at with strace -f -c

With --times it does nothing but what a line of `shards` does, N times, to be counted with valgrind.
A TOOL is the line with a word before it: `alone: run_on`, and so `64:`, `here:`, `groups:`,
`channel:`, `move:`. No one waits awake then.

Where other programs run, `chrt -f 50` before it keeps them away, and what sleeps wakes sooner.";

const ROWS: [&str; 11] = [
    "spawn",
    "yield",
    "sleep",
    "sleepers",
    "call-awake",
    "call-asleep",
    "call-64",
    "echo",
    "echo-cpu",
    "echo-1",
    "echo-spin",
];

struct Settings {
    rounds: usize,
    /// How often to do what `rows` name, if it is to be counted and not measured.
    times: Option<usize>,
    rows: Vec<String>,
}

fn settings(arguments: impl Iterator<Item = String>) -> Result<Settings, String> {
    let mut settings = Settings { rounds: 15, times: None, rows: Vec::new() };
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                std::process::exit(0);
            }
            "--rounds" => settings.rounds = number(&argument, arguments.next())?,
            "--times" => settings.times = Some(number(&argument, arguments.next())?),
            _ => settings.rows.push(argument),
        }
    }
    if settings.rows.is_empty() {
        settings.rows = ROWS.map(String::from).to_vec();
    }
    Ok(settings)
}

fn number(option: &str, value: Option<String>) -> Result<usize, String> {
    let number = value.and_then(|value| value.parse().ok()).filter(|&number| number > 0);
    number.ok_or_else(|| format!("{option} wants a number"))
}

fn main() -> ExitCode {
    let settings = match settings(std::env::args().skip(1)) {
        Ok(settings) => settings,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    if settings.times.is_none() {
        println!("{}\n\n{TABLE_HEAD}", machine());
    }
    for name in &settings.rows {
        let is_known = match settings.times {
            Some(times) => shards::count(name, times),
            None => measure(name, settings.rounds),
        };
        if !is_known {
            eprintln!("There is no row `{name}`; --help names them.");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Measures one row; `false` if there is none of that name.
fn measure(name: &str, rounds: usize) -> bool {
    if let Some(row) = row(name) {
        print!("{}", row.run(rounds));
        return true;
    }
    match name {
        "wakers" => wakers::rows().into_iter().for_each(|row| print!("{}", row.run(rounds))),
        "shards" => shards::rows().into_iter().for_each(|row| print!("{}", row.run(rounds))),
        "unpark" => {
            cross::wake_rows().into_iter().for_each(|row| print!("{}", row.run(rounds)));
        }
        "profile-spawn" => tasks::spin(|| tasks::spawn(1_000)),
        "profile-yield" => tasks::spin(|| tasks::yielding(10_000)),
        "profile-wake" => tasks::spin(|| wake_and_run::<Real>(1_000, true)),
        "profile-sleep" => tasks::spin(|| tasks::sleep(100_000)),
        "profile-sleepers" => tasks::spin(|| tasks::sleepers().1),
        "profile-call" => tasks::spin(cross::awake_to_profile),
        "profile-asleep" => cross::asleep_to_profile(),
        "profile-echo" => tasks::spin(|| echo::rate(echo::Kind::ours(), 64).cpu_us),
        _ => return false,
    }
    true
}

fn row(name: &str) -> Option<Row<'static>> {
    Some(match name {
        "spawn" => tasks::spawn_row(),
        "yield" => tasks::yield_row(),
        "sleep" => tasks::sleep_row(),
        "sleepers" => tasks::sleepers_row(),
        "call-awake" => cross::awake_row(),
        "call-asleep" => cross::asleep_row(),
        "call-64" => cross::many_row(),
        "echo" => echo::rate_row(),
        "echo-cpu" => echo::cpu_row(),
        "echo-1" => echo::one_row(),
        "echo-spin" => echo::spinning_row(),
        _ => return None,
    })
}

/// What was measured on.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown CPU", |model| model.trim_matches([' ', '\t', ':']));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!("{model}, {cpus} CPUs, Linux {}, load {}", kernel.trim(), load.trim())
}
