//! The program on a machine with four cores.

#![no_std]
#![no_main]

use machines::{calls, machine};

#[unsafe(no_mangle)]
fn kernel_main() -> ! {
    calls::run_on(4);
    machine::end(machines::DONE)
}
