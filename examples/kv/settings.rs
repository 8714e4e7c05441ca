//! What the server was told on the command line, and how it ends.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use miniss_linux::{BuildError, Driver, Runtime};

use crate::limits::Limits;
use crate::options::{Options, UsageError, refuse};
use crate::say::{complain, log_to_stderr};

/// The options, parsed.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen.
    pub address: String,
    /// How many shards; zero: one for each CPU.
    pub shards: usize,
    /// Which driver; none: as the environment says.
    pub driver: Option<Driver>,
    /// How long to spin before sleeping.
    pub idle_spin: Duration,
    /// What a client may take.
    pub limits: Limits,
}

impl Settings {
    /// Takes all options out of `options`.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if an option is unknown or its value is none.
    pub fn new(mut options: Options) -> Result<Self, UsageError> {
        let this = Self {
            address: options.value("addr", "127.0.0.1:7379".into())?,
            shards: options.positive("shards", 0)?,
            driver: options.optional("driver")?,
            idle_spin: Duration::from_micros(options.value("idle-spin-us", 0)?),
            limits: Limits::from_options(&mut options)?,
        };
        options.finish().map(|()| this)
    }

    /// This program's own; ends the program over a wrong command line, or if `help` was asked for.
    /// From now on, what is logged goes to standard error.
    pub fn from_command_line(help: &str) -> Self {
        log_to_stderr();
        Self::new(Options::from_command_line(help)).unwrap_or_else(|error| refuse(&error))
    }

    /// A runtime as the settings want it.
    ///
    /// # Errors
    ///
    /// As for [`Builder::build`](miniss_linux::Builder::build).
    pub fn runtime(&self) -> Result<Runtime, BuildError> {
        let mut builder = Runtime::builder().idle_spin(self.idle_spin).thread_name("kv");
        if self.shards != 0 {
            builder = builder.shards(self.shards);
        }
        if let Some(driver) = self.driver {
            builder = builder.driver(driver);
        }
        builder.build()
    }
}

/// How the program ends: with one line on standard error if something went wrong.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("kv: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_was_told_or_their_defaults() {
        let settings = |options: &[&str]| Settings::new(Options::new(options.iter().copied()));
        let told = settings(&["--shards", "2", "--idle-spin-us", "50", "--driver=epoll"]).unwrap();
        assert_eq!((told.shards, told.idle_spin), (2, Duration::from_micros(50)));
        assert_eq!(told.driver, Some(Driver::Epoll));
        assert_eq!(told.address, "127.0.0.1:7379");
        assert_eq!(settings(&[]).unwrap().driver, None);
        assert!(settings(&["--colour"]).is_err());
    }
}
