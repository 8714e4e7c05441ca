//! The command line.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::rows::{self, Row};

const MORE: &str = "\
Without a row it runs all of them, in about 20 minutes; `kv`, which is no row, means all rows whose
names begin with it and a dash. Each run of a runtime is a process of its own; those of a row run in
turn, and what counts is the median of their ratios in each round. It prints a Markdown table of
everyone, then one of the targets; it writes both into compare.md, and compare.json, compare.svg.

Servers run on core 0, their clients on core 1. Limit is a program by hand, without a runtime; that
of direct is fio, on a file of 64 MiB that is made beside compare and stays for the next time. The
example kv is built by compare itself. redis-server comes out of redis-tools, which have it, too, so
that no service is installed; nginx is compared where it is. System calls are counted by strace, in
runs of their own; it slows both cores, so of calls between them it sees too few: the other side is
not asleep yet. Where other programs run, `chrt -f 50` before the command keeps them away.

The rows, and who runs in them:
";

/// How to run.
#[derive(Debug, Parser)]
#[command(
    name = "compare",
    about = "compare: rust-miniss, other runtimes and programs by hand, side by side",
    after_help = format!("{MORE}\n{}", list(&rows::all()))
)]
pub struct Settings {
    /// How often each runs; some rows take less, for more would only take time
    #[arg(long, value_name = "N", default_value = "9")]
    pub rounds: NonZeroUsize,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub out: PathBuf,
    /// First run benches/install, for what is missing beside Rust: strace, fio, redis-tools, wrk
    #[arg(long)]
    pub install: bool,
    /// Name the rows and who runs in them
    #[arg(long)]
    pub list: bool,
    /// Rows, or what the names of several begin with
    #[arg(value_name = "ROW", value_parser = names(&rows::all()), hide_possible_values = true)]
    rows: Vec<String>,
}

impl Settings {
    /// Whether this row is to run.
    pub fn wants(&self, row: &Row) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| is_meant(name, row, &rows::all()))
    }
}

/// Whether the name means this row: it is its own, or no row's own and how this one's begins.
fn is_meant(name: &str, row: &Row, known: &[Row]) -> bool {
    let begins = row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    row.name == name || begins && known.iter().all(|row| row.name != name)
}

/// The names of rows, and what they begin with, up to a dash.
fn names(known: &[Row]) -> PossibleValuesParser {
    let parts = |row: &Row| {
        let dashes = row.name.match_indices('-').map(|(at, _)| at);
        dashes.chain([row.name.len()]).map(|end| &row.name[..end]).collect::<Vec<_>>()
    };
    let names: BTreeSet<_> = known.iter().flat_map(parts).collect();
    names.into_iter().map(PossibleValue::new).collect::<Vec<_>>().into()
}

/// The rows and their subjects, as `--list` prints them.
pub fn list(known: &[Row]) -> String {
    let line = |row: &Row| {
        let names: Vec<_> = row.subjects.iter().map(|subject| subject.name).collect();
        format!("{:17} {}\n{:17} {}\n", row.name, row.heading(), "", names.join("; "))
    };
    known.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: &str) -> Result<Vec<&'static str>, clap::Error> {
        let words = ["compare"].into_iter().chain(arguments.split_whitespace());
        let settings = Settings::try_parse_from(words)?;
        let rows = rows::all().into_iter().filter(|row| settings.wants(row));
        Ok(rows.map(|row| row.name).collect())
    }

    #[test]
    fn nothing_means_all_rows_and_a_name_its_own() {
        assert_eq!(wanted("").expect("no mistake").len(), rows::all().len());
        assert_eq!(wanted("yield --rounds 3 spawn").expect("no mistake"), ["spawn", "yield"]);
    }

    #[test]
    fn a_name_that_is_no_row_means_those_that_begin_so() {
        let calls = ["call-awake", "call-asleep", "call-again", "call-64", "call-64-spin"];
        assert_eq!(wanted("call").expect("no mistake"), calls);
        assert_eq!(wanted("echo").expect("no mistake"), ["echo"]);
        assert!(wanted("cal").is_err() && wanted("spawn spam").is_err());
    }

    #[test]
    fn the_list_names_rows_and_subjects() {
        let list = list(&rows::all());
        assert!(list.contains("spawn ") && list.contains("by hand; miniss; tokio"), "{list}");
    }
}
