//! The command line.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::rows::Row;

/// What `--help` prints, before the rows.
pub const HELP: &str = "\
compare: rust-miniss, other runtimes and programs by hand, side by side

  cargo run --release -p miniss-benches --bin compare -- [OPTION…] [ROW…]

Without a row it runs all of them, in about 15 minutes; `kv`, which is no row, means all rows whose
names begin with it and a dash. Each run of a runtime is a process of its own; those of a row run in
turn, and what counts is the median of their ratios in each round. It prints a Markdown table of
everyone, then one of the targets; it writes both into compare.md, and compare.json, compare.svg.

  --rounds N   how often each runs [9]; some rows take less, for more would only take time
  --out DIR    where the files go [target/compare]
  --install    first runs benches/install, which installs from Debian what is missing beside Rust:
               strace, fio, redis-tools
  --list       names the rows and who runs in them
  --help       this

Servers run on core 0, their clients on core 1. Limit is a program by hand, without a runtime; that
of direct is fio, on a file of 64 MiB that is made beside compare and stays for the next time. The
example kv is built by compare itself. redis-server comes out of redis-tools, which have it, too, so
that no service is installed. System calls are counted by strace, in runs of their own; it slows
both cores, so of calls between them it sees too few: the other side is not asleep yet. Where other
programs run, `chrt -f 50` before the command keeps them away.

The rows, and who runs in them:

";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print the help.
    Help,
    /// Print the rows.
    List,
    /// Run.
    Compare(Settings),
}

/// How to run.
#[derive(Debug, PartialEq)]
pub struct Settings {
    /// How often.
    pub rounds: usize,
    /// The folder of the files.
    pub out: PathBuf,
    /// Whether to install first what is missing.
    pub install: bool,
    /// The rows by name, in any order; all of them if there is none.
    pub rows: Vec<&'static str>,
}

/// Reads arguments.
///
/// # Errors
///
/// In a sentence, if there is no such option or row, or a number is none.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    known: &[Row],
) -> Result<Command, String> {
    let out = "target/compare".into();
    let mut settings = Settings { rounds: 9, out, install: false, rows: Vec::new() };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--rounds" => settings.rounds = rounds(arguments.next())?,
            "--install" => settings.install = true,
            "--out" => settings.out = arguments.next().ok_or("--out wants a folder")?.into(),
            option if option.starts_with('-') => {
                return Err(format!("There is no option `{option}`; --help names them."));
            }
            name => settings.rows.extend(named(name, known)?),
        }
    }
    Ok(Command::Compare(settings))
}

/// The value of `--rounds`.
///
/// # Errors
///
/// In a sentence, if it is no number from 1.
pub fn rounds(value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or("--rounds wants a number")?;
    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
    rounds.ok_or_else(|| format!("--rounds wants a number from 1, not `{value}`"))
}

/// The row of this name, or else the rows whose names begin with it and a dash.
fn named(name: &str, known: &[Row]) -> Result<Vec<&'static str>, String> {
    let names: Vec<_> = known.iter().map(|row| row.name).collect();
    if let Some(row) = names.iter().find(|row| **row == name) {
        return Ok(vec![row]);
    }
    let begins = |row: &&&str| row.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    let group: Vec<_> = names.iter().filter(begins).copied().collect();
    if group.is_empty() {
        return Err(format!("There is no row `{name}`. There are: {}.", names.join(", ")));
    }
    Ok(group)
}

/// The rows and their subjects, as `--list` prints them.
pub fn list(known: &[Row]) -> String {
    let line = |row: &Row| {
        let names: Vec<_> = row.subjects.iter().map(|subject| subject.name).collect();
        format!("{:14} {}\n{:14} {}\n", row.name, row.heading(), "", names.join("; "))
    };
    known.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::rows;

    fn parsed(arguments: &str) -> Result<Command, String> {
        parse(arguments.split_whitespace().map(str::to_owned), &rows::all())
    }

    #[test]
    fn nothing_means_all_rows() {
        let Ok(Command::Compare(settings)) = parsed("") else { panic!("no settings") };
        assert_eq!((settings.rounds, settings.install), (9, false));
        assert!(settings.rows.is_empty());
        assert_eq!(settings.out, PathBuf::from("target/compare"));
    }

    #[test]
    fn options_and_rows_may_be_mixed() {
        let Ok(Command::Compare(settings)) = parsed("spawn --rounds 3 --install --out x yield")
        else {
            panic!("no settings")
        };
        assert_eq!((settings.rounds, settings.out), (3, "x".into()));
        assert_eq!((settings.rows.as_slice(), settings.install), (&["spawn", "yield"][..], true));
        assert_eq!(parsed("spawn --help"), Ok(Command::Help));
        assert_eq!(parsed("--list"), Ok(Command::List));
    }

    #[test]
    fn a_name_that_is_no_row_means_those_that_begin_so() {
        let rows = |arguments| match parsed(arguments) {
            Ok(Command::Compare(settings)) => settings.rows,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            rows("call"),
            ["call-awake", "call-asleep", "call-again", "call-64", "call-64-spin"]
        );
        assert_eq!(rows("echo"), ["echo"]);
        assert!(parsed("cal").is_err());
    }

    #[test]
    fn wrong_arguments_are_named() {
        let error = |arguments| parsed(arguments).expect_err("it is wrong");
        let unknown = error("spawn spam");
        assert!(unknown.contains("`spam`") && unknown.contains("spawn, yield, sleep"), "{unknown}");
        assert_eq!(error("--rounds 0"), "--rounds wants a number from 1, not `0`");
        assert_eq!(error("--rounds -1"), "--rounds wants a number from 1, not `-1`");
        assert_eq!(error("--rounds many"), "--rounds wants a number from 1, not `many`");
        assert_eq!(error("--rounds"), "--rounds wants a number");
        assert_eq!(error("--out"), "--out wants a folder");
        assert!(error("--round 3").contains("`--round`"));
    }

    #[test]
    fn the_list_names_rows_and_subjects() {
        let list = list(&rows::all());
        assert!(list.contains("spawn ") && list.contains("by hand; miniss; tokio"), "{list}");
    }
}
