//! The drivers that there are to test: io_uring may be refused to us.

#![forbid(unsafe_code)]

use std::env;

use miniss_linux::{Driver, probe_io_uring};

/// The drivers to run on: the one that the environment names, else each that is to be had.
///
/// # Panics
///
/// If the environment names none.
pub fn drivers() -> Vec<Driver> {
    match env::var("MINISS_DRIVER") {
        Ok(name) => vec![name.parse().expect("MINISS_DRIVER names a driver")],
        Err(_) => available(),
    }
}

/// Each driver that is to be had.
pub fn available() -> Vec<Driver> {
    if io_uring_is_refused() { vec![Driver::Epoll] } else { vec![Driver::IoUring, Driver::Epoll] }
}

/// Whether io_uring is refused to us, wholly or in part. What is true of rings alone is then left
/// out, and this says so.
pub fn io_uring_is_refused() -> bool {
    let is_refusal = |errno: i32| [libc::EPERM, libc::EACCES, libc::ENOSYS].contains(&errno);
    let refused = probe_io_uring().calls.into_iter().find_map(|(call, answer)| match answer {
        Some(Err(errno)) if is_refusal(errno) => Some(call),
        _ => None,
    });
    if let Some(call) = refused {
        println!("Left out: {call} is refused here.");
    }
    refused.is_some()
}
