//! System calls of an operation, counted by strace.
//!
//! Two runs of different sizes under `strace -f -c`: what they differ by is what the operations
//! cost, for starting and ending are alike. Time means nothing there, so these runs stand apart.
//!
//! Of a subject that is a server only that is traced, and not its client.
//!
//! strace slows both cores, so of calls between them it sees fewer system calls than there are:
//! who would be asleep without it is still on its way there.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::child;
use super::rows::{Row, Subject};
use super::sample::Sample;

/// Why nothing is counted on this machine; `None` if it is.
pub fn missing() -> Option<String> {
    let silent = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    match silent(Command::new("strace").args(["-f", "-c", "-o", "/dev/null", "true"])) {
        Ok(status) if status.success() => None,
        Ok(_) => Some("not counted: strace may not trace here".into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some("not counted: strace is missing; the option --install installs it".into())
        }
        Err(error) => Some(format!("not counted: strace: {error}")),
    }
}

/// System calls of one operation of `subject`, between runs of two sizes.
///
/// # Errors
///
/// In a sentence, if a run fails.
pub fn of_an_operation(row: &Row, subject: &Subject, sizes: [usize; 2]) -> Result<f64, String> {
    let [fewer, more] = sizes.map(|size| traced(row, subject, size));
    Ok(difference(fewer?, more?))
}

fn difference(fewer: (u64, f64), more: (u64, f64)) -> f64 {
    (more.0 as f64 - fewer.0 as f64).max(0.0) / (more.1 - fewer.1)
}

/// System calls and operations of a run.
fn traced(row: &Row, subject: &Subject, size: usize) -> Result<(u64, f64), String> {
    let file = std::env::temp_dir().join(format!("compare-strace-{}", std::process::id()));
    let result = run(row, subject, size, &file);
    // It is not there if strace failed.
    _ = fs::remove_file(&file);
    let (sample, summary) = result?;
    Ok((total(&summary), sample.operations))
}

fn run(row: &Row, subject: &Subject, size: usize, file: &Path) -> Result<(Sample, String), String> {
    let mut child = child::command(row, subject, size).map_err(|error| error.to_string())?;
    let mut strace = Command::new("strace");
    let traced = if row.has_server {
        child.arg(file)
    } else {
        strace.args(["-f", "-c", "-o"]).arg(file).arg(child.get_program()).args(child.get_args())
    };
    let output = traced.output().map_err(|error| format!("strace: {error}"))?;
    let sample = child::read(&output)?;
    let summary =
        fs::read_to_string(file).map_err(|error| format!("strace wrote none: {error}"))?;
    Ok((sample, summary))
}

/// All calls of a summary: the fourth column of each line that names a system call.
fn total(summary: &str) -> u64 {
    let lines = summary.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let calls = lines.filter(|words| words.last() != Some(&"total"));
    calls.filter_map(|words| words.get(3)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           3       100           io_uring_enter
 40.00    0.000200         100         2         1 execve
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           4       102         1 total
";

    #[test]
    fn the_calls_of_a_summary_are_added_up() {
        assert_eq!(total(SUMMARY), 102);
        assert_eq!(total(""), 0);
    }

    #[test]
    fn what_starting_costs_does_not_count() {
        assert_eq!(difference((102, 10.0), (302, 110.0)), 2.0);
        assert_eq!(difference((102, 10.0), (101, 110.0)), 0.0);
    }
}
