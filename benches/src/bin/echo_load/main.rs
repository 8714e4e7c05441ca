//! Loads a TCP echo server, is one, or compares all kinds of them.
//!
//! `cargo run --release -p miniss-benches --bin echo_load -- --help`

use std::process::{ExitCode, exit};

use clap::Parser;
use miniss_benches::echo::load::{Load, LoadError, Report};
use miniss_benches::echo::options::{Command, Options};
use miniss_benches::echo::servers::Server;
use miniss_benches::echo::trial::{Comparison, compare};

fn main() -> ExitCode {
    let result = match Options::parse().command {
        Command::Load(load) => print(&load.load()),
        Command::Serve(serve) => serve.kind.run(&serve.settings(), serve.placement()),
        Command::Compare(compare) => print_comparison(&compare.comparison()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("echo_load: {text}");
            ExitCode::FAILURE
        }
    }
}

fn print(load: &Load) -> Result<(), String> {
    let report = load.run().map_err(|error: LoadError| error.to_string())?;
    println!("{}", summary(&report));
    Ok(())
}

fn summary(report: &Report) -> String {
    let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|q| report.latency_us(q));
    format!(
        "{} requests in {:.3} s: {:.0}/s; latency us: mean {:.1}, p50 {p50:.1}, p90 {p90:.1}, \
         p99 {p99:.1}, p99.9 {p999:.1}, max {:.1}; {} connections made; client's CPU {:.0} %",
        report.latency.len(),
        report.elapsed.as_secs_f64(),
        report.per_second(),
        report.latency.mean() / 1e3,
        report.latency.max() as f64 / 1e3,
        report.connects,
        report.client_cpu.as_secs_f64() / report.elapsed.as_secs_f64() * 100.0,
    )
}

fn print_comparison(comparison: &Comparison) -> Result<(), String> {
    let idle_spin = comparison.task.idle_spin;
    let can = |server: &Server| idle_spin.is_zero() || server.can_spin;
    if let Some(server) = comparison.servers.iter().find(|&server| !can(server)) {
        eprintln!("echo_load: {} cannot spin; --only leaves it out", server.name);
        exit(1);
    }
    let table = compare(comparison, |name, report| eprintln!("{name}: {}", summary(report)))?;
    print!("{table}");
    Ok(())
}
