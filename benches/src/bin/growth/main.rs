//! Measures how the cost of rust-miniss grows, prints tables and draws curves.
//!
//! `cargo run --release -p miniss-benches --bin growth -- --help`

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use miniss_benches::compare::machine::Machine;
use miniss_benches::growth::args::{self, Settings};
use miniss_benches::growth::curve::Curve;
use miniss_benches::growth::{child, curves, files, measured, table};
use miniss_benches::progress::Progress;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == child::POINT => child::point(rest),
        Some((first, rest)) if first == child::SERVE => child::serve(rest),
        _ => run(&Settings::parse()),
    };
    if let Err(why) = done {
        eprintln!("growth: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(settings: &Settings) -> Result<(), String> {
    if settings.list {
        print!("{}", args::list(&curves::all()));
        return Ok(());
    }
    measure(settings)
}

fn measure(settings: &Settings) -> Result<(), String> {
    let machine = Machine::here();
    if machine.cores() < 2 {
        return Err("This wants two cores: calls and connections go from one to the other.".into());
    }
    println!("{}", files::provenance(&machine));
    let wanted = curves::all().into_iter().filter(|curve| settings.wants(curve));
    let (wanted, rounds): (Vec<Curve>, _) = (wanted.collect(), settings.rounds.get());
    let progress = Progress::new(wanted.iter().map(|it| measured::steps(it, rounds)).sum());
    let mut measured = Vec::new();
    for curve in wanted {
        let shown = measured::run(curve, rounds, &progress)?;
        progress.print(&format!("\n# {}\n\n{}\n", curve.title, table::table(&shown)));
        measured.push(shown);
    }
    progress.end();
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
