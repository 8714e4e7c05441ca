//! Where and when something was measured, and by which command.

#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::process::realtime_priority;

/// What figures depend on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    load: String,
    date: String,
    command: String,
    #[serde(rename = "realtime_priority")]
    priority: i32,
}

impl Machine {
    /// This machine, now, the command line of this process, and how urgent it is.
    pub fn here() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            cpu: cpu_model(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease"),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().into(),
            date: date(since.as_secs()),
            command: command(&arguments),
            priority: realtime_priority(),
        }
    }

    /// How many cores a program may use here.
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Where and when, and by which command.
    pub fn lines(&self) -> [String; 2] {
        let Self { cpu, cores, kernel, load, date, command, priority } = self;
        let place = format!("{cpu}, {cores} cores, Linux {kernel}, load {load}, {date}");
        match priority {
            0 => [place, format!("`{command}`")],
            _ => [place, format!("`{command}` at real-time priority {priority}")],
        }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(": "))
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().into()
}

fn command(arguments: &[String]) -> String {
    let program = "cargo run --release -p miniss-benches --bin compare";
    match arguments {
        [] => program.into(),
        _ => format!("{program} -- {}", arguments.join(" ")),
    }
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown CPU", |model| model.trim_matches([' ', '\t', ':'])).into()
}

/// Seconds since 1970 as date and time in UTC.
fn date(seconds: u64) -> String {
    let (mut year, mut days) = (1970, seconds / 86_400);
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02} UTC", days + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_767_225_600), "2026-01-01 00:00 UTC");
    }

    #[test]
    fn the_model_is_found_or_unknown() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpuinfo), "Fast CPU @ 3 GHz");
        assert_eq!(cpu_model(""), "unknown CPU");
    }

    #[test]
    fn the_command_is_what_a_reader_types() {
        assert!(command(&[]).ends_with("--bin compare"));
        assert!(command(&["spawn".into(), "yield".into()]).ends_with("compare -- spawn yield"));
        let urgent = Machine { priority: 50, ..Machine::here() };
        assert!(urgent.to_string().ends_with("at real-time priority 50"));
    }

    #[test]
    fn this_machine_has_a_core_and_a_kernel() {
        let machine = Machine::here();
        assert!(machine.cores() > 0 && !machine.kernel.is_empty());
        assert!(machine.to_string().contains("UTC: `cargo run"));
    }
}
