//! The command line.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use super::rows::Row;

/// What `--help` prints, before the rows.
pub const HELP: &str = "\
compare: rust-miniss, other runtimes and programs by hand, side by side

  cargo run --release -p miniss-benches --bin compare -- [OPTION…] [ROW…]

Without a row it runs all of them. Each run of a runtime is a process of its own; those of a row run
in turn, and what counts is a ratio of medians. It prints a Markdown table, and writes compare.md,
compare.json and compare.svg.

  --rounds N   how often each runs [15]; some rows take less, for more would only take time
  --out DIR    where the files go [target/compare]
  --list       names the rows and who runs in them
  --help       this

Limit is a program by hand, without a runtime. System calls are counted by strace in runs of their
own; benches/install installs it. It slows both cores, so of calls between them it sees fewer than
there are: the other side is not asleep yet. Where other programs run, `chrt -f 50` before it keeps
them away.
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
    /// The rows by name; all of them if there is none.
    pub rows: Vec<String>,
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
    let mut settings = Settings { rounds: 15, out: "target/compare".into(), rows: Vec::new() };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--rounds" => settings.rounds = rounds(arguments.next())?,
            "--out" => settings.out = arguments.next().ok_or("--out wants a folder")?.into(),
            option if option.starts_with('-') => {
                return Err(format!("There is no option `{option}`; --help names them."));
            }
            _ => settings.rows.push(row(argument, known)?),
        }
    }
    Ok(Command::Compare(settings))
}

fn rounds(value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or("--rounds wants a number")?;
    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
    rounds.ok_or_else(|| format!("--rounds wants a number from 1, not `{value}`"))
}

fn row(name: String, known: &[Row]) -> Result<String, String> {
    if known.iter().any(|row| row.name == name) {
        return Ok(name);
    }
    let names: Vec<_> = known.iter().map(|row| row.name).collect();
    Err(format!("There is no row `{name}`. There are: {}.", names.join(", ")))
}

/// The rows and their subjects, as `--list` prints them.
pub fn list(known: &[Row]) -> String {
    let line = |row: &Row| {
        let names: Vec<_> = row.subjects.iter().map(|subject| subject.name).collect();
        format!("{:12} {}\n{:12} {}\n", row.name, row.title, "", names.join("; "))
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
        assert_eq!((settings.rounds, settings.rows), (15, vec![]));
        assert_eq!(settings.out, PathBuf::from("target/compare"));
    }

    #[test]
    fn options_and_rows_may_be_mixed() {
        let Ok(Command::Compare(settings)) = parsed("spawn --rounds 3 --out x yield") else {
            panic!("no settings")
        };
        assert_eq!((settings.rounds, settings.out), (3, "x".into()));
        assert_eq!(settings.rows, ["spawn", "yield"]);
        assert_eq!(parsed("spawn --help"), Ok(Command::Help));
        assert_eq!(parsed("--list"), Ok(Command::List));
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
