//! Compares rust-miniss with other runtimes and with programs by hand, and prints a table.
//!
//! `cargo run --release -p miniss-benches --bin compare -- --help`

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use miniss_benches::compare::args::{self, Command, HELP, Settings};
use miniss_benches::compare::machine::Machine;
use miniss_benches::compare::outcome::Outcome;
use miniss_benches::compare::{child, plot, report, rounds, rows, syscalls, table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::SUBCOMMAND => child::main(rest),
        _ => run(arguments),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let known = rows::all();
    match args::parse(arguments, &known)? {
        Command::Help => print!("{HELP}\n{}", args::list(&known)),
        Command::List => print!("{}", args::list(&known)),
        Command::Compare(settings) => compare(&settings)?,
    }
    Ok(())
}

fn compare(settings: &Settings) -> Result<(), String> {
    let machine = Machine::here();
    if machine.cores() < 2 {
        return Err("This wants two cores: calls go from one to the other.".into());
    }
    fs::create_dir_all(&settings.out)
        .map_err(|error| format!("{}: {error}", settings.out.display()))?;
    let untraced = syscalls::missing();
    let mut text = format!("{machine}\n\n{}", table::head());
    print!("{text}");
    let mut outcomes = Vec::new();
    for row in rows::all() {
        if !settings.rows.is_empty() && !settings.rows.iter().any(|name| name == row.name) {
            continue;
        }
        let outcome = rounds::run(row, settings.rounds, untraced.as_deref(), &mut progress);
        progress("");
        let lines = table::lines(&outcome);
        print!("{lines}");
        text += &lines;
        outcomes.push(outcome);
    }
    let notes = notes(&outcomes);
    print!("{notes}");
    write(&settings.out, &machine, settings.rounds, &outcomes, &(text + &notes))
        .map_err(|error| format!("{}: {error}", settings.out.display()))?;
    failures(&outcomes)
}

/// Shows on a terminal what runs; the next text takes its place.
fn progress(what: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
        // A progress line that is late does no harm.
        _ = io::stderr().flush();
    }
}

fn notes(outcomes: &[Outcome]) -> String {
    let note = outcomes.iter().find_map(|outcome| outcome.note.as_deref());
    note.map_or_else(String::new, |note| format!("\nSystem calls are {note}.\n"))
}

fn write(
    out: &Path,
    machine: &Machine,
    rounds: usize,
    outcomes: &[Outcome],
    table: &str,
) -> io::Result<()> {
    fs::write(out.join("compare.md"), table)?;
    fs::write(out.join("compare.json"), format!("{}\n", report::json(machine, rounds, outcomes)))?;
    fs::write(out.join("compare.svg"), plot::svg(machine, outcomes))?;
    println!("\nWritten: compare.md, compare.json and compare.svg in {}", out.display());
    Ok(())
}

/// Who did not run, after everything that did has been told.
fn failures(outcomes: &[Outcome]) -> Result<(), String> {
    let mut failures = Vec::new();
    for outcome in outcomes {
        for measured in &outcome.subjects {
            if let Some(why) = &measured.failure {
                failures.push(format!("{}: {} failed: {why}", outcome.row.name, measured.name));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
