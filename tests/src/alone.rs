//! A test body in a process of its own.
//!
//! Whatever concerns the whole process (limits, signals, seccomp filters, a count of descriptors)
//! is not to be tried beside other tests. So the test starts its own program again, with itself as
//! the only test, and a mark in the environment that tells it to do the work there.

#![forbid(unsafe_code)]

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use crate::deadline::{LIFE, SOON, deadline};

/// Set, to the name of the test, in the process that does the work.
const MARK: &str = "MINISS_TEST_ALONE";
/// The status of a process that has done the work: one that ran no test at all ends with another.
const DONE: i32 = 77;

/// Runs `body` in a process where nothing else runs, and fails if that fails. `test` is the full
/// name of the test that calls this.
///
/// ```no_run
/// fn a_limit_is_respected() {
///     miniss_tests::alone::alone("a_limit_is_respected", || {
///         // change the limits of the process
///     });
/// }
/// ```
///
/// # Panics
///
/// If the body panics, the process is killed, or it takes longer than [`LIFE`].
#[track_caller]
pub fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(MARK).is_some_and(|mark| mark == test) {
        let _deadline = deadline("in its own process");
        body();
        process::exit(DONE);
    }
    // It has a deadline of its own, and says more when that has passed.
    let status = finish(start(test), LIFE + SOON).expect("it keeps its own deadline");
    assert_eq!(status.code(), Some(DONE), "{test} failed in its own process: {status}");
}

/// The name of the test that calls this.
pub fn test_name() -> String {
    let of_thread = || thread::current().name().unwrap_or("without a name").to_owned();
    env::var(MARK).unwrap_or_else(|_| of_thread())
}

fn start(test: &str) -> Child {
    let program = env::current_exe().expect("a test knows its own program");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(MARK, test).stdin(Stdio::null());
    command.spawn().expect("the test's own program starts")
}

/// Waits for `child` to end; kills it when `limit` has passed, and then there is no status.
pub fn finish(mut child: Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our own child can be waited for") {
            return Some(status);
        }
        if Instant::now() >= end {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
