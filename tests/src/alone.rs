//! A test body in a process of its own.
//!
//! Whatever concerns the whole process (limits, signals, seccomp filters, a count of descriptors)
//! is not to be tried beside other tests. So the test starts its own program again, with itself as
//! the only test, and a mark in the environment that tells it to do the work there.

#![forbid(unsafe_code)]

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

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
/// If the body panics, the process is killed, or it takes longer than a minute.
pub fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(MARK).is_some_and(|mark| mark == test) {
        body();
        process::exit(DONE);
    }
    let status = finish(start(test), Duration::from_secs(60));
    assert_eq!(status.code(), Some(DONE), "{test} failed in its own process: {status}");
}

fn start(test: &str) -> Child {
    let program = env::current_exe().expect("a test knows its own program");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(MARK, test).stdin(Stdio::null());
    command.spawn().expect("the test's own program starts")
}

/// Waits for `child` to end; kills it when `limit` has passed.
///
/// # Panics
///
/// If it had to be killed.
pub fn finish(mut child: Child, limit: Duration) -> ExitStatus {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our own child can be waited for") {
            return status;
        }
        if Instant::now() >= end {
            child.kill().expect("our own child can be killed");
            panic!("a child process took longer than {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
