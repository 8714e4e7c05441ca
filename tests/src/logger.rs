//! A logger that keeps what the runtime reports.

#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Keeps what it is told, and then does what it was made for.
pub struct Logger {
    lines: Mutex<Vec<(Level, String, String)>>,
    then: fn(),
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Held to the end: a call of the logger by itself would wait for it forever.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((record.level(), record.target().into(), record.args().to_string()));
        (self.then)();
    }

    fn flush(&self) {}
}

/// Makes a logger that the process keeps.
///
/// # Panics
///
/// If the process has one.
pub fn install(then: fn()) -> &'static Logger {
    let logger = Box::leak(Box::new(Logger { lines: Mutex::default(), then }));
    log::set_logger(logger).expect("the only one of this process");
    log::set_max_level(LevelFilter::Warn);
    logger
}

impl Logger {
    /// The lines of one target, and their level.
    pub fn lines_of(&self, target: &str) -> Vec<(Level, String)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = lines.iter().filter(|(_, of, _)| of == target);
        ours.map(|(level, _, text)| (*level, text.clone())).collect()
    }
}
