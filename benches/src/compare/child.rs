//! One run of one subject in a process of its own.
//!
//! The parent starts this program again as `compare subject ROW NAME SIZE [FILE]`; the child does
//! the work and prints its sample as its last line. If what is measured is a server, the child
//! starts that in a process of its own and is its client; `FILE` asks for strace's summary of it.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::process::{end_after, peak_rss_kib};
use super::rows::{self, Job, Row, Subject};
use super::sample::Sample;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "subject";

/// A child that runs longer hangs.
const SECONDS_MAX: u32 = 60;

/// The command of a run of this size.
pub fn command(row: &Row, subject: &Subject, size: usize) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([SUBCOMMAND, row.name, subject.name, &size.to_string()]);
    Ok(command)
}

/// One run.
///
/// # Errors
///
/// In a sentence, if the child cannot start, fails, or does not say what it measured.
pub fn run(row: &Row, subject: &Subject) -> Result<Sample, String> {
    let command = command(row, subject, subject.size);
    let output = command.and_then(|mut command| command.output());
    read(&output.map_err(|error| format!("it cannot be started: {error}"))?)
}

/// What a child that has ended tells.
pub fn read(output: &Output) -> Result<Sample, String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    match output.status.code() {
        Some(0) => {}
        // It has said why, and nothing else.
        Some(1) => return Err(said.into()),
        _ => return Err(format!("{}: {said}", output.status)),
    }
    let sample = Sample::parse(&String::from_utf8_lossy(&output.stdout));
    sample.ok_or_else(|| format!("it printed no sample: {said}"))
}

/// The child's side: does what the arguments after the subcommand say, and prints the sample.
///
/// # Errors
///
/// In a sentence, if the arguments are not a row, one of its subjects and a size.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let (row, name, size, strace) = match arguments {
        [row, name, size] => (row, name, size, None),
        [row, name, size, file] => (row, name, size, Some(PathBuf::from(file))),
        _ => return Err("subject wants a row, a name and a size".into()),
    };
    let rows = rows::all();
    let row = rows.iter().find(|known| known.name == row);
    let row = row.ok_or("there is no such row")?;
    let subject = row.subjects.iter().find(|subject| subject.name == name);
    let subject = subject.ok_or_else(|| format!("{} has no subject `{name}`", row.name))?;
    let size = size.parse().map_err(|_| format!("`{size}` is not a size"))?;
    end_after(SECONDS_MAX);
    let mut sample = (subject.run)(&Job { size, strace })?;
    if sample.rss_kib == 0.0 {
        sample.rss_kib = peak_rss_kib() as f64;
    }
    println!("{}", sample.line());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn output(status: i32, stdout: &str, stderr: &str) -> Output {
        let status = ExitStatus::from_raw(status);
        Output { status, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn a_child_that_fails_says_why() {
        let failed = read(&output(1 << 8, "", "\nno ring\nmore\n")).unwrap_err();
        assert_eq!(failed, "no ring");
        let panicked = read(&output(101 << 8, "", "thread panicked")).unwrap_err();
        assert_eq!(panicked, "exit status: 101: thread panicked");
        assert!(read(&output(14, "", "")).unwrap_err().contains("signal: 14"));
        let silent = read(&output(0, "hello", "")).unwrap_err();
        assert_eq!(silent, "it printed no sample: it said nothing");
    }

    #[test]
    fn wrong_arguments_of_a_child_are_errors() {
        let main = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
            super::main(&arguments).unwrap_err()
        };
        assert!(main(&["spawn"]).contains("a row, a name and a size"));
        assert!(main(&["spam", "miniss", "1"]).contains("no such row"));
        assert!(main(&["spawn", "no one", "1"]).contains("`no one`"));
        assert!(main(&["spawn", "miniss", "many"]).contains("`many`"));
    }
}
