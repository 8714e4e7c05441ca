//! The command line.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use miniss_linux::{Builder, Driver};

use crate::copy::Manner;

/// What the program is asked for.
#[derive(Debug)]
pub enum Wanted {
    /// The help text.
    Help,
    /// To work.
    Work(Options),
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Makes `to` a copy of `from`.
    Copy { from: PathBuf, to: PathBuf, manner: Manner },
    /// Hashes these.
    Hash { paths: Vec<PathBuf>, direct: bool },
}

/// What to do, and how.
#[derive(Debug)]
pub struct Options {
    /// What to do.
    pub command: Command,
    /// Nothing is said but failures.
    pub quiet: bool,
    shards: Option<usize>,
    driver: Option<Driver>,
}

impl Options {
    /// Reads the arguments, the program's name not among them.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Wanted, String> {
        let (mut shards, mut driver, mut quiet) = (None, None, false);
        let (mut manner, mut words) = (Manner::default(), Vec::new());
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = |name| match arguments.next() {
                Some(value) => Ok(value.to_string_lossy().into_owned()),
                None => Err(format!("{name} needs a value")),
            };
            match argument.to_str() {
                Some("--help" | "-h") => return Ok(Wanted::Help),
                Some("--overwrite") => manner.overwrite = true,
                Some("--sync") => manner.sync = true,
                Some("--direct") => manner.direct = true,
                Some("--quiet") => quiet = true,
                Some(name @ "--shards") => shards = Some(positive(name, &value(name)?)?),
                Some(name @ "--driver") => driver = Some(parse_driver(&value(name)?)?),
                Some("--") => words.extend(arguments.by_ref()),
                Some(name) if name.starts_with('-') => {
                    return Err(format!("{name}: unknown option"));
                }
                _ => words.push(argument),
            }
        }
        let command = command(words, manner)?;
        Ok(Wanted::Work(Self { command, quiet, shards, driver }))
    }

    /// Has the runtime be as was asked.
    pub fn apply(&self, builder: Builder) -> Builder {
        let builder = self.shards.into_iter().fold(builder, Builder::shards);
        self.driver.into_iter().fold(builder, Builder::driver)
    }
}

fn command(words: Vec<OsString>, manner: Manner) -> Result<Command, String> {
    let mut words = words.into_iter();
    let name = words.next().ok_or("copy or hash is wanted")?;
    let paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
    match name.to_str() {
        Some("copy") => match <[PathBuf; 2]>::try_from(paths) {
            Ok([from, to]) => Ok(Command::Copy { from, to, manner }),
            Err(_) => Err("copy wants two paths, FROM and TO".into()),
        },
        Some("hash") if paths.is_empty() => Err("hash wants a path".into()),
        Some("hash") => Ok(Command::Hash { paths, direct: manner.direct }),
        _ => Err(format!("{}: unknown command", name.display())),
    }
}

/// A number from 1 on.
fn positive(name: &str, value: &str) -> Result<usize, String> {
    match value.parse::<NonZeroUsize>() {
        Ok(number) => Ok(number.get()),
        Err(_) => Err(format!("{name} {value}: a whole number from 1 is wanted")),
    }
}

fn parse_driver(value: &str) -> Result<Driver, String> {
    value.parse().map_err(|error| format!("--driver {value}: {error}"))
}
