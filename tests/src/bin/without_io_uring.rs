//! Runs a program to which io_uring is refused, by a filter as containers have it. The first
//! argument says how, the others are the program and its arguments. The filter is for all that the
//! program starts, too.

#![forbid(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use miniss_tests::kernel;

const USAGE: &str = "without_io_uring (eperm | enosys | enter | register) PROGRAM [ARGUMENT ...]";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let how = arguments.next();
    let (calls, errno): (&[libc::c_long], i32) = match how.as_ref().and_then(|how| how.to_str()) {
        // The defaults of container engines.
        Some("eperm") => (
            &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register],
            libc::EPERM,
        ),
        // As a kernel that was built without it, or one that is too old.
        Some("enosys") => (
            &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register],
            libc::ENOSYS,
        ),
        Some("enter") => (&[libc::SYS_io_uring_enter], libc::EPERM),
        Some("register") => (&[libc::SYS_io_uring_register], libc::EPERM),
        _ => return fail(USAGE),
    };
    let Some(program) = arguments.next() else { return fail(USAGE) };
    for &call in calls {
        kernel::refuse(call, errno);
    }
    let error = Command::new(&program).args(arguments).exec();
    fail(&format!("{}: {error}", program.display()))
}

fn fail(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(2)
}
