//! Compares rust-miniss with other runtimes and with programs by hand, and prints a table.
//!
//! `cargo run --release -p miniss-benches --bin compare -- --help`

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{self, ExitCode};

use miniss_benches::compare::allocator::Counting;
use miniss_benches::compare::args::{self, Command, HELP, Settings};
use miniss_benches::compare::machine::Machine;
use miniss_benches::compare::outcome::Outcome;
use miniss_benches::compare::rows::Row;
use miniss_benches::compare::{child, plot, report, rounds, rows, summary, syscalls, table};
use miniss_benches::echo::options::{Command as Serving, parse as parse_serving};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::SUBCOMMAND => child::main(rest),
        Some((first, _)) if first == "serve" => serve(arguments),
        _ => run(arguments),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// An echo server, for a subject that is its client.
fn serve(arguments: Vec<String>) -> Result<(), String> {
    match parse_serving(arguments)? {
        Serving::Serve(server, settings, placement) => server.run(&settings, placement),
        _ => Err("serve wants a kind of server".into()),
    }
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let known = rows::all();
    match args::parse(arguments, &known)? {
        Command::Help => print!("{HELP}{}", args::list(&known)),
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
    if settings.install {
        install()?;
    }
    let untraced = syscalls::missing();
    let mut everyone = table::head();
    print!("{machine}\n\n{everyone}");
    let mut outcomes = Vec::new();
    let is_wanted = |row: &Row| settings.rows.is_empty() || settings.rows.contains(&row.name);
    for row in rows::all().into_iter().filter(is_wanted) {
        let outcome = rounds::run(row, settings.rounds, untraced.as_deref(), &mut progress);
        progress("");
        let lines = table::lines(&outcome);
        print!("{lines}");
        everyone += &lines;
        outcomes.push(outcome);
    }
    let summary = summary::text(&machine, settings.rounds, &outcomes);
    print!("\n{summary}");
    let text = format!("{summary}\nEveryone:\n\n{everyone}");
    write(&settings.out, &machine, settings.rounds, &outcomes, &text)
        .map_err(|error| format!("{}: {error}", settings.out.display()))?;
    failures(&outcomes)
}

/// Installs what is missing beside Rust.
fn install() -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/install");
    let status = process::Command::new(script).status();
    match status.map_err(|error| format!("{script}: {error}"))? {
        status if status.success() => Ok(()),
        _ => Err("Nothing was measured, for something could not be installed.".into()),
    }
}

/// Shows on a terminal what runs; the next text takes its place.
fn progress(what: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
        // A progress line that is late does no harm.
        _ = io::stderr().flush();
    }
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
