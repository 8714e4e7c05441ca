//! Measures how the cost of rust-miniss grows, prints tables and draws curves.
//!
//! `cargo run --release -p miniss-benches --bin growth -- --help`

#![forbid(unsafe_code)]

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use miniss_benches::compare::machine::Machine;
use miniss_benches::growth::args::{self, Command, HELP, Settings};
use miniss_benches::growth::{child, curves, files, measured, table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::POINT => child::point(rest),
        Some((first, rest)) if first == child::SERVE => child::serve(rest),
        _ => run(arguments),
    };
    if let Err(why) = done {
        eprintln!("growth: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: Vec<String>) -> Result<(), String> {
    let known = curves::all();
    match args::parse(arguments, &known)? {
        Command::Help => print!("{HELP}\n{}", args::list(&known)),
        Command::List => print!("{}", args::list(&known)),
        Command::Measure(settings) => measure(&settings)?,
    }
    Ok(())
}

fn measure(settings: &Settings) -> Result<(), String> {
    let machine = Machine::here();
    if machine.cores() < 2 {
        return Err("This wants two cores: calls and connections go from one to the other.".into());
    }
    println!("{}", files::provenance(&machine));
    let mut measured = Vec::new();
    for curve in curves::all().into_iter().filter(|curve| settings.wants(curve)) {
        let shown = measured::run(curve, settings.rounds, &mut progress)?;
        progress("");
        println!("\n# {}\n\n{}", curve.title, table::table(&shown));
        measured.push(shown);
    }
    let out = settings.out.display();
    files::write(&settings.out, &machine, &measured).map_err(|error| format!("{out}: {error}"))?;
    println!("Written: growth.md, growth.json and pictures in {out}");
    if settings.write_manual {
        let folder = files::write_manual(&machine, &measured);
        let folder = folder.map_err(|error| format!("the manual's files: {error}"))?;
        println!("Written: tables and pictures in {}", folder.display());
    }
    Ok(())
}

/// Shows on a terminal what runs; the next text takes its place.
fn progress(what: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
        // A progress line that is late does no harm.
        _ = io::stderr().flush();
    }
}
