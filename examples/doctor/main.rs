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

use clap::Parser;

use facts::Facts;
use report::Report;

const ABOUT: &str =
    "doctor: tells what this machine is for rust-miniss, and how to mend what could be better";

const MORE: &str = "\
Run it as the user and in the container that the program will run in. It starts a runtime, asks
which driver it got and where its shards run, and ends. It changes nothing.

Exit status: 0, all is as good as it can be; 1, something could be better; 2, wrong usage.";

#[derive(Parser)]
#[command(
    name = "doctor",
    about = ABOUT,
    after_help = MORE
)]
struct Options {
    /// The same as one line of JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let report = Report::of(&Facts::gather());
    let text = if options.json { report.to_json() } else { report.to_string() };
    // Unlike `println!`, it does not panic when no one reads it.
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::from(report.status())
}
