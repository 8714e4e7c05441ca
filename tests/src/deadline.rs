//! No test hangs forever, and one that would says so before it is ended.
//!
//! The limits are for a machine ten times slower than ours that has other things to do as well:
//! nothing but a hang is to meet them.

#![forbid(unsafe_code)]

use std::io::Write;
use std::panic::Location;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, process, thread};

use crate::{alone, random};

/// How long anything may take that should happen at once.
pub const SOON: Duration = Duration::from_secs(120);

/// How long a whole test may take. The longest takes some ten seconds where nothing else runs.
pub const LIFE: Duration = Duration::from_secs(900);

/// Ends the process with a message if it is not dropped in time. Its thread is gone when it is.
#[derive(Debug)]
pub struct Deadline {
    /// Dropping it is the message.
    sender: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the thread of a deadline does not panic");
        }
    }
}

/// A deadline of [`LIFE`] for the test that calls it, of which `part` says more.
#[track_caller]
pub fn deadline(part: &'static str) -> Deadline {
    within(LIFE, part)
}

#[track_caller]
fn within(limit: Duration, part: &'static str) -> Deadline {
    let (test, place, here) = (alone::test_name(), Location::caller(), thread::current().id());
    let message = format!("\ntest {test} hangs: not done after {limit:?} ({part}, {place})\n");
    let (sender, dropped) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        if let Err(RecvTimeoutError::Timeout) = dropped.recv_timeout(limit) {
            let seeds = random::seeds(here).map(|seed| format!("MINISS_SEED={seed}\n"));
            // Not `eprintln!`: the harness keeps what that says, and it would end with the process.
            let _ = io::stderr().write_all((message + &seeds.collect::<String>()).as_bytes());
            process::abort();
        }
    });
    Deadline { sender: Some(sender), thread: Some(thread) }
}

#[test]
fn a_test_that_hangs_is_named_although_its_output_is_captured() {
    const TEST: &str = "deadline::a_test_that_hangs_is_named_although_its_output_is_captured";
    const HANGS: &str = "MINISS_TEST_HANGS";
    if std::env::var_os(HANGS).is_some() {
        random::Random::new();
        let _deadline = within(Duration::from_millis(1), "as planned");
        loop {
            thread::park();
        }
    }
    let program = std::env::current_exe().expect("a test knows its own program");
    let mut command = process::Command::new(program);
    command.args(["--exact", TEST, "--test-threads=2"]).env(HANGS, "1").env("MINISS_SEED", "7");
    let output = command.output().expect("the test's own program starts");
    assert_eq!(output.status.code(), None, "it was not ended: {}", output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("test {TEST} hangs: not done after 1ms (as planned, ")),
        "{said}"
    );
    assert!(said.contains("MINISS_SEED=7"), "{said}");
}
