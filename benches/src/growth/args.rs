//! The command line.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::curve::Curve;
use crate::compare::args;

/// What `--help` prints, before the curves.
pub const HELP: &str = "\
growth: how the cost of rust-miniss grows

  cargo run --release -p miniss-benches --bin growth -- [OPTION…] [CURVE…]

Without a curve it runs all of them, in about four minutes. Each point is a process of its own; the
points of a curve run in turn, and what is shown are medians. It prints a table in Markdown for each
curve, and writes growth.md, growth.json, and CURVE.svg for each.

  --rounds N       how often each point is measured [5]
  --out DIR        where the files go [target/growth]
  --write-manual   also write the tables and pictures that the manual shows
  --list           names the curves
  --help           this

It wants two cores for itself. Where other programs run, `chrt -f 50` before it keeps them away; but
then the kernel takes 50 ms of each second from it, and some rates are a fifth too low.
";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print the help.
    Help,
    /// Print the curves.
    List,
    /// Measure.
    Measure(Settings),
}

/// How to measure.
#[derive(Debug, PartialEq)]
pub struct Settings {
    /// How often each point is measured.
    pub rounds: usize,
    /// The folder of the files.
    pub out: PathBuf,
    /// Whether the manual's files are written.
    pub write_manual: bool,
    /// The curves by name; all of them if there is none.
    pub curves: Vec<String>,
}

impl Settings {
    /// Whether this curve is to be measured.
    pub fn wants(&self, curve: &Curve) -> bool {
        self.curves.is_empty() || self.curves.iter().any(|name| name == curve.name)
    }
}

/// Reads arguments.
///
/// # Errors
///
/// In a sentence, if there is no such option or curve, or a number is none.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    known: &[Curve],
) -> Result<Command, String> {
    let out = "target/growth".into();
    let mut settings = Settings { rounds: 5, out, write_manual: false, curves: Vec::new() };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--rounds" => settings.rounds = args::rounds(arguments.next())?,
            "--out" => settings.out = arguments.next().ok_or("--out wants a folder")?.into(),
            "--write-manual" => settings.write_manual = true,
            option if option.starts_with('-') => {
                return Err(format!("There is no option `{option}`; --help names them."));
            }
            _ => settings.curves.push(curve(argument, known)?),
        }
    }
    Ok(Command::Measure(settings))
}

fn curve(name: String, known: &[Curve]) -> Result<String, String> {
    if known.iter().any(|curve| curve.name == name) {
        return Ok(name);
    }
    let names: Vec<_> = known.iter().map(|curve| curve.name).collect();
    Err(format!("There is no curve `{name}`. There are: {}.", names.join(", ")))
}

/// The curves, as `--list` prints them.
pub fn list(known: &[Curve]) -> String {
    known.iter().map(|curve| format!("{:12} {}\n", curve.name, curve.title)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::curves;

    fn parsed(arguments: &str) -> Result<Command, String> {
        parse(arguments.split_whitespace().map(str::to_owned), &curves::all())
    }

    #[test]
    fn nothing_means_all_curves() {
        let Ok(Command::Measure(settings)) = parsed("") else { panic!("no settings") };
        assert!(curves::all().iter().all(|curve| settings.wants(curve)));
        assert!(!settings.write_manual && settings.rounds == 5);
    }

    #[test]
    fn options_and_curves_may_be_mixed() {
        let Ok(Command::Measure(settings)) =
            parsed("tasks --rounds 3 --write-manual --out x calls")
        else {
            panic!("no settings")
        };
        let wanted = curves::all().into_iter().filter(|curve| settings.wants(curve));
        assert_eq!(wanted.map(|curve| curve.name).collect::<Vec<_>>(), ["tasks", "calls"]);
        assert_eq!((settings.rounds, settings.write_manual), (3, true));
        assert_eq!(settings.out, PathBuf::from("x"));
        assert_eq!(parsed("tasks --help"), Ok(Command::Help));
        assert_eq!(parsed("--list"), Ok(Command::List));
    }

    #[test]
    fn wrong_arguments_are_named() {
        let error = |arguments| parsed(arguments).expect_err("it is wrong");
        let unknown = error("tasks spam");
        assert!(unknown.contains("`spam`") && unknown.contains("tasks, timers"), "{unknown}");
        assert_eq!(error("--rounds 0"), "--rounds wants a number from 1, not `0`");
        assert_eq!(error("--rounds"), "--rounds wants a number");
        assert_eq!(error("--out"), "--out wants a folder");
        assert!(error("--round 3").contains("`--round`"));
    }
}
