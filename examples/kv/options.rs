//! Options on the command line: `--name value` or `--name=value`, and `--help`.
//!
//! They are few and all have a default, so they are parsed by hand.
#![forbid(unsafe_code)]

use std::fmt;
use std::num::NonZeroUsize;
use std::process::exit;
use std::str::FromStr;

use crate::say::{complain, say};

/// The options that a program was started with.
#[derive(Debug)]
pub struct Options {
    arguments: Vec<String>,
}

/// What is wrong with the command line.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl Options {
    /// The options in `arguments`, the program's name not among them.
    pub fn new<T: Into<String>>(arguments: impl IntoIterator<Item = T>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// This program's own; prints `help` and ends the program if it was asked for.
    pub fn from_command_line(help: &str) -> Self {
        let this =
            Self::new(std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()));
        if this.arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
            say(help);
            exit(0);
        }
        this
    }

    /// Takes out the option `--name`; `default` if it was not given.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if it has no value, or one that is none of that kind.
    pub fn value<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, UsageError>
    where
        T::Err: fmt::Display,
    {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Takes out the option `--name`, if it was given.
    ///
    /// # Errors
    ///
    /// As for [`value`](Self::value).
    pub fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, UsageError>
    where
        T::Err: fmt::Display,
    {
        let Some(text) = self.take(name)? else { return Ok(None) };
        let wrong = |error| UsageError(format!("--{name} {text}: {error}"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Takes out the option `--name`, a number from 1 on; `default` if it was not given.
    ///
    /// # Errors
    ///
    /// [`UsageError`] as for [`value`](Self::value), or if it is 0.
    pub fn positive(&mut self, name: &str, default: usize) -> Result<usize, UsageError> {
        match self.take(name)? {
            None => Ok(default),
            Some(text) => match text.parse::<NonZeroUsize>() {
                Ok(value) => Ok(value.get()),
                Err(_) => {
                    Err(UsageError(format!("--{name} {text}: a whole number from 1 is wanted")))
                }
            },
        }
    }

    fn take(&mut self, name: &str) -> Result<Option<String>, UsageError> {
        let flag = format!("--{name}");
        let prefix = format!("{flag}=");
        let is_it = |argument: &String| *argument == flag || argument.starts_with(&prefix);
        let Some(at) = self.arguments.iter().position(is_it) else { return Ok(None) };
        let argument = self.arguments.remove(at);
        if let Some(value) = argument.strip_prefix(&prefix) {
            return Ok(Some(value.into()));
        }
        if at == self.arguments.len() {
            return Err(UsageError(format!("{flag} needs a value")));
        }
        Ok(Some(self.arguments.remove(at)))
    }

    /// To be called when all options have been taken.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if something is left that the program does not know.
    pub fn finish(self) -> Result<(), UsageError> {
        match self.arguments.first() {
            None => Ok(()),
            Some(first) => Err(UsageError(format!("{first}: unknown option"))),
        }
    }
}

/// Ends the program over a wrong command line.
pub fn refuse(error: &UsageError) -> ! {
    complain(format_args!("kv: {error}; see --help"));
    exit(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_by_name_in_either_form() {
        let mut options = Options::new(["--shards", "2", "--addr=127.0.0.1:7000"]);
        assert_eq!(options.value("shards", 1), Ok(2));
        assert_eq!(options.value("addr", String::new()), Ok("127.0.0.1:7000".into()));
        assert_eq!(options.positive("more", 7), Ok(7));
        assert_eq!(options.finish(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let text = |error: UsageError| error.to_string();
        let options = || Options::new(["--shards", "two"]);
        let error = options().value("shards", 1).map_err(text);
        assert_eq!(error, Err("--shards two: invalid digit found in string".into()));
        assert_eq!(options().finish().map_err(text), Err("--shards: unknown option".into()));
        assert!(Options::new(["--shards=0"]).positive("shards", 1).is_err());
        let error = Options::new(["--shards"]).positive("shards", 1).map_err(text);
        assert_eq!(error, Err("--shards needs a value".into()));
    }
}
