//! The options that the servers among the examples have in common.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use miniss_linux::{BuildError, Runtime};

use crate::options::{Options, UsageError, refuse};
use crate::say::{complain, log_to_stderr};

/// What a server was told on the command line.
///
/// ```
/// use examples::options::Options;
/// use examples::settings::Settings;
///
/// let options = Options::new(["--shards", "2", "--idle-spin-us", "50"]);
/// let settings = Settings::new(options, "127.0.0.1:7000", 1).unwrap();
/// assert_eq!(settings.address, "127.0.0.1:7000");
/// assert_eq!(settings.runtime("example").unwrap().shards(), 2);
/// ```
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub address: String,
    /// How many shards; zero: one for each CPU.
    pub shards: usize,
    /// How long to spin before sleeping.
    pub idle_spin: Duration,
}

impl Settings {
    /// Reads `--addr`, `--shards` and `--idle-spin-us`, with these defaults.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if an option is unknown or its value is none.
    ///
    /// See [`Settings`] for an example.
    pub fn new(mut options: Options, address: &str, shards: usize) -> Result<Self, UsageError> {
        let this = Self {
            address: options.value("addr", address.into())?,
            shards: options.positive("shards", shards)?,
            idle_spin: Duration::from_micros(options.value("idle-spin-us", 0)?),
        };
        options.finish().map(|()| this)
    }

    /// This program's own; ends the program over a wrong command line, or if `help` was asked for.
    /// From now on, what is logged goes to standard error.
    ///
    /// ```no_run
    /// # use examples::settings::Settings;
    /// let settings = Settings::from_command_line("echo", "echo: …", "127.0.0.1:7000", 1);
    /// ```
    pub fn from_command_line(program: &str, help: &str, address: &str, shards: usize) -> Self {
        log_to_stderr();
        Self::new(Options::from_command_line(help), address, shards)
            .unwrap_or_else(|error| refuse(program, &error))
    }

    /// A runtime as the settings want it.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`](miniss_linux::Builder::build).
    ///
    /// See [`Settings`] for an example.
    pub fn runtime(&self, program: &str) -> Result<Runtime, BuildError> {
        let builder = Runtime::builder().idle_spin(self.idle_spin).thread_name(program);
        if self.shards == 0 { builder.build() } else { builder.shards(self.shards).build() }
    }
}

/// How `program` ends: with one line on standard error if something went wrong.
///
/// ```
/// # use examples::settings::exit_code;
/// let _code = exit_code("echo", Ok(()));
/// ```
pub fn exit_code(program: &str, result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{program}: {error}"));
            ExitCode::FAILURE
        }
    }
}
