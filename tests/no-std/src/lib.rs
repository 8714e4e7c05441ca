//! The proof that miniss-core is `no_std`, by the panic handler.
//!
//! A program has one panic handler. std brings one, and this crate defines one: it compiles only
//! if neither miniss-core nor anything below it has std in it. The feature `leak` slips std in, to
//! show that the compiler then refuses.

#![no_std]

#[cfg(feature = "leak")]
extern crate std;

pub use miniss_core;

use core::panic::PanicInfo;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
