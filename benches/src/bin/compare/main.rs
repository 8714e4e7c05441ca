//! Compares rust-miniss with other runtimes and with programs by hand, and prints a table.
//!
//! `cargo run --release -p miniss-benches --bin compare -- --help`

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;
use std::process::{self, ExitCode};

use clap::Parser;
use miniss_benches::compare::allocator::Counting;
use miniss_benches::compare::args::{self, Settings};
use miniss_benches::compare::machine::Machine;
use miniss_benches::compare::outcome::Outcome;
use miniss_benches::compare::rows::Row;
use miniss_benches::compare::work::http::SERVE;
use miniss_benches::compare::{child, plot, report, rounds, rows, summary, syscalls, table};
use miniss_benches::echo::options::{Command, Options};
use miniss_benches::http::{self, Answer};
use miniss_benches::progress::Progress;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::SUBCOMMAND => child::main(rest),
        Some((first, _)) if first == "serve" => serve(&arguments),
        Some((first, rest)) if first == SERVE => serve_http(rest),
        _ => run(&Settings::parse()),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// An echo server, for a subject that is its client.
fn serve(arguments: &[String]) -> Result<(), String> {
    let words = ["compare"].into_iter().chain(arguments.iter().map(String::as_str));
    match Options::parse_from(words).command {
        Command::Serve(serve) => serve.kind.run(&serve.settings(), serve.placement()),
        _ => Err("serve wants a kind of server".into()),
    }
}

/// A server of HTTP, for a subject that has wrk ask it.
fn serve_http(arguments: &[String]) -> Result<(), String> {
    let [runtime, answer] = arguments else { return Err("a runtime and an answer".into()) };
    let answer = Answer::named(answer).ok_or_else(|| format!("there is no answer `{answer}`"))?;
    http::serve(runtime, answer).map(|never| match never {})
}

fn run(settings: &Settings) -> Result<(), String> {
    if settings.list {
        print!("{}", args::list(&rows::all()));
        return Ok(());
    }
    compare(settings)
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
    let wanted = rows::all().into_iter().filter(|row| settings.wants(row));
    let (wanted, rounds): (Vec<Row>, _) = (wanted.collect(), settings.rounds.get());
    let steps = |row| rounds::steps(row, rounds, untraced.as_deref());
    let progress = Progress::new(wanted.iter().map(steps).sum());
    for row in wanted {
        let outcome = rounds::run(row, rounds, untraced.as_deref(), &progress);
        let lines = table::lines(&outcome);
        progress.print(&lines);
        everyone += &lines;
        outcomes.push(outcome);
    }
    progress.end();
    let summary = summary::text(&machine, rounds, &outcomes);
    print!("\n{summary}");
    let text = format!("{summary}\nEveryone:\n\n{everyone}");
    write(&settings.out, &machine, rounds, &outcomes, &text)
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
