//! Tells what this machine is for rust-miniss, and how to mend what is worse than it could be.
//!
//! `cargo run --release --example doctor`
//!
//! [`facts`] asks the kernel and the library, and starts a runtime to see what it gets.
//! [`findings`] judges, and [`report`] writes: both are functions of the facts alone, so the tests
//! feed them those of machines that we do not have.
#![forbid(unsafe_code)]

mod facts;
mod findings;
mod report;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::process::ExitCode;

use facts::Facts;
use report::Report;

const HELP: &str = "\
doctor: tells what this machine is for rust-miniss, and how to mend what could be better

  --json               the same as one line of JSON
  --help               this text

Run it as the user and in the container that the program will run in. It starts a runtime, asks
which driver it got and where its shards run, and ends. It changes nothing.

Exit status: 0, all is as good as it can be; 1, something could be better; 2, wrong usage.";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned());
    let arguments: Vec<String> = arguments.collect();
    let asked = |names: &[&str]| arguments.iter().any(|argument| names.contains(&&**argument));
    if asked(&["--help", "-h"]) {
        return say(HELP, 0);
    }
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--json") {
        let _ = writeln!(io::stderr(), "doctor: {unknown}: unknown option; see --help");
        return ExitCode::from(2);
    }
    let report = Report::of(&Facts::gather());
    let text = if asked(&["--json"]) { report.to_json() } else { report.to_string() };
    say(&text, report.status())
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::from(status)
}
