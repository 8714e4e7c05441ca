//! The command line.

#![forbid(unsafe_code)]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use super::curve::Curve;
use super::curves;

const MORE: &str = "\
Without a curve it runs all of them, in about four minutes. Each point is a process of its own; the
points of a curve run in turn, and what is shown are medians. It prints a table in Markdown for each
curve, and writes growth.md, growth.json, and CURVE.svg for each.

It wants two cores for itself. Where other programs run, `chrt -f 50` before it keeps them away; but
then the kernel takes 50 ms of each second from it, and some rates are a fifth too low.

The curves:
";

/// How to measure.
#[derive(Debug, Parser)]
#[command(
    name = "growth",
    about = "growth: how the cost of rust-miniss grows",
    after_help = format!("{MORE}\n{}", list(&curves::all()))
)]
pub struct Settings {
    /// How often each point is measured
    #[arg(long, value_name = "N", default_value = "5")]
    pub rounds: NonZeroUsize,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "target/growth")]
    pub out: PathBuf,
    /// Also write the tables and pictures that the manual shows
    #[arg(long)]
    pub write_manual: bool,
    /// Name the curves
    #[arg(long)]
    pub list: bool,
    /// The curves by name
    #[arg(value_name = "CURVE", value_parser = names(), hide_possible_values = true)]
    curves: Vec<String>,
}

impl Settings {
    /// Whether this curve is to be measured.
    pub fn wants(&self, curve: &Curve) -> bool {
        self.curves.is_empty() || self.curves.iter().any(|name| name == curve.name)
    }
}

fn names() -> PossibleValuesParser {
    curves::all().into_iter().map(|curve| curve.name).collect::<Vec<_>>().into()
}

/// The curves, as `--list` prints them.
pub fn list(known: &[Curve]) -> String {
    known.iter().map(|curve| format!("{:12} {}\n", curve.name, curve.title)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: &str) -> Result<Vec<&'static str>, clap::Error> {
        let words = ["growth"].into_iter().chain(arguments.split_whitespace());
        let settings = Settings::try_parse_from(words)?;
        let curves = curves::all().into_iter().filter(|curve| settings.wants(curve));
        Ok(curves.map(|curve| curve.name).collect())
    }

    #[test]
    fn nothing_means_all_curves_and_a_name_its_own() {
        assert_eq!(wanted("").expect("no mistake").len(), curves::all().len());
        let some = wanted("calls --rounds 3 --write-manual tasks").expect("no mistake");
        assert_eq!(some, ["tasks", "calls"]);
        assert!(wanted("tasks spam").is_err());
    }
}
