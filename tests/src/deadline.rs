//! No test hangs for ever.

#![forbid(unsafe_code)]

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Ends the process with a message if it is not dropped in time.
#[derive(Debug)]
pub struct Deadline(#[allow(dead_code, reason = "dropping it is the message")] Sender<()>);

/// A deadline of a minute for `test`.
pub fn deadline(test: &'static str) -> Deadline {
    let (sender, dropped) = mpsc::channel::<()>();
    thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = dropped.recv_timeout(Duration::from_secs(60)) {
            eprintln!("{test} hangs: it is not done after 60 s");
            std::process::abort();
        }
    });
    Deadline(sender)
}
