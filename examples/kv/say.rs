//! Words for the user that never fail. `println!` and `eprintln!` panic when their reader is gone,
//! and wait when it sleeps; a server must go on either way.
#![forbid(unsafe_code)]

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use log::{LevelFilter, Log, Metadata, Record};

/// A line on standard output, if it can be had.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on standard error, if it can be had.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Lines that wait to be written; what comes beyond them is left out.
const LINES_MAX: usize = 256;

/// Hands lines to a thread that writes them: who logs never waits.
struct StderrLog(SyncSender<String>);

impl Log for StderrLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = record.level().as_str().to_lowercase();
        let _ = self.0.try_send(format!("{level}: {}: {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// Sends what is logged, warnings and errors, to standard error. A program that has a logger keeps
/// it.
pub fn log_to_stderr() {
    let (sender, lines) = sync_channel(LINES_MAX);
    let logger = Box::leak(Box::new(StderrLog(sender)));
    if log::set_logger(logger).is_ok() && spawn_writer(lines).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

fn spawn_writer(lines: Receiver<String>) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("log".into()).spawn(move || lines.iter().for_each(complain))
}
