//! The proof that miniss-core is `no_std`, by the panic handler.
//!
//! A program has one panic handler. std brings one, and this crate defines one: it compiles only
//! if neither miniss-core nor anything below it has std in it. The feature `leak` slips std in, to
//! show that the compiler then refuses.

#![no_std]

#[cfg(feature = "leak")]
extern crate std;

pub use miniss_core;

pub mod sys;

use core::fmt::Write;
use core::panic::PanicInfo;

/// What the process exits with after a panic, as in a program with std.
pub const PANICKED: i32 = 101;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Writing to it never fails, and there is nobody left to tell.
    let _ = writeln!(sys::Stderr, "{info}");
    sys::exit(PANICKED)
}
